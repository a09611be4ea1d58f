from pathlib import Path

import numpy as np
import pytest

from freerun.errors import UsageError
from freerun.objectives.terms import find_terms, of_one_string
from freerun.scores.guard import Guarded


def test_weights_are_read_after_the_last_colon():
    terms = find_terms(["qed:0.5", "similarity:CCO:2", "sa"])
    assert [(each.spec, each.weight, each.sign) for each in terms] == [
        ("qed", 0.5, 1.0),
        ("similarity:CCO", 2.0, 1.0),
        ("sa", 1.0, -1.0),
    ]


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        (["qeed"], "did you mean 'qed'"),
        (["qed:0"], "the weight of qed:0 must be above 0"),
        (["qed:-1"], "above 0"),
        (["qed:1e999"], "above 0"),
        (["qed", "sa", "qed:2"], "each score once: qed stands there again"),
        (["none.py:score"], r"none\.py is no file; give FILE\.py:FUNCTION"),
        (["mine.py:"], "'' is no name of a function"),
        (["mine.py:a.b:0.5"], r"'a\.b' is no name of a function"),
        (["novelty"], "needs an argument: novelty:FILE"),
    ],
)
def test_wrong_scores_are_refused(program, specs, expected):
    with pytest.raises(UsageError, match=expected):
        find_terms(specs)


def test_a_search_refuses_what_depends_on_the_strings_beside(program):
    terms = find_terms(["qed", program])
    assert of_one_string(terms) == terms
    with pytest.raises(UsageError, match="diversity depends on the strings beside it"):
        of_one_string(find_terms(["qed", "diversity"]))


def test_novelty_without_a_file_compares_with_what_is_known():
    (term,) = find_terms(["novelty:2"], known={"CCO"})
    assert term.score(["CCO", "CCC"]).tolist() == [0, 1]
    assert not term.findable


@pytest.mark.slow
def test_a_function_of_a_file_runs_in_a_process_of_its_own_and_never_here(program):
    Path("ends.py").write_text("import os\ndef f(strings): os._exit(1)\n")
    first, second = find_terms([f"{program}:2", "ends.py:f"])
    assert (first.spec, first.weight) == (program, 2.0)
    with Guarded(first.score) as guarded:
        assert np.array_equal(guarded(["ab", "abc"]).values, [0.2, 0.3])
    with Guarded(second.score) as guarded:
        assert guarded(["ab"]).failures == {"died": 1}
    with pytest.raises(AssertionError):
        first.score(["ab"])

import hashlib
import sys
from pathlib import Path

import pytest

from freerun.errors import UsageError
from freerun.objectives.permission import code_of, refuse_code
from freerun.objectives.settings import ObjectiveSettings

HARMLESS = ObjectiveSettings(("qed:2", "similarity:CCO", "ratings:people.csv", "novelty:known.smi"))


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_what_names_no_code_passes_without_a_word():
    assert code_of(HARMLESS) == {}
    refuse_code(HARMLESS, allowed=False, known={})


def test_code_is_every_file_that_would_run(program):
    Path("dock.py").write_text("print(1)")
    settings = ObjectiveSettings(("qed", f"{program}:2", f"command:{sys.executable} dock.py --fast:0.5"))
    assert code_of(settings) == {path: sha256(path) for path in ("mine.py", sys.executable, "dock.py")}


def test_what_is_not_allowed_is_shown_whole_with_the_remedy(program):
    long = "x" * 300
    settings = ObjectiveSettings((program, f"command:{sys.executable} -c {long}"))
    with pytest.raises(UsageError, match="would run code") as raised:
        refuse_code(settings, allowed=False, known=code_of(settings))
    told = str(raised.value)
    assert f"'mine.py' (SHA-256 {sha256('mine.py')})" in told
    assert long in told
    assert "--allow-code" in told
    refuse_code(settings, allowed=True, known={})
    refuse_code(settings, allowed=True, known=code_of(settings))


def test_what_a_file_names_is_shown_without_its_control_characters(program):
    with pytest.raises(UsageError) as raised:
        refuse_code(ObjectiveSettings((f"command:{sys.executable} \x1b[2K\r",)), allowed=False, known={})
    assert raised.value.args[0].isprintable()


def test_code_that_was_changed_does_not_run_even_where_it_is_allowed(program):
    settings = ObjectiveSettings((program,))
    known = code_of(settings)
    Path("mine.py").write_text("def score(strings): pass")
    with pytest.raises(
        UsageError, match=r"'mine\.py' is not what it was .*; put the old file back, or start a new run"
    ):
        refuse_code(settings, allowed=True, known=known)


def test_another_file_than_the_one_that_was_known_does_not_run(program):
    Path("other.py").write_text("def score(strings): pass")
    with pytest.raises(UsageError, match=r"'other\.py' is not what it was"):
        refuse_code(ObjectiveSettings(("other.py:score",)), allowed=True, known={"mine.py": sha256("mine.py")})


def test_a_file_that_is_not_there_is_one_clear_error():
    with pytest.raises(UsageError, match=r"cannot read gone\.py, which the objective names"):
        code_of(ObjectiveSettings(("gone.py:score",)))

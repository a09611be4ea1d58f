"""What a run's model is said to think of a string, against the likelihood that training and sampling use."""

import dataclasses
import math
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

from freerun import api
from freerun.constraints.base import EOS
from freerun.constraints.length import Length
from freerun.errors import UnknownToken
from freerun.explanation.explanation import explain_run
from freerun.explanation.page import render
from freerun.explanation.steps import _reasons, steps_of
from freerun.run_folder import RunFolder
from freerun.sampling.likelihood import log_prob
from freerun.trained import Trained

VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}
SMILES = ["CCO", "CCN", "CCC", "c1ccccc1", "CC(=O)O", "CCOC", "CNC", "OCC", "CC(C)O", "CCCl"] * 4


class Walk(HTMLParser):
    """Tags that are opened are closed, in order."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "title"}:
            self.text.append(data)

    @property
    def ids(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "id"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    (folder / "corpus.smi").write_text("\n".join(SMILES) + "\n")
    settings = ["method.n_steps=30", "method.batch_size=16", "model.d_hidden=12", "method.descent.lr=0.02"]
    return api.train(corpus=folder / "corpus.smi", out=folder / "run", overrides=settings).path


@pytest.fixture(scope="module")
def trained(folder: Path) -> Trained:
    return Trained.load(RunFolder.found(folder))


def test_probabilities_are_those_of_the_one_likelihood(trained):
    told = explain_run("CC(=O)O", trained)
    tokens = torch.tensor([[*trained.representation.encode("CC(=O)O"), EOS]])
    expected = log_prob(trained.generator, tokens, trained.constraint, budget=trained.budget)[0].tolist()
    assert [math.log(step.probability) for step in told.steps] == pytest.approx(expected, abs=1e-5)
    assert told.n_nats == pytest.approx(sum(expected), abs=1e-4)
    assert [step.token for step in told.steps] == [*told.tokens, "<eos>"]


def test_the_first_rank_is_the_likeliest_and_ranks_count_the_more_probable(trained):
    for step in explain_run("CCO", trained).steps:
        assert step.n_allowed == len(trained.representation.vocab) - 3
        assert (step.rank == 1) == (step.likeliest[0][0] == step.token)
        assert sum(p for _, p in step.likeliest) <= 1 + 1e-6
        shown = [token for token, _ in step.likeliest]
        if step.token in shown:
            assert shown.index(step.token) == step.rank - 1


def test_what_is_forbidden_is_told_with_its_reason_and_with_what_it_had(trained):
    owing = dataclasses.replace(trained, constraint=Length(len(trained.representation.vocab), shortest=3))
    free = explain_run("CCO", trained).steps
    steps, refused = steps_of(owing, trained.representation.encode("CCO"))
    assert refused == ""
    for step, unbound in zip(steps[:3], free[:3], strict=True):
        (group,) = step.forbidden
        assert group.tokens == ("<eos>",)
        assert group.reason
        assert step.n_forbidden == 1
        assert step.probability * (1 - step.removed) == pytest.approx(unbound.probability, rel=1e-4)
    assert steps[3].forbidden == ()


@dataclasses.dataclass(frozen=True)
class Complains(Length):
    """Names the token in its reason."""

    def _objection(self, state, token: int) -> str:
        return f"{VOCAB[token]!r} comes too early"


VOCAB = ("<pad>", "<bos>", "<eos>", "<unk>", "C", "O")


def test_the_same_reason_of_several_tokens_is_told_once():
    constraint = Complains(len(VOCAB), longest=2)
    state = constraint.start(1, 5)
    for token in (4, 5):
        state = constraint.advance(state, torch.tensor([token]))
    (group,) = _reasons(constraint, state, constraint.allowed(state), VOCAB)
    assert (group.reason, group.tokens) == ("it comes too early", ("C", "O"))


def test_a_string_outside_the_language_stops_at_the_token_that_is_forbidden(trained):
    short = dataclasses.replace(trained, constraint=Length(len(trained.representation.vocab), longest=2))
    steps, refused = steps_of(short, trained.representation.encode("CCO"))
    assert len(steps) == 3
    assert (steps[2].probability, steps[2].rank, steps[2].log_prob) == (0.0, 0, -math.inf)
    assert refused
    told = dataclasses.replace(explain_run("CCO", trained), steps=steps, refused=refused)
    assert "cannot write this string" in render(told)


def test_a_token_that_training_never_saw_is_an_error_with_its_position(trained):
    with pytest.raises(UnknownToken) as caught:
        explain_run("CCS", trained)
    assert caught.value.position == 2


def test_the_page_is_whole_and_holds_what_it_tells(trained):
    page = render(explain_run("c1ccccc1", trained))
    walk = Walk(page)
    assert walk.tags["section"] == 3
    assert walk.tags["script"] == 0
    assert not [value for _, name, value in walk.attributes if name in {"src", "href"} and not value.startswith("#")]
    assert walk.tags["table"] == 2
    assert len(walk.ids) == len(set(walk.ids))
    assert page.count(":hover") == 9  # eight tokens and <eos>


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "\"><img src=x onerror='1'>", "{{ 7 * 7 }}", "\x00\u202ea"]
)
def test_no_string_writes_markup(text):
    page = render(api.explain(text, representation="text"))
    walk = Walk(page)
    assert walk.tags["script"] == walk.tags["img"] == 0
    assert "49" not in "".join(walk.text)
    assert "\u202e" not in page

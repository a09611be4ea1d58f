"""The hill climb: what it keeps, what it learns, and that a checkpoint holds it."""

import pytest
import torch
from tiny_worlds import RULES, WIDE, begun, language, log_p, objective_of, payments

from freerun.constraints.base import EOS, PAD
from freerun.methods.base import unrolled
from freerun.methods.descent import Descent
from freerun.methods.hill_climb import ClimbingState, HillClimb

STRINGS = language(RULES["anything"])
TABLE = payments(STRINGS)
A, B, C = [4, EOS, PAD], [5, EOS, PAD], [4, 5, EOS]


def climbing(method: HillClimb) -> ClimbingState:
    state = begun(method, objective=objective_of(TABLE))
    assert isinstance(state, ClimbingState)
    return state


def test_the_best_are_kept_each_once_best_first():
    state = climbing(HillClimb())
    state.keep(torch.tensor([A, B, A]), torch.tensor([0.2, 0.6, 0.2]), 3)
    assert state.tokens.tolist() == [B, A]
    state.keep(torch.tensor([[*C, PAD], [*B, PAD], [6, 6, 6, EOS]]), torch.tensor([0.9, 0.6, 0.1]), 3)
    assert state.tokens.tolist() == [[*C, PAD], [*B, PAD], [*A, PAD]]
    assert state.paid.tolist() == pytest.approx([0.9, 0.6, 0.2])
    state.keep(torch.tensor([[6, EOS]]), torch.tensor([0.7]), 2)
    assert state.tokens.tolist() == [[*C, PAD], [6, EOS, PAD, PAD]]


def test_what_is_paid_less_than_nothing_is_kept_in_its_place():
    """A score without a shape may be negative."""
    state = climbing(HillClimb())
    state.keep(torch.tensor([A, B, C]), torch.tensor([-0.5, 0.1, -0.2]), 2)
    assert state.tokens.tolist() == [B, C]
    assert state.paid.tolist() == pytest.approx([0.1, -0.2])


def test_a_plain_loop_keeps_the_same():
    method = HillClimb(batch_size=12, n_kept=7, n_steps=5)
    state, best = climbing(method), {}
    for number in range(5):
        method.step(state, WIDE, torch.Generator().manual_seed(number))
    other = climbing(HillClimb())
    generator = torch.Generator().manual_seed(0)
    for _ in range(4):
        rows = STRINGS[torch.randint(len(STRINGS), (12,), generator=generator)]
        other.keep(rows, TABLE(rows).float(), 7)
        best |= {tuple(row): paid for row, paid in zip(rows.tolist(), TABLE(rows).tolist(), strict=True)}
        expected = sorted(best, key=lambda row: -best[row])[:7]
        assert [tuple(row) for row in other.tokens.tolist()] == expected
    assert (state.paid.diff() <= 0).all()
    torch.testing.assert_close(state.paid, TABLE(state.tokens).float())
    assert len(state.tokens.unique(dim=0)) == len(state.tokens) <= 7


def test_a_state_that_was_saved_holds_what_was_kept(tmp_path):
    method = HillClimb(batch_size=12, n_kept=7, n_steps=6)
    whole, half, resumed = climbing(method), climbing(method), climbing(method)
    for number in range(6):
        method.step(whole, WIDE, torch.Generator().manual_seed(number))
    for number in range(3):
        method.step(half, WIDE, torch.Generator().manual_seed(number))
    torch.save(half.state_dict(), tmp_path / "state.pt")
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(resumed.tokens, half.tokens)
    for number in range(3, 6):
        method.step(resumed, WIDE, torch.Generator().manual_seed(number))
    assert torch.equal(resumed.tokens, whole.tokens)
    assert torch.equal(resumed.paid, whole.paid)
    assert torch.equal(log_p(resumed, STRINGS), log_p(whole, STRINGS))


def test_a_climb_is_paid_more_than_what_it_began_with():
    """By enumeration: the expected payment of a string, from the middle nearly to the best of the language."""
    method = HillClimb(n_steps=20, batch_size=32, n_kept=3, n_descents=2, descent=Descent(lr=0.06))
    state = climbing(method)

    def expected() -> float:
        return float((log_p(state, STRINGS).detach().exp() * TABLE.values).sum())

    before = expected()
    for number in range(20):
        method.step(state, WIDE, torch.Generator().manual_seed(number))
    assert before < 0.7
    assert expected() > 0.85 * TABLE.values.max()


def test_the_phases_are_maximum_likelihood_and_the_climb():
    phases = unrolled(HillClimb(n_mle=2, n_steps=3).phases(1))
    assert [(phase.name, phase.n_steps, phase.keep) for phase in phases] == [
        ("mle", 2, "best"),
        ("hill_climb", 3, "last"),
    ]
    with pytest.raises(ValueError, match="n_kept = 0 must be at least 1"):
        HillClimb(n_kept=0)

"""What is told while a training goes on."""

import warnings

import pytest

from freerun.app.screen import Screen
from freerun.run import Progress


@pytest.mark.parametrize(
    ("logs", "told"),
    [
        ({"nll_per_token": 0.5, "grad_norm": 3.0}, "  NLL 0.5000 a token"),
        ({"reward": 0.25, "objective": 0.75, "nll_per_token": 0.5}, "  objective 0.7500"),
        ({"reward": 0.25}, "  reward 0.2500"),
        ({"critic_loss": 0.7, "critic_accuracy_held_out": 0.5125}, "  critic right 0.512"),
        ({"critic_loss": 0.7}, ""),
    ],
)
def test_the_line_ends_with_what_the_step_is_about(logs, told, capsys):
    screen = Screen()
    for step in (1, 2):
        screen.training(Progress("generator", step, 2, float(step), 100 * step, logs))
    assert capsys.readouterr().err == f"generator 2/2  100 %  100 tokens/s  0 s left{told}\n"


def test_a_note_is_told_once(capsys):
    with warnings.catch_warnings(), Screen():
        warnings.simplefilter("always")
        for note in ("one", "one", "two"):
            warnings.warn(note, stacklevel=1)
    assert capsys.readouterr().err == "note: one\nnote: two\n"

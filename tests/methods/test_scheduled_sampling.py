import itertools
import math

import pytest
import torch
from torch import Tensor

from freerun.constraints.base import EOS
from freerun.constraints.length import Length
from freerun.corpora.batches import Batch
from freerun.methods.base import Network, State, World, unrolled
from freerun.methods.descent import Descent
from freerun.methods.scheduled_sampling import ScheduledSampling, Weaning
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.sampling.likelihood import log_prob

A, B = 4, 5
RULE = Length(6, 2, 2)
WORLD = World(RULE, 3, Network(d_embedding=8, d_hidden=16), n_batches=3, device=torch.device("cpu"))
STRINGS = torch.tensor([[a, b, EOS] for a, b in itertools.product((A, B), repeat=2)])
DATA = torch.tensor([0.6, 0.1, 0.05, 0.25], dtype=torch.float64)  # of aa, ab, ba, bb


def begun(method: ScheduledSampling | TeacherForcing, world: World = WORLD) -> State:
    torch.manual_seed(0)
    return method.init(world)


def constant(p_teacher: float) -> Weaning:
    return Weaning("linear", start=p_teacher, slope=0.0)


def corpus(n: int) -> Batch:
    tokens = STRINGS.repeat_interleave((DATA * n).round().long(), 0)
    return Batch(tokens, torch.arange(len(tokens)), {})


def learned_distribution(p_teacher: float) -> Tensor:
    """Of the four strings, after training on the data of a world of two tokens."""
    method = ScheduledSampling(n_steps=70, teacher=constant(p_teacher), descent=Descent(lr=0.08, schedule="cosine"))
    state, batch = begun(method), corpus(400)
    for step in range(70):
        method.step(state, batch, torch.Generator().manual_seed(step))
    with torch.no_grad():
        return log_prob(method.generator(state).eval(), STRINGS, RULE, budget=3).double().sum(1).exp()


@pytest.mark.parametrize("p_teacher", [1.0, 0.5, 0.0])
def test_the_optimum_is_the_data_with_a_teacher_and_independent_tokens_without(p_teacher):
    """p(y_1) = P(y_1); p(y_2 | y_1) = eps P(y_2 | y_1) + (1 - eps) P(y_2)."""
    first, second = DATA.view(2, 2).sum(1), DATA.view(2, 2).sum(0)
    expected = (p_teacher * DATA.view(2, 2) + (1 - p_teacher) * first[:, None] * second).flatten()
    assert (learned_distribution(p_teacher) - expected).abs().max() < 0.015
    assert p_teacher == 1 or (expected - DATA).abs().max() > 0.05


@pytest.mark.parametrize(
    ("weaning", "formula"),
    [
        (Weaning("linear", start=0.9, slope=2.0, least=0.1), lambda i, n: max(0.1, 0.9 - 2 / n * i)),
        (Weaning("exponential", least=0.01), lambda i, n: (0.01 ** (1 / n)) ** i),
    ],
)
def test_the_schedules_are_those_of_the_paper(weaning, formula):
    for i in range(0, 301, 25):
        assert weaning.p_teacher(i, 300) == pytest.approx(formula(i, 300))


@pytest.mark.parametrize("n", [50, 2000])
@pytest.mark.parametrize("half", [0.3, 0.8])
def test_the_inverse_sigmoid_is_the_papers_with_the_k_that_crosses_one_half_where_asked(n, half):
    weaning = Weaning("inverse_sigmoid", half=half)
    k = 1.0
    while k * math.log(k) < half * n:
        k += 0.001
    for i in range(0, n + 1, n // 10):
        assert weaning.p_teacher(i, n) == pytest.approx(k / (k + math.exp(i / k)), abs=1e-3)
    assert weaning.p_teacher(round(half * n), n) == pytest.approx(0.5)


def test_every_schedule_begins_with_the_teacher_and_only_ever_takes_away():
    for weaning in (Weaning("linear"), Weaning("exponential", least=0.01), Weaning("inverse_sigmoid")):
        course = [weaning.p_teacher(i, 1000) for i in range(1001)]
        assert course[0] > 0.98
        assert course[-1] < 0.02
        assert course == sorted(course, reverse=True)


def test_with_the_teacher_throughout_each_step_is_one_of_teacher_forcing():
    plain, mixed = TeacherForcing(n_steps=3), ScheduledSampling(n_steps=3, teacher=constant(1.0))
    states = [begun(plain), begun(mixed)]
    for step in range(3):
        for method, state in zip((plain, mixed), states, strict=True):
            method.step(state, corpus(20), torch.Generator().manual_seed(step))
    for a, b in zip(states[0].networks.parameters(), states[1].networks.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_weights_that_are_kept_are_the_last_and_what_is_evaluated_is_the_likelihood():
    method, twin = ScheduledSampling(n_steps=5), TeacherForcing(n_steps=5)
    (phase,) = unrolled(method.phases(3))
    assert (phase.keep, phase.n_steps) == ("last", 5)
    state, batch = begun(method), corpus(20)
    total, count = method.evaluate(state, batch, torch.Generator())["nll_per_token"]
    expected, _ = twin.evaluate(begun(twin), batch, torch.Generator())["nll_per_token"]
    assert total.item() == pytest.approx(expected.item())
    assert count == 3 * 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": 1.5}, "start = 1.5 must be in"),
        ({"least": -0.1}, "least = -0.1 must be in"),
        ({"slope": -1.0}, "slope = -1.0 must not be negative"),
        ({"schedule": "exponential"}, "least = 0 is never reached"),
        ({"half": 0.0}, "half = 0.0 must be above 0"),
    ],
)
def test_what_is_no_schedule_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Weaning(**settings)

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freerun.constraints.base import EOS, PAD
from freerun.constraints.length import Length
from freerun.corpora.batches import Batch
from freerun.methods.base import Network, State, World, unrolled
from freerun.methods.descent import Descent
from freerun.methods.policy_gradient import new_seed
from freerun.methods.professor_forcing import ProfessorForcing, ProfessorState
from freerun.methods.teacher_forcing import TeacherForcing
from freerun.models.behaviour_critic import BehaviourCritic, BehaviourShape
from freerun.models.generator import Generator
from freerun.sampling.free_run import FreeRun
from freerun.sampling.likelihood import log_prob, masked_log_softmax

ROWS = torch.tensor([[4, 5, EOS, PAD], [4, 5, 6, EOS], [4, 4, EOS, PAD], [6, 5, EOS, PAD]])
BATCH = Batch(ROWS, torch.arange(4), {})
WORLD = World(Length(7, 2, 3), 4, Network("gru", d_embedding=8, d_hidden=16), n_batches=3, device=torch.device("cpu"))
ONE_WORD = dataclasses.replace(WORLD, constraint=Length(7, 1, 1), budget=2)
STILL = Descent(lr=0.0, clip=0.0)
PLAIN = ProfessorForcing(
    n_steps=10, critic=BehaviourShape(8, (6,)), descent=STILL, critic_descent=STILL, generator_above=-1.0
)
CLOSED = {"generator_above": 1.1}


def begun(method: ProfessorForcing | TeacherForcing, world: World = WORLD) -> State:
    torch.manual_seed(0)
    return method.init(world)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generator_of(state: State) -> Generator:
    generator = state.networks["generator"]
    assert isinstance(generator, Generator)
    return generator


def critic_of(state: State) -> BehaviourCritic:
    critic = state.networks["critic"]
    assert isinstance(critic, BehaviourCritic)
    return critic


def gradients(network: nn.Module) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in network.parameters()]


def stepped(method: ProfessorForcing, state: State, batch: Batch = BATCH, seed: int = 0) -> dict[str, Tensor]:
    return method.step(state, batch, rng(seed))


def own(state: State, n: int, seed: int = 0) -> Tensor:
    """The sequences that the step with this seed draws."""
    world = state.world
    return FreeRun(generator_of(state), world.constraint, world.budget, new_seed(rng(seed)))(n).tokens


def behaviour(state: State, row: Tensor) -> Tensor:
    """(1) of one sequence, its padding cut off."""
    row = row[row != PAD][None]
    logits, hidden = generator_of(state)(row)
    allowed = state.world.constraint.replay(row, state.world.budget)
    return torch.cat([hidden, masked_log_softmax(logits, allowed).exp()], -1)


def logits_by_hand(state: State, rows: Tensor) -> Tensor:
    steps = [behaviour(state, row) for row in rows]
    return torch.cat([critic_of(state)(b, torch.tensor([b.shape[1]])) for b in steps])


@pytest.mark.parametrize("two_sided", [False, True])
def test_the_losses_and_gradients_are_those_of_one_sequence_at_a_time(two_sided):
    method = dataclasses.replace(PLAIN, adversarial=3.0, two_sided=two_sided)
    state = begun(method)
    logs = stepped(method, state)
    found = gradients(generator_of(state))
    free, taught = logits_by_hand(state, own(state, 4)), logits_by_hand(state, ROWS)
    nll = -log_prob(generator_of(state), ROWS, WORLD.constraint, budget=4).sum()
    adversarial = -free.sigmoid().log().mean()
    assert logs["adversarial_loss"].item() == pytest.approx(adversarial.item(), rel=1e-5)
    assert logs["critic_loss"].item() == pytest.approx(
        -(taught.sigmoid().log() + (1 - free.sigmoid()).log()).mean().item(), rel=1e-5
    )
    right = (taught > 0).float().mean() + (free < 0).float().mean()
    assert logs["critic_accuracy"].item() == pytest.approx(right.item() / 2)
    loss = nll + 3 * 4 * (adversarial - two_sided * (1 - taught.sigmoid()).log().mean())
    state.networks.zero_grad()
    (loss / 13).backward()
    for a, b in zip(found, gradients(generator_of(state)), strict=True):
        torch.testing.assert_close(a, b)


def test_a_linear_critic_of_one_step_is_worked_by_hand():
    """D(b) = 2 p(first word): with C_f alone, dC_f/da_k = -(1 - s(D)) 2 p_1 (1{k = 1} - p_k) for the output's bias."""

    class Linear(BehaviourCritic):
        def forward(self, behaviour: Tensor, lengths: Tensor) -> Tensor:
            return 2 * behaviour[:, 0, 16 + 4]

    method = dataclasses.replace(PLAIN, adversarial=1e6, critic_below=0.0)
    state = begun(method, ONE_WORD)
    state.networks["critic"] = Linear(23, 8, (6,))
    batch = Batch(torch.tensor([[4, EOS], [5, EOS]]), torch.arange(2), {})
    stepped(method, state, batch)
    p = masked_log_softmax(generator_of(state)(batch.tokens)[0][0, 0], torch.arange(7) > 3).exp().detach()
    slope = -(1 - torch.sigmoid(2 * p[4])) * 2 * p[4] * (F.one_hot(torch.tensor(4), 7) - p)
    bias = generator_of(state).output.bias.grad
    assert bias is not None
    torch.testing.assert_close(bias / (1e6 * 2 / 4), slope, atol=1e-5, rtol=1e-4)


def test_descending_makes_the_same_own_sequences_look_more_teacher_forced():
    method = dataclasses.replace(PLAIN, adversarial=1e4, descent=Descent(lr=1e-3))
    state = begun(method)
    rows = own(state, 4)
    before = logits_by_hand(state, rows)
    stepped(method, state)
    assert (logits_by_hand(state, rows) > before).all()


def test_the_critics_step_reaches_the_critic_alone():
    method = dataclasses.replace(PLAIN, **CLOSED, critic_descent=Descent(lr=0.1, clip=0.0))
    state = begun(method)
    before = [p.detach().clone() for p in state.networks.parameters()]
    stepped(method, state)
    changed = [not torch.equal(a, b) for a, b in zip(before, state.networks.parameters(), strict=True)]
    n_generator = len(list(generator_of(state).parameters()))
    assert not any(changed[:n_generator])
    assert all(changed[n_generator:])


def test_with_both_gates_closed_it_is_teacher_forcing():
    method, plain = dataclasses.replace(PLAIN, **CLOSED, critic_below=-1.0), TeacherForcing(n_steps=10, descent=STILL)
    state, other = begun(method), begun(plain)
    other.networks["generator"].load_state_dict(generator_of(state).state_dict())
    critic = [p.detach().clone() for p in critic_of(state).parameters()]
    logs = stepped(method, state)
    told = plain.step(other, BATCH, rng())
    assert logs["nll_per_token"].item() == pytest.approx(told["nll_per_token"].item())
    assert "adversarial_loss" not in logs
    for a, b in zip(gradients(generator_of(state)), gradients(generator_of(other)), strict=True):
        torch.testing.assert_close(a, b)
    assert all(torch.equal(a, b) for a, b in zip(critic, critic_of(state).parameters(), strict=True))


def with_verdict(state: State, logit: float) -> None:
    """D = logit for every behaviour: right on one half."""
    last = critic_of(state).layers[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(logit)


@pytest.mark.parametrize(
    ("accuracy", "memory", "learns", "heeds"),
    [(1.0, 0.0, 1, 0), (1.0, 0.9, 1, 1), (1.0, 0.99, 0, 1), (0.0, 0.9, 1, 0)],
)
def test_the_gates_go_by_the_accuracy_that_is_remembered(accuracy, memory, learns, heeds):
    method = dataclasses.replace(PLAIN, memory=memory, generator_above=0.75, critic_below=0.99)
    state = begun(method)
    assert isinstance(state, ProfessorState)
    state.accuracy = accuracy
    with_verdict(state, 1.0)
    logs = stepped(method, state)
    assert state.accuracy == pytest.approx(memory * accuracy + (1 - memory) * 0.5)
    assert (logs["critic_learns"], logs["generator_heeds"]) == (learns, heeds)
    assert logs["critic_loss"].item() == pytest.approx(math.log1p(math.exp(-1)) + math.log1p(math.exp(1)))
    again = begun(method)
    again.load_state_dict(state.state_dict())
    assert isinstance(again, ProfessorState)
    assert again.accuracy == state.accuracy


@pytest.mark.parametrize("outputs", [True, False])
def test_padding_adds_nothing(outputs):
    method = dataclasses.replace(PLAIN, outputs=outputs, two_sided=True)
    wide = dataclasses.replace(BATCH, tokens=F.pad(ROWS, (0, 5)))
    results = []
    for batch in (BATCH, wide):
        state = begun(method)
        logs = stepped(method, state, batch)
        results.append((logs, gradients(state.networks)))
    for name, value in results[0][0].items():
        torch.testing.assert_close(value, results[1][0][name])
    for a, b in zip(results[0][1], results[1][1], strict=True):
        torch.testing.assert_close(a, b)


def test_own_sequences_are_as_long_as_asked_and_all_tokens_are_counted():
    method = dataclasses.replace(PLAIN, max_length=3)
    state = begun(method)
    logs = stepped(method, state)
    assert logs["n_tokens"] == 13 + 4 * 3  # two words and <eos> are all that the budget leaves


def test_likelihood_comes_first_and_the_best_weights_go_by_it():
    method = dataclasses.replace(PLAIN, n_mle=5)
    phases = unrolled(method.phases(3))
    assert [(phase.name, phase.n_steps, phase.keep) for phase in phases] == [
        ("mle", 5, "best"),
        ("professor_forcing", 10, "best"),
    ]
    state = begun(method)
    total, count = method.evaluate(state, BATCH, rng())["nll_per_token"]
    expected = -log_prob(generator_of(state), ROWS, WORLD.constraint, budget=4).sum()
    assert total.item() == pytest.approx(expected.item())
    assert count == 13


def test_a_critic_learns_to_tell_a_generator_that_knows_nothing():
    """The data is one string: under a teacher the network reads it, free it reads everything."""
    method = dataclasses.replace(PLAIN, critic_descent=Descent(lr=0.02), **CLOSED)
    state = begun(method)
    batch = Batch(ROWS[1:2].repeat(32, 1), torch.arange(32), {})
    accuracies = [stepped(method, state, batch, seed)["critic_accuracy"].item() for seed in range(30)]
    assert sum(accuracies[-5:]) / 5 > 0.8


def test_the_critic_is_judged_on_what_it_has_not_seen_and_the_training_does_not_notice():
    method = dataclasses.replace(PLAIN, batch_size=32, critic_descent=Descent(lr=0.02), descent=Descent(), **CLOSED)
    batch = Batch(ROWS[1:2].repeat(32, 1), torch.arange(32), {})
    alone, judged, fooled = (
        begun(method, dataclasses.replace(WORLD, held_out=rows)) for rows in (None, ROWS[1:2], ROWS[2:3])
    )
    for seed in range(50):
        for state in (alone, judged, fooled):
            stepped(method, state, batch, seed)
    logs = [stepped(method, state, batch, 50) for state in (alone, judged, fooled)]
    assert "critic_accuracy_held_out" not in logs[0]
    assert logs[1]["critic_accuracy_held_out"] > logs[2]["critic_accuracy_held_out"] + 0.1
    for weights in zip(*(state.networks.parameters() for state in (alone, judged, fooled)), strict=True):
        assert torch.equal(weights[0], weights[1])
        assert torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"adversarial": -1.0}, "adversarial = -1.0 must be at least 0"), ({"memory": 1.0}, "memory = 1.0 must be in")],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ProfessorForcing(**settings)

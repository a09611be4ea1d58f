"""The rollout rewards of one batch, which SeqGAN needs for each step, beside the usual loop and the machine's limit.

    python benchmarks/rollouts.py

64 sequences of 20 words out of 5,000, 16 completions of each prefix, the generator LSTM 32/32 and the critic of the
published widths. The limit of decoding is the matrix products of all decoded steps and one softmax over their logits;
that of the critic is its matrix products; both by the same PyTorch in this process. One JSON line a figure.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from freerun.constraints.length import Length
from freerun.models.generator import Generator
from freerun.models.sequence_critic import CriticShape, SequenceCritic
from freerun.noise import hashed, row_keys, uniform_at
from freerun.sampling.decoding import inverse_cdf
from freerun.sampling.free_run import FreeRun
from freerun.sampling.rollouts import completions

sys.path.insert(0, str(Path(__file__).parent))
from peers import rollout_loop

BATCH, N, N_WORDS, N_VOCAB, WIDTH, SEED = 64, 16, 20, 5004, 32, 7
ROWS, CHUNK = 512, 256  # rows that are decoded, and judged, at once
LENGTHS = range(1, N_WORDS)
CONSTRAINT = Length(N_VOCAB, N_WORDS, N_WORDS)


def seconds(work: Callable[[], object], n: int = 3) -> float:
    """The best of n runs after one to warm up: other work on the machine only adds."""
    work()
    return min(once(work) for _ in range(n))


def once(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ours(generator: Generator, tokens: Tensor) -> Tensor:
    return completions(generator, CONSTRAINT, tokens, LENGTHS, N, budget=N_WORDS + 1, seed=SEED, batch_size=ROWS)


@torch.no_grad()
def judged(critic: SequenceCritic, completed: Tensor) -> Tensor:
    """Mean probability of "real" over the completions of each prefix."""
    rows = completed.flatten(0, 2)
    verdicts = torch.cat([critic(part).sigmoid() for part in rows.split(CHUNK)])
    return verdicts.unflatten(0, completed.shape[:3]).mean(2)  # (batch, prefix)


def by_our_numbers(probabilities: Tensor, length: int, rollout: int, position: int) -> Tensor:
    """What the loop draws where it is given our uniform numbers."""
    key = hashed(hashed(row_keys(SEED, torch.arange(len(probabilities))), length), rollout)
    return inverse_cdf(probabilities, uniform_at(key, position))


def product(m: int, k: int, n: int) -> float:
    a, b = torch.randn(m, k), torch.randn(n, k)
    return seconds(lambda: torch.mm(a, b.t()), 5)


def decoding_limit(n_steps: int) -> dict[str, float]:
    """Seconds of the products of that many steps of one row, and of one softmax over their logits."""
    batches = n_steps / ROWS
    logits = torch.randn(ROWS, N_VOCAB)
    gates = 2 * product(ROWS, WIDTH, 4 * WIDTH)
    return {
        "products": batches * (gates + product(ROWS, WIDTH, N_VOCAB)),
        "softmax": batches * seconds(lambda: logits.softmax(1), 5),
    }


def critic_limit(n_rows: int) -> float:
    """Seconds of the critic's products, as matrices of all windows of a chunk."""
    shape, total = CriticShape(), 0.0
    for width, n in zip(shape.widths, shape.filters, strict=True):
        total += product(CHUNK * (N_WORDS + 2 - width), shape.d_embedding * width, n)
    wide = sum(shape.filters)
    return n_rows / CHUNK * (total + 2 * product(CHUNK, wide, wide))


def main() -> None:
    torch.manual_seed(0)
    generator = Generator(N_VOCAB, d_embedding=WIDTH, d_hidden=WIDTH).eval()
    critic = CriticShape().build(N_VOCAB).eval()
    tokens = FreeRun(generator, CONSTRAINT, N_WORDS + 1, seed=1)(BATCH).tokens
    n_rollouts = BATCH * N * len(LENGTHS)
    n_steps = BATCH * N * sum(N_WORDS + 1 - length for length in LENGTHS)  # <eos> is a step too

    spent = seconds(lambda: ours(generator, tokens))
    limit = decoding_limit(n_steps)
    completed = ours(generator, tokens)
    judging, judging_limit = seconds(lambda: judged(critic, completed), 2), critic_limit(n_rollouts)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = {
        "rollouts": n_rollouts,
        "steps": n_steps,
        "threads": torch.get_num_threads(),
        "decoding_seconds": spent,
        "decoding_limit_seconds": sum(limit.values()),
        **{f"limit_of_{name}_seconds": value for name, value in limit.items()},
        "critic_seconds": judging,
        "critic_limit_seconds": judging_limit,
        "reward_seconds": spent + judging,
        "peak_memory_gib": memory,
    }
    print(json.dumps({"figure": "rollout rewards of one batch", **figures}), flush=True)

    writer, judge = rollout_loop.Writer(generator), rollout_loop.Judge(critic)
    words = tokens[:, :N_WORDS]
    rollout_loop.rewards(writer, judge, words, 1)  # to warm up
    decoding = once(lambda: rollout_loop.rewards(writer, None, words, N))
    reward = once(lambda: rollout_loop.rewards(writer, judge, words, N))
    result = {"decoding_seconds": decoding, "reward_seconds": reward}
    ratios = {"times_its_decoding": decoding / spent, "times_its_rewards": reward / (spent + judging)}
    print(json.dumps({"figure": "one prefix and one rollout at a time, multinomial", **result, **ratios}), flush=True)

    began = time.perf_counter()
    same = rollout_loop.rewards(writer, judge, words, N, by_our_numbers)
    result = {
        "reward_seconds": time.perf_counter() - began,
        "largest_difference_of_a_reward": float((same - judged(critic, completed)).abs().max()),
        "rewards_that_agree": float(((same - judged(critic, completed)).abs() < 1e-5).double().mean()),
    }
    print(json.dumps({"figure": "the same loop with our uniform numbers and inverse CDF", **result}), flush=True)


if __name__ == "__main__":
    main()

"""What professor forcing changes in a network of characters: likelihood, states, and what it writes beyond the length
that it was trained on.

    python -m benchmarks.professor teacher=RUN professor=RUN      by name; the first one's axes draw the map of states

For each run: bits per character of held-out windows; how often a ridge classifier tells its free-running states from
its teacher-forced ones (`metrics/exposure.py`), a mean over positions; the share of the words in free text of 1,024
characters that the training text holds, by position; and 300 states of either mode on the two main axes. All goes to
docs/results/professor.json; docs/diagrams/professor.py draws it.
"""

import re
import sys
from typing import Any

import numpy as np
import torch
from benchmarks.tables.results import RESULTS
from jaxtyping import Float
from torch import Tensor

from freerun.constraints.base import PAD
from freerun.constraints.length import Length
from freerun.corpora.corpus import Corpus, open_corpus
from freerun.files import write_json
from freerun.metrics.exposure import Exposure
from freerun.run_folder import RunFolder
from freerun.sampling.free_run import FreeRun
from freerun.trained import Trained

N_WINDOWS, N_TEXTS, N_STATES = 400, 200, 300
LONG, BLOCK = 1024, 128  # characters of a free text, and of each of its parts
AT = 200  # the position whose states are drawn
WORD = re.compile(r"[A-Za-z']+")

Axes = tuple[np.ndarray, np.ndarray]  # the mean, and two directions


def known_words(texts: list[str], vocabulary: set[str]) -> list[float]:
    """The share of whole words that the vocabulary holds, by where they begin."""
    hits, counts = np.zeros(LONG // BLOCK), np.zeros(LONG // BLOCK)
    for text in texts:
        for word in WORD.finditer(text):
            if word.start() > 0 and word.end() < len(text):  # whole
                hits[word.start() // BLOCK] += word[0].lower() in vocabulary
                counts[word.start() // BLOCK] += 1
    return (hits / counts.clip(min=1)).tolist()


def free_texts(trained: Trained) -> list[str]:
    endless = Length(trained.constraint.n_vocab, LONG, LONG)
    run = FreeRun(trained.generator, endless, LONG + 1, seed=5, with_log_prob=False)
    return trained.representation.decode_batch(run(N_TEXTS).tokens)


def windows(trained: Trained, corpus: Corpus) -> Tensor:
    held_out = [text for _, text in corpus.strings("valid")][:N_WINDOWS]
    rows = [torch.tensor(trained.representation.encode(text)) for text in held_out]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)


@torch.no_grad()
def states(exposure: Exposure) -> tuple[Float[np.ndarray, "n hidden"], Float[np.ndarray, "n hidden"]]:
    """Of both modes at one position."""
    _, forced = exposure.generator.eval()(exposure.tokens)
    run = FreeRun(exposure.generator, exposure.constraint, exposure.budget, seed=7, with_hidden=True)
    free = run(len(exposure.tokens))
    assert free.hidden is not None
    there = [tokens[:, AT] != PAD for tokens in (exposure.tokens, free.tokens)]
    both = (forced[there[0], AT], free.hidden[there[1], AT])
    forced, free = (part[:N_STATES].double().numpy() for part in both)
    return forced, free


def main_axes(x: Float[np.ndarray, "n hidden"]) -> Axes:
    centre = x.mean(0)
    return centre, np.linalg.svd(x - centre, full_matrices=False)[2][:2]


def measured(folder: RunFolder, axes: Axes | None) -> tuple[dict[str, Any], Axes]:
    trained = Trained.load(folder)
    corpus = open_corpus("tinyshakespeare")
    vocabulary = {word.lower() for _, text in corpus.strings("train") for word in WORD.findall(text)}
    exposure = Exposure(
        trained.generator, trained.constraint, trained.budget, windows(trained, corpus), lambda rows: np.ones(len(rows))
    )
    probe = exposure.probe()
    forced, free = states(exposure)
    axes = axes or main_axes(np.concatenate([forced, free]))
    records = folder.records()
    truth = ["".join(text for _, text in corpus.strings("valid"))]
    chunks = [truth[0][start : start + LONG] for start in range(0, len(truth[0]) - LONG, LONG)]
    return {
        "bits_per_char": min(record["valid_bits_per_char"] for record in records if "valid_bits_per_char" in record),
        "probe": float(np.mean(probe["accuracy"])),
        "probe_standard_error": float(np.mean(probe["standard_error"]) / len(probe["accuracy"]) ** 0.5),
        "probe_by_position": probe["accuracy"],
        "known_words": known_words(free_texts(trained), vocabulary),
        "known_words_of_held_out_text": known_words(chunks, vocabulary),
        "forced": ((forced - axes[0]) @ axes[1].T).round(3).tolist(),
        "free": ((free - axes[0]) @ axes[1].T).round(3).tolist(),
        "critic_accuracy": [[r["step"], r["critic_accuracy"]] for r in records if "critic_accuracy" in r],
    }, axes


def main() -> None:
    found, axes = {}, None
    for name, _, path in (word.partition("=") for word in sys.argv[1:]):
        found[name], axes = measured(RunFolder.found(path), axes)
        shown = {key: found[name][key] for key in ("bits_per_char", "probe", "probe_standard_error", "known_words")}
        print(name, shown, flush=True)
    write_json(RESULTS / "professor.json", found)


if __name__ == "__main__":
    main()

"""The oracle of SeqGAN: a fixed random LSTM that is "the truth", and 30,000 sequences drawn from it.

    i, f, o = s(x W + h U + b)     g = tanh(x W_c + h U_c + b_c)
    c = f * c + i * g              h = o * tanh(c)              logits = h W_o + b_o

with h = c = 0 and x = E[0] at the start, 5,000 words, 20 steps, no end token; word 0 is an ordinary word.

Source: Yu et al. 2017, arXiv:1609.05473, and the weights that its authors published. Plain float64 NumPy, independent
of the library's generators and of its sampling, which are checked against it.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from freerun.corpora.containers import File
from freerun.corpora.hashing import uniforms
from freerun.corpora.lines import AbstractReader, Record
from freerun.corpora.reading import Reading
from freerun.corpora.unpickle import arrays
from freerun.errors import FreerunError
from freerun.files import cache_folder, written_aside

LENGTH = 20
N_SEQUENCES = 10_000
SEED = 20170919
DRAWS = {
    "train": "8eca7e86659e83ccaf465858f0370c4c9457b66a5bfa5ca22a18244130c6ccd0",
    "valid": "2a87b22398ca42f4109b6a8ec985c2090f724cfc98876557a58ea72e5286e425",
    "test": "0dd3898028d376742e905fa46760d6b8287df34c0a3726a509bd093b68964bab",
}
"""SHA-256 of each drawn int16 array: uniforms are hashed((SEED, draw, sequence, step)), inverted in word order."""

_CHUNK = 500  # sequences at a time: 500 x 5,000 float64 are 20 MB


@dataclass(frozen=True)
class Oracle:
    """The weights, float64; gates in the published order i, f, o, c."""

    E: Float[np.ndarray, "vocab d"]
    W: Float[np.ndarray, "d four_d"]
    U: Float[np.ndarray, "d four_d"]
    b: Float[np.ndarray, " four_d"]
    Wo: Float[np.ndarray, "d vocab"]
    bo: Float[np.ndarray, " vocab"]

    def step(
        self, word: Int[np.ndarray, " n"], h: Float[np.ndarray, "n d"], c: Float[np.ndarray, "n d"]
    ) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
        """The state after reading a word."""
        i, f, o, g = np.split(self.E[word] @ self.W + h @ self.U + self.b, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(c), c

    def log_probs(self, h: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n vocab"]:
        logits = h @ self.Wo + self.bo
        logits -= logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def nll(self, sequences: Int[np.ndarray, "n time"]) -> Float[np.ndarray, "n time"]:
        """-log p of each word given those before it, in nats."""
        parts = []
        for rows in np.array_split(sequences, range(_CHUNK, len(sequences), _CHUNK)):
            h, c = self._start(len(rows))
            word = np.zeros(len(rows), dtype=np.int64)
            steps = []
            for t in range(rows.shape[1]):
                h, c = self.step(word, h, c)
                word = rows[:, t].astype(np.int64)
                steps.append(-self.log_probs(h)[np.arange(len(rows)), word])
            parts.append(np.stack(steps, axis=1))
        return np.concatenate(parts)

    def draw(
        self, stream: int, n: int, length: int = LENGTH, seed: int = SEED
    ) -> tuple[Int[np.ndarray, "n time"], Float[np.ndarray, "n time"]]:
        """Sequences drawn from the oracle, and their -log p.

        Sequence k of a stream is the same whatever `n`: its uniforms are counted by (stream, k, step), and a word is
        the first whose cumulative probability exceeds the uniform.
        """
        words, nll = np.empty((n, length), dtype=np.int16), np.empty((n, length))
        for first in range(0, n, _CHUNK):
            rows = np.arange(first, min(first + _CHUNK, n))
            h, c = self._start(len(rows))
            word = np.zeros(len(rows), dtype=np.int64)
            for t in range(length):
                h, c = self.step(word, h, c)
                logits = h @ self.Wo + self.bo
                logits -= logits.max(axis=1, keepdims=True)
                cumulative = np.cumsum(np.exp(logits), axis=1)
                total = cumulative[:, -1]
                word = (cumulative <= (uniforms(seed, stream, rows, t) * total)[:, None]).sum(axis=1)
                words[rows, t], nll[rows, t] = word, np.log(total) - logits[np.arange(len(rows)), word]
        return words, nll

    def _start(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((n, len(self.W))), np.zeros((n, len(self.W)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def load_oracle(file: File) -> Oracle:
    """The published weights.

    Raises:
        FreerunError: If the file does not hold the 15 arrays.
    """
    with file.open() as stream:
        weights = arrays(stream.read(), file.name)
    if len(weights) != 15:
        raise FreerunError(f"{file.name} holds {len(weights)} arrays, expected the 15 of the published oracle")
    E, *gates, Wo, bo = [np.asarray(weight, dtype=np.float64) for weight in weights]
    W, U, b = (np.concatenate(gates[start::3], axis=-1) for start in range(3))
    return Oracle(E, W, U, b, Wo, bo)


@dataclass(frozen=True)
class OracleDraw(AbstractReader):
    """One of the three draws as strings: 20 word numbers separated by spaces.

    Drawn once (half a minute) and kept in the cache folder; the hash of each draw is pinned.

    Args:
        file: The published weights.
        draw: Name of the draw: "train", "valid" or "test".
    """

    file: File
    draw: str

    def records(self, reading: Reading, columns: Sequence[str] = ()) -> Iterator[Record]:
        for number, row in enumerate(self.array(), 1):
            yield number, " ".join(map(str, row.tolist())), ()

    def key(self) -> dict:
        return {"kind": "seqgan-oracle", "draw": self.draw, "sha256": DRAWS[self.draw]}

    def array(self) -> Int[np.ndarray, "n time"]:
        """The draw itself, int16.

        Raises:
            FreerunError: If this machine's arithmetic draws other words than the pinned ones.
        """
        path = cache_folder() / "seqgan-oracle" / f"{self.draw}.npy"
        if path.is_file() and (kept := _checked(path.read_bytes(), self.draw)) is not None:
            return kept
        words, _ = load_oracle(self.file).draw(list(DRAWS).index(self.draw), N_SEQUENCES)
        if _digest(words) != DRAWS[self.draw]:
            raise FreerunError(
                f"the {self.draw} draw of seqgan-oracle has SHA-256 {_digest(words)} on this machine, expected "
                f"{DRAWS[self.draw]}: float64 arithmetic rounds otherwise here; copy the file from another machine's "
                f"cache folder to {path}"
            )
        with written_aside(path) as out:
            np.save(out, words)
        return words


def _checked(data: bytes, draw: str) -> np.ndarray | None:
    try:
        words = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    return words if _digest(words) == DRAWS[draw] else None


def _digest(words: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(words, dtype="<i2").tobytes()).hexdigest()

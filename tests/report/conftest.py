"""Made-up run folders, as large and as odd as real ones."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

MOLECULES = """
Cc1cc(C)c(CC(=O)N2CCN(CCO)CC2)cc1C
COCc1noc(CNC(=O)Cc2ccccc2)n1
Cc1n[nH]c(-c2cccc(CNC(=O)c3cc(C(C)(C)C)n[nH]3)c2)n1
CC(=O)Nc1ccc(S(=O)(=O)N2CCCC2)cc1
O=C(CCc1ccc2c(c1)OCO2)N1CCCC1c1ccccn1
CCN(C(=O)c1cc(F)ccc1Br)C1CCS(=O)(=O)C1
N#CCCN1CCN(C(=O)c2ccc(Cl)s2)CC1
Cn1cnc(C(=O)NCc2ccc(OC(F)F)cc2)c1
CC(C)Cc1ccc(C(C)C(=O)O)cc1
CN1CCCC1c1cccnc1
COc1ccc(C2CC(=O)N(CC(N)=O)C2)cc1OC
O=C(NCc1ccco1)c1ccc2[nH]cnc2c1
CC1CCCCC1NC(=O)CSc1nnnn1C
CCOC(=O)c1c(C)[nH]c(C=O)c1C
O=C(Nc1ccc(Cl)c(Cl)c1)C1CC1
CCCCn1c(=O)c2[nH]cnc2n(C)c1=O
CC(NC(=O)c1ccc2ccccc2n1)c1ccncc1
OCC1CCCN1c1ncnc2sccc12
CSc1nc(C)cc(C(=O)NC2CCCC2)n1
O=C1CCC(=O)N1CCCc1c[nH]c2ccccc12
Cc1ccc(-n2cc(C(=O)N3CCOCC3)nn2)cc1
CC(O)CNc1nc(-c2ccccc2)cs1
O=S(=O)(NCCc1ccccc1)c1cccs1
CCc1nn(C)c(NC(=O)C2CCCO2)c1C#N
""".split()
BROKEN = ["CC1CCC(", "c1ccccc", "CN(C)(C)(C)C", "CC[N", "c1cccc1", "", "C1CC"]
SENTENCES = [
    "a man riding a wave on top of a surfboard .",
    "a kitchen with a stove , a sink and a window .",
    "two dogs are playing with a frisbee in the park .",
    "ROMEO:\nIs the day so young?\nBENVOLIO:\nBut new struck nine.",
    "a bathroom with a white toilet and a mirror on the the wall .",
    "three people are standing next to their bicycles , waiting for a train that does not come .",
]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</style><script>alert(3)</script>",
    "{{ 7 * 7 }} {% raw %} &amp; $\\frac{1}{0}$",
    "\x00\x07\u202egnirts\ufffe",
    "=cmd|' /C calc'!A0",
    "C" * 5000,
]

FakeRun = Callable[..., Path]


def _lines(path: Path, records: list[dict]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), "utf-8")


def _training(folder: Path, rng: np.random.Generator, n_steps: int, floor: float) -> None:
    log, timing = [], []
    for step in range(10, n_steps + 1, 10):
        nll = floor + 2.6 * math.exp(-step / 180) + 0.25 * math.exp(-step / 1500) + rng.normal(0, 0.015)
        rate = 4e-3 * min(1, step / 200) * 0.5 * (1 + math.cos(math.pi * step / n_steps))
        log.append(
            {
                "step": step,
                "phase": "teacher_forcing",
                "nll_per_token": nll,
                "lr": rate,
                "grad_norm": 0.4 + 2 / step**0.5,
            }
        )
        if step % 250 == 0:
            log.append(
                {"step": step, "phase": "teacher_forcing", "valid_nll_per_token": nll + 0.02, "valid_perplexity": 2.1}
            )
        timing.append({"step": step, "seconds": step * 0.12, "tokens": step * 4800})
    _lines(folder / "log.jsonl", log)
    _lines(folder / "timing.jsonl", timing)


def _exposure(folder: Path, rng: np.random.Generator) -> None:
    t = np.arange(1, 41)
    steps, lengths = np.arange(0, 21), np.arange(0, 36, 5)
    curve = {
        "probe": {
            "position": t.tolist(),
            "accuracy": (0.5 + 0.14 * (1 - np.exp(-t / 15)) + rng.normal(0, 0.006, 40)).tolist(),
            "standard_error": np.full(40, 0.008).tolist(),
        },
        "prefix": {
            "length": lengths.tolist(),
            "validity": (1 - 0.09 * np.exp(-lengths / 14)).tolist(),
            "standard_error": np.full(len(lengths), 0.006).tolist(),
        },
        "perturbation": {
            "position": lengths.tolist(),
            "validity": (0.72 + 0.003 * lengths + rng.normal(0, 0.01, len(lengths))).tolist(),
            "validity_unperturbed": (1 - 0.09 * np.exp(-lengths / 14)).tolist(),
            "standard_error": np.full(len(lengths), 0.014).tolist(),
            "steps_since": steps.tolist(),
            "state_distance": (4.1 * np.exp(-steps / 7) + 0.9).tolist(),
            "state_distance_standard_error": np.full(21, 0.08).tolist(),
        },
        "n": 2000,
        "quality": "validity",
    }
    _json(folder / "exposure.json", curve)


def _properties(folder: Path, rng: np.random.Generator) -> None:
    table = {}
    for name, mean, spread in (
        ("logP", 2.4, 0.9),
        ("QED", 0.8, 0.1),
        ("SA", 2.5, 0.45),
        ("weight", 307, 28),
        ("length", 35, 6),
    ):
        table[name] = {
            "ours": rng.normal(mean * 1.01, spread * 1.1, 800).tolist(),
            "corpus": rng.normal(mean, spread, 800).tolist(),
        }
    _json(folder / "properties.json", table)


def _measures(folder: Path, chemical: bool, shift: float) -> None:
    ours = {"valid": 0.9513, "unique@1000": 1.0, "unique@10000": 0.9991, "FCD/Test": 0.4132, "FCD/TestSF": 0.9822}
    ours |= {"SNN/Test": 0.5813, "SNN/TestSF": 0.5522, "Frag/Test": 0.9989, "Scaf/Test": 0.8571, "Scaf/TestSF": 0.1133}
    ours |= {"IntDiv": 0.8567, "IntDiv2": 0.8506, "Filters": 0.9879, "logP": 0.0581, "SA": 0.0662, "QED": 0.0069}
    ours |= {"weight": 3.0286, "Novelty": 0.8822, "Frag/TestSF": float("nan")}
    if not chemical:
        ours = {"BLEU-2": 0.731, "BLEU-3": 0.497, "self-BLEU-2": 0.916, "distinct-2": 0.31}
    corpus = {name: value * 0.98 for name, value in ours.items()}
    ours = {name: min(value * (1 + shift), 1.0) if value <= 1 else value for name, value in ours.items()}
    value = {"suite": "moses" if chemical else "text", "n": 3000, "against": "moses-mini" if chemical else "coco"}
    value |= {"sampling": {"temperature": 1.0, "seed": 0}, "ours": ours, "corpus": corpus}
    _json(folder / "measures.json", value | {"created": "2026-01-01T00:00:00Z"})


def _samples(folder: Path, strings: list[str], chemical: bool) -> None:
    with open(folder / "samples.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["string", "raw", "valid", "log_prob", "n_tokens"])
        for i, string in enumerate(strings):
            valid = not chemical or (string not in BROKEN and string not in HOSTILE)
            writer.writerow([string if valid else "", string, valid, f"{-20 - i / 3:.3f}", len(string) + 1])


def _temperatures(folder: Path, strings: list[str], rng: np.random.Generator) -> None:
    entries = []
    for temperature in (0.6, 0.8, 1.0, 1.2):
        some = [strings[i] for i in rng.permutation(len(strings))[:12]]
        valid, unique = 1 - 0.05 * temperature**3, 1 - 0.15 * math.exp(-5 * temperature)
        entries.append({"temperature": temperature, "strings": some, "valid": valid, "unique": unique, "n": 500})
    _json(folder / "temperatures.json", entries)


def make_run(folder: Path, *, chemical: bool = True, hostile: bool = False, seed: int = 0, n_steps: int = 3000) -> Path:
    """A finished run with every file; `hostile` puts strings that try to break out of the page wherever they can."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    strings = MOLECULES[:10] + BROKEN[:3] + MOLECULES[10:] + BROKEN[3:] if chemical else SENTENCES * 5
    strings = HOSTILE + strings if hostile else strings
    odd = HOSTILE[0] if hostile else ""
    (folder / "config.toml").write_text(
        f'[model]\ncell = "lstm{odd}"\nd_hidden = 512\nn_layers = {1 + seed}\ndropout = 0.1\n'
        f'[method]\nname = "teacher_forcing"\nlr = {0.004 / (1 + seed)}\n[run]\nseed = {seed}\nobserve = ["a", "b"]\n'
    )
    facts = {
        "freerun": "0.1.0",
        "status": "finished",
        "representation": {
            "name": "smiles" if chemical else "text",
            "settings": {"unit": "atoms" if chemical else "words", "odd": odd},
            "is_chemical": chemical,
            "vocab": ["<pad>", "<bos>", "<eos>", "<unk>", *"CcNOno()=#12345", odd],
        },
        "budget": 60,
        "corpus": {
            "name": ("moses-mini" if chemical else "coco") + odd,
            "n_train": 20000,
            "n_valid": 2000,
            "refusals": 0,
        },
        "model": {"n_parameters": 1_213_482},
        "device": "cpu",
        "precision": "float32",
        "replayable": True,
        "seed": seed,
    }
    _json(folder / "run.json", facts)
    _training(folder, rng, n_steps, 0.62 + 0.03 * seed)
    _samples(folder, strings * 20, chemical)
    _measures(folder, chemical, 0.01 * seed)
    _exposure(folder, rng)
    _temperatures(folder, strings, rng)
    if chemical:
        _properties(folder, rng)
    return folder


@pytest.fixture
def fake_run(tmp_path: Path) -> FakeRun:
    """`fake_run(name, chemical=True, hostile=False, seed=0)` -> the folder."""

    def make(name: str = "fake", *, chemical: bool = True, hostile: bool = False, seed: int = 0) -> Path:
        return make_run(tmp_path / name, chemical=chemical, hostile=hostile, seed=seed)

    return make


@pytest.fixture(scope="session")
def molecules_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on molecules; not to be changed."""
    return make_run(tmp_path_factory.mktemp("runs") / "molecules")


@pytest.fixture(scope="session")
def sentences_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on sentences; not to be changed."""
    return make_run(tmp_path_factory.mktemp("runs") / "sentences", chemical=False, seed=1)

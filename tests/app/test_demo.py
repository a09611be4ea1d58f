"""The demo on a smaller world: told first, done once, gone on with, done again when asked."""

import time

import pytest

from freerun.app import demo
from freerun.errors import UsageError

TINY = """
[representation]
name = "smiles"
[corpus]
name = "moses-mini"
max_lines = 300
[model]
d_hidden = 16
[method]
n_steps = 15
batch_size = 32
"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    (tmp_path / "tiny.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo, "CONFIG", "tiny.toml")
    monkeypatch.setattr(demo, "N", 40)
    return tmp_path / "runs" / "demo"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_demo_is_done_once_and_a_second_call_takes_seconds(tiny, capsys):
    demo.run_demo(tiny, fresh=False)
    first = capsys.readouterr()
    assert first.err.startswith("freerun demo: about 4 minutes")
    for expected in ("valid", "CharRNN, published", "training set, same n", "report.html", "try next:"):
        assert expected in first.out
    assert (tiny / "report.html").stat().st_size < 5_000_000
    weights = (tiny / "model.safetensors").read_bytes()
    began = time.monotonic()
    demo.run_demo(tiny, fresh=False)
    assert time.monotonic() - began < 20
    assert capsys.readouterr().out == first.out
    assert (tiny / "model.safetensors").read_bytes() == weights


def test_a_folder_of_something_else_is_not_deleted(tiny):
    tiny.mkdir(parents=True)
    (tiny / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="is not empty and holds no run"):
        demo.run_demo(tiny, fresh=True)
    assert (tiny / "thesis.tex").exists()

"""A program that fails in every way."""

from pathlib import Path

import pytest

PROGRAM = """
import os, time

def score(strings):
    return [one(string) for string in strings]

def one(string):
    with open("asked.txt", "a") as file:
        file.write(string + "\\n")
    if string == "raise":
        raise ValueError("no such thing")
    if string == "hang":
        time.sleep(60)
    if string == "die":
        os._exit(3)
    return {"nan": float("nan"), "inf": float("inf"), "text": "much", "many": [0.5, 0.5]}.get(string, len(string) / 10)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch) -> str:
    """A function that answers a tenth of the length; what it was asked stands in asked.txt."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(PROGRAM)
    return "mine.py:score"

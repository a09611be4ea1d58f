"""What a run is paid by, as its config keeps it."""

from freerun.objectives.settings import ObjectiveSettings
from freerun.paying import anchored


def test_a_link_in_a_command_is_not_followed(tmp_path, monkeypatch):
    """The Python of a virtual environment is a link, and what it points to knows nothing of its packages."""
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path)
    (name,) = anchored(ObjectiveSettings(scores=("command:link a",))).scores
    assert name == f"command:{tmp_path / 'link'} a"


def test_a_score_that_stands_twice_is_left_to_be_refused():
    assert anchored(ObjectiveSettings(scores=("qed", "qed:2"))).scores == ("qed", "qed:2")

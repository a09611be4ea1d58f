"""The page as a whole: one well-formed file that opens offline, whatever the folders hold."""

import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from freerun.errors import UsageError
from freerun.report.page import MAX_BYTES, write_report

VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}
FILES = ["config.toml", "run.json", "log.jsonl", "timing.jsonl", "samples.csv", "measures.json", "exposure.json"]
FILES += ["temperatures.json", "properties.json"]


class Walk(HTMLParser):
    """Tags that are opened are closed, in order; what refers to elsewhere is collected."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "title"}:
            self.text.append(data)

    @property
    def ids(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "id"]


def page_of(folder: Path, *runs: Path) -> str:
    page = write_report(runs, folder / "out" / "report.html").read_text("utf-8")
    assert len(page.encode()) < MAX_BYTES
    return page


@pytest.fixture(scope="module")
def molecules_page(tmp_path_factory, molecules_run):
    return page_of(tmp_path_factory.mktemp("page"), molecules_run)


@pytest.fixture(scope="module")
def both_page(tmp_path_factory, molecules_run, sentences_run):
    return page_of(tmp_path_factory.mktemp("page"), molecules_run, sentences_run)


def test_a_finished_run_fills_every_section_and_the_page_is_well_formed(molecules_page):
    walk = Walk(molecules_page)
    assert "this makes it" not in molecules_page
    assert walk.tags["section"] == 7
    assert walk.tags["table"] == 3
    assert walk.tags["figure"] == 13 + 24 + 4 * 6  # panels, samples, and six at each temperature
    assert walk.tags["h1"] == 1


def test_nothing_is_fetched_from_outside(both_page):
    walk = Walk(both_page)
    assert walk.tags["script"] == walk.tags["link"] == walk.tags["img"] == walk.tags["iframe"] == 0
    targets = [value for _, name, value in walk.attributes if name in {"src", "href", "xlink:href", "srcset", "data"}]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", both_page))
    assert "@import" not in both_page
    assert not [name for _, name, _ in walk.attributes if name.startswith("on")]


def test_every_reference_inside_the_page_has_one_target(both_page):
    walk = Walk(both_page)
    wanted = {value for _, name, value in walk.attributes if name in {"href", "xlink:href"}}
    wanted |= {value[4:-1] for _, name, value in walk.attributes if name == "clip-path"}
    assert {value.removeprefix("#") for value in wanted} <= set(walk.ids)
    assert len(walk.ids) == len(set(walk.ids))


@pytest.mark.parametrize("chemical", [True, False])
def test_hostile_strings_stay_text(tmp_path, fake_run, chemical):
    folder = fake_run("<script>alert(0)<&script>", chemical=chemical, hostile=True)
    (folder / "exposure.json").unlink()
    page = page_of(tmp_path, folder)
    walk = Walk(page)
    assert walk.tags["script"] == walk.tags["img"] == 0
    assert walk.tags["style"] == 1
    assert not [name for _, name, _ in walk.attributes if name.startswith("on")]
    text = "".join(walk.text)
    assert "<script>alert(1)</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert not re.search("[\x00-\x08\x0e-\x1f\u202e\ud800-\udfff]", page)
    assert "C" * 700 not in page


def test_an_empty_folder_names_the_command_for_each_file(tmp_path):
    folder = tmp_path / "a run"
    folder.mkdir()
    page = page_of(tmp_path, folder)
    Walk(page)
    assert "Nothing is known of this run yet." in page
    for name in set(FILES) - {"properties.json"}:  # of which only chemical runs have one
        assert f"{name} is not there yet; this makes it: freerun " in page
    assert "freerun evaluate &#39;" in page  # a path with a space is quoted


def test_a_damaged_file_spoils_no_other_section(tmp_path, fake_run):
    folder = fake_run()
    (folder / "exposure.json").write_text("[1, 2")
    page = page_of(tmp_path, folder)
    walk = Walk(page)
    assert "exposure.json cannot be read" in page
    assert walk.tags["figure"] == 9 + 24 + 4 * 6


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[1, 2", b"null", b'"<script>"', b"[[]]", b"{}"])
def test_a_folder_of_damaged_files_is_a_page_that_says_so(tmp_path, content):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(content)
    walk = Walk(page_of(tmp_path, folder))
    assert walk.tags["script"] == 0


WRONG = ["x", None, True, [], {}, ["<b>"], {"<b>": "<b>"}, -1, 1e308, [1, None, "x"], [[1]]]


@pytest.mark.parametrize("wrong", WRONG)
def test_values_of_a_wrong_kind_are_no_crash(tmp_path, molecules_run, wrong):
    folder = tmp_path / "wrong"
    folder.mkdir()
    for name in ("run.json", "measures.json", "properties.json"):
        keys = json.loads((molecules_run / name).read_text())
        (folder / name).write_text(json.dumps(dict.fromkeys(keys, wrong)))
    exposure = {"probe": {"position": wrong, "accuracy": wrong}, "prefix": {"length": [1, 2]}, "perturbation": wrong}
    (folder / "exposure.json").write_text(json.dumps(exposure))
    keys = ["temperature", "strings", "valid", "unique", "n"]
    (folder / "temperatures.json").write_text(json.dumps([dict.fromkeys(keys, wrong), wrong, {}]))
    keys = ["step", "nll_per_token", "valid_nll_per_token", "lr", "seconds", "tokens"]
    line = json.dumps(dict.fromkeys(keys, wrong)) + "\n" + json.dumps({"step": 2, "lr": 1}) + "\n"
    (folder / "log.jsonl").write_text(line)
    (folder / "timing.jsonl").write_text(line)
    (folder / "config.toml").write_text('model = "x"\nmethod = 3\n')
    (folder / "samples.csv").write_text("a,b\n1\n1,2,3\n")
    walk = Walk(page_of(tmp_path, folder))
    assert walk.tags["b"] == 0


def test_several_runs_stand_side_by_side_with_what_differs(both_page):
    assert "2 runs, side by side" in both_page
    assert "Settings that differ" in both_page
    assert re.search("<code>model.n_layers</code></th><td>1</td><td>2</td>", both_page)
    assert "<code>model.d_hidden</code></th><td>512</td><td>512</td>" not in both_page
    for name in ("molecules", "sentences"):
        assert both_page.count(f">{name}</h3>") == 2  # samples, temperatures
        assert both_page.count(f">{name}</th>") == 3  # measures, differences, facts


def test_a_run_named_twice_is_shown_once(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    assert page_of(tmp_path, folder, folder) == page_of(tmp_path, folder)


@pytest.mark.slow
def test_two_dozen_runs_still_fit_on_a_page(tmp_path, fake_run):
    Walk(page_of(tmp_path, *[fake_run(f"run {i}", seed=i) for i in range(24)]))


def test_a_wrong_request_is_refused_with_the_remedy(tmp_path):
    for runs, message in (([], "at least one run"), ([tmp_path / "nowhere"], "freerun runs")):
        with pytest.raises(UsageError, match=message):
            write_report(runs, tmp_path / "x.html")
    with pytest.raises(UsageError, match="at most 24"):
        write_report([tmp_path / str(i) for i in range(25)], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_the_same_folder_gives_the_same_bytes(tmp_path, molecules_run, molecules_page):
    assert page_of(tmp_path, molecules_run) == molecules_page


def test_a_page_that_grows_too_large_gives_up_drawings(tmp_path, molecules_run, molecules_page, monkeypatch):
    monkeypatch.setattr("freerun.report.page.MAX_BYTES", len(molecules_page) - 1)
    page = write_report([molecules_run], tmp_path / "x.html").read_text("utf-8")
    assert len(page) < len(molecules_page) - 1
    assert Walk(page).tags["figure"] == 13 + 12 + 4 * 3

"""The page holds its strings harmlessly, and what people answer on it comes back as ratings."""

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from freerun.rating import page
from freerun.rating.plan import Item, Plan, order_of
from freerun.scores.answers import Answer, read_answers

HOSTILE = [
    "</script><script>document.title='broken'</script>",
    "<!-- <script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }} &amp; '\\u003c",
    'two\nlines, "quoted" ',
    "\u2028\u202e\ud800",
    "x" * 5000,
]
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def plan_of(
    strings: list[str], is_chemical: bool = False, repeat: float = 0.0, scale: int = 5, rater: str = ""
) -> Plan:
    items = tuple(Item(string, string) for string in strings)
    return Plan(items, order_of(len(items), repeat, 0), scale, is_chemical, "people.csv", rater)


class Parts(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.scripts: list[tuple[dict, str]] = []
        self.tags: list[tuple[str, dict]] = []
        self.is_in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.is_in_script = tag == "script"
        if self.is_in_script:
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag):
        self.is_in_script = False

    def handle_data(self, data):
        if self.is_in_script:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)


def test_odd_strings_stay_in_their_block_of_data_and_come_out_whole():
    parts = Parts(page.render(plan_of(HOSTILE)))
    (attributes, data), (_, script) = parts.scripts
    assert attributes == {"type": "application/json", "id": "plan"}
    assert json.loads(data)["strings"] == HOSTILE
    assert not re.search("[<>&']", data)
    assert "document.title" not in script
    assert "img" not in {tag for tag, _ in parts.tags}


def test_the_only_script_that_may_run_is_the_pages_own_and_nothing_is_fetched():
    text = page.render(plan_of(["a", "b"]))
    parts = Parts(text)
    policy = next(attributes["content"] for _, attributes in parts.tags if "http-equiv" in attributes)
    digest = base64.b64encode(hashlib.sha256(parts.scripts[1][1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not [attributes for _, attributes in parts.tags if {"src", "href"} & set(attributes)]


def test_molecules_are_drawn_once_each_without_their_measures():
    text = page.render(plan_of(["CCO", "c1ccccc1", "C" * 160], is_chemical=True, repeat=0.5))
    assert text.count("<template") == 2  # the long chain is shown as text
    assert json.loads(Parts(text).scripts[0][1])["drawn"] == [True, True, False]
    assert "QED" not in text


def test_the_same_plan_is_the_same_page_and_another_keeps_its_answers_elsewhere():
    def key(plan: Plan) -> str:
        return json.loads(Parts(page.render(plan)).scripts[0][1])["key"]

    assert page.render(plan_of(["a", "b"])) == page.render(plan_of(["a", "b"]))
    keys = {
        key(plan_of(["a", "b"])),
        key(plan_of(["a", "c"])),
        key(plan_of(["a", "b"], scale=7)),
        key(plan_of(["b", "a"])),
    }
    assert len(keys) == 4


def test_every_control_has_a_name():
    text = page.render(plan_of(["a"], scale=3))
    parts = Parts(text)
    labels = [
        attributes["aria-label"] for tag, attributes in parts.tags if tag == "button" and "data-rating" in attributes
    ]
    assert labels == ["1 of 3, worst", "2 of 3", "3 of 3, best"]
    assert 'label for="rater"' in text
    assert "come twice" not in text


def browse(monkeypatch, folder: Path, plan: Plan, check: str) -> str:
    """What `check`, run at the end of the page's own script, puts on a new element `told`."""
    templates = folder / "templates"
    shutil.copytree(page.TEMPLATES, templates)
    script = templates / "rate.js"
    source = script.read_text("utf-8")
    assert source.rstrip().endswith("})();")
    tell = "const told = document.createElement('pre'); told.id = 'told'; document.body.append(told);"
    script.write_text(source.rstrip().removesuffix("})();") + f"{tell}\n{check}\n}})();\n", "utf-8")
    monkeypatch.setattr(page, "TEMPLATES", templates)
    out = page.write_page(plan, folder / "rate.html")
    assert BROWSER is not None
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    dumped = subprocess.run([BROWSER, *arguments, out.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    found = re.search('<pre id="told">(.*?)</pre>', dumped.stdout, re.DOTALL)
    assert found, dumped.stdout[-2000:]
    return html.unescape(found[1])


PRESS = "const press = (key) => document.dispatchEvent(new KeyboardEvent('keydown', { key }));"


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
def test_answers_given_by_keys_come_back_as_ratings(monkeypatch, tmp_path):
    strings = [*HOSTILE[:5], "plain"]
    plan = plan_of(strings, repeat=0.35, rater='ann, "the" 1st')
    n = len(plan.order)
    assert n == 8
    # One is skipped; the third is corrected after a step back; a click does as well as a key.
    told = browse(
        monkeypatch,
        tmp_path,
        plan,
        PRESS + "press('4'); press('s'); press('1'); press('ArrowLeft'); press('5'); press('9'); press('x');"
        "document.querySelector('[data-rating=\"3\"]').click(); press('b'); press('2');"
        f"for (let i = 0; i < {n - 4}; i++) press('1');"
        "told.textContent = JSON.stringify([csv(), place, at('summary').textContent, at('save').disabled,"
        " document.title, at('keys').offsetHeight + at('shown').offsetHeight]);",
    )
    text, place, summary, is_disabled, title, height = json.loads(told)
    (tmp_path / "people.csv").write_text(text, "utf-8")
    asked = [strings[item] for item in plan.order]
    ratings = dict(zip(range(n), [4, None, 5, 2] + [1] * (n - 4), strict=True))
    expected = tuple(Answer(asked[i], float(r), plan.rater) for i, r in ratings.items() if r is not None)
    assert read_answers(tmp_path / "people.csv").answers == expected
    assert text.splitlines()[0] == "string,rating,rater,seconds,order"
    assert text.splitlines()[-1].endswith(f",{n}")
    assert (place, is_disabled, height) == (n, False, 0)  # nothing is left to press
    assert summary == f"{n - 1} ratings, 1 skipped. Save them as people.csv."
    assert title == "freerun: rate 6 strings"


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
def test_a_page_that_is_opened_again_goes_on_where_it_was_left(monkeypatch, tmp_path):
    told = browse(
        monkeypatch,
        tmp_path,
        plan_of(["CCO", "CN", "CS"], is_chemical=True),
        PRESS + "press('4'); press('2'); answers = [null, null, null]; place = 0; load(); show();"
        "told.textContent = JSON.stringify([place, answers.map((each) => each && each.rating), at('count').textContent,"
        " at('drawing').querySelectorAll('svg').length, at('string').textContent]);",
    )
    plan = plan_of(["CCO", "CN", "CS"])
    assert json.loads(told) == [2, [4, 2, None], "2 of 3", 1, plan.items[plan.order[2]].string]


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
def test_a_damaged_memory_is_told_and_not_used(monkeypatch, tmp_path):
    told = browse(
        monkeypatch,
        tmp_path,
        plan_of(["a", "b"]),
        "localStorage.setItem(plan.key, '{'); load();"
        "const first = at('problem').hidden;"
        "localStorage.setItem(plan.key, JSON.stringify({ rater: 1, answers: [{ rating: 17, seconds: 1 }, 'x'] }));"
        "load(); show();"
        "told.textContent = JSON.stringify([first, place, answers]);",
    )
    assert json.loads(told) == [False, 0, [None, None]]

import math
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from freerun.errors import FreerunError, UsageError
from freerun.scores import find_score
from freerun.scores.command import Command
from freerun.scores.guard import Guarded
from freerun.scores.supervisor import BLOCK, SECONDS_TO_LOAD, patience
from freerun.scores.verdict import Ending, judged

PROGRAM = """
import os, pathlib, subprocess, sys, time

options = dict(each.split("=", 1) for each in sys.argv[1:])

def one(string):
    if "groups" in options:
        with open(options["groups"], "a") as groups:
            groups.write(str(os.getpgrp()) + chr(10))
    if "log" in options:
        with open(options["log"], "a") as log:
            log.write(string + chr(10))
    time.sleep(float(options.get("sleep", 0)))
    if string == "die":
        sys.stderr.write("first words" + chr(10) + "last words" + chr(10))
        os._exit(3)
    if string == "raise":
        raise ValueError("no such thing")
    if string == "hang":
        code = "import pathlib, time; time.sleep(2.5); pathlib.Path('marker').touch()"
        subprocess.run([sys.executable, "-S", "-c", code])
        time.sleep(60)
    return {"nothing": "", "text": "much", "nan": "nan", "inf": "inf"}.get(string, str(len(string)))

lines = (line.rstrip(chr(10)) for line in sys.stdin)
if options["how"] == "each":
    for line in lines:
        print(one(line), flush=True)
if options["how"] == "buffered":
    for line in lines:
        print(one(line))
if options["how"] == "whole":
    print(chr(10).join([one(line) for line in list(lines)]), end="")
    sys.stdout.flush()
    time.sleep(float(options.get("linger", 0)))
if options["how"] == "without":
    for line in lines:
        if line != "without":
            print(one(line))
if options["how"] == "header":
    print("score")
    for line in lines:
        print(one(line))
"""
HOWS = ["each", "buffered", "whole"]

Program = Callable[..., str]


@pytest.fixture
def program(tmp_path: Path, monkeypatch) -> Program:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # it would make every program flush
    script = tmp_path / "dock.py"
    script.write_text(PROGRAM)

    def argument(how: str, **options: object) -> str:
        words = [sys.executable, "-S", str(script), f"how={how}", *(f"{key}={value}" for key, value in options.items())]
        return shlex.join(words)

    return argument


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def asked(command: Command, strings: list[str]) -> tuple[list[float], dict[int, tuple[str, str]]]:
    """Values in the order of the strings, and what went wrong, by position."""
    with command:
        answers = list(command.answers(strings))
    values = [math.nan] * len(strings)
    for at, value, _ in answers:
        values[at] = value
    assert sorted(at for at, _, _ in answers) == list(range(len(strings)))
    return values, {at: failure for at, _, failure in answers if failure is not None}


def same(values: list[float], expected: list[float]) -> bool:
    return np.array_equal(values, expected, equal_nan=True)


@pytest.mark.parametrize("how", HOWS)
def test_every_string_gets_its_own_number(program: Program, how: str):
    strings = ["a" * (7 * each % 11) for each in range(20)]
    values, failures = asked(Command(program(how), batch=6, n_workers=3), strings)
    assert values == [len(string) for string in strings]
    assert not failures


def test_nothing_is_asked_of_nothing(program: Program):
    assert asked(Command(program("each")), []) == ([], {})


def test_strings_reach_the_program_as_they_are(tmp_path: Path):
    echo = tmp_path / "echo.py"
    echo.write_text(
        "import sys; data = sys.stdin.buffer.read(); open('got', 'wb').write(data); print('1\\n' * 4, end='')"
    )
    argument = shlex.join(
        [sys.executable, "-S", "-c", f"import os; os.chdir({str(tmp_path)!r}); exec(open('echo.py').read())"]
    )
    asked(Command(argument), ["", "é\u2028", " C#N ", "$(touch marker); `x` 'q'"])
    assert (tmp_path / "got").read_text("utf-8") == "\né\u2028\n C#N \n$(touch marker); `x` 'q'\n"


def test_no_shell_sees_the_arguments(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "n.py"
    script.write_text("import sys\nfor line in sys.stdin: print(len(sys.argv[1]))")
    argument = f"{shlex.join([sys.executable, '-S', str(script)])} '$(touch marker); touch marker'"
    assert asked(Command(argument), ["a"])[0] == [29]
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("fatal", ["die", "raise"])
def test_a_crash_costs_one_string(program: Program, how: str, fatal: str):
    values, failures = asked(Command(program(how)), ["a", "ab", fatal, "abcd", "abcde", "abcdef"])
    assert same(values, [1, 2, math.nan, 4, 5, 6])
    reason = {
        "die": "its process ended with 3; it says: last words",
        "raise": "its process ended with 1; it says: ValueError: no such thing",
    }
    assert failures == {2: ("died", reason[fatal])}


def test_a_program_that_answers_at_its_end_and_is_slow_to_leave_does_not_flush(program: Program):
    values, failures = asked(Command(program("whole", linger=0.25)), ["a", "ab", "abc", "die"])
    assert same(values, [1, 2, 3, math.nan])
    assert list(failures) == [3]


def test_what_was_answered_before_a_crash_is_not_asked_again(program: Program, tmp_path: Path):
    strings = ["a", "ab", "die", "abcd", "abcde"]
    asked(Command(program("each", log=tmp_path / "log")), strings)
    assert (tmp_path / "log").read_text().split() == strings


@pytest.mark.slow
def test_a_hang_costs_one_string_and_its_children_are_killed(program: Program, tmp_path: Path):
    began = time.monotonic()
    values, failures = asked(Command(program("each"), seconds=1.0), ["a", "hang", "abc"])
    assert same(values, [1, math.nan, 3])
    assert failures == {1: ("too slow", "no answer within 1 s")}
    time.sleep(max(0.0, began + 3.5 - time.monotonic()))
    assert not (tmp_path / "marker").exists()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["buffered", "whole"])
def test_a_hang_of_a_program_that_keeps_its_answers_back_costs_one_string(program: Program, how: str):
    values, failures = asked(Command(program(how), seconds=0.5), ["a", "ab", "hang", "abcd", "abcde"])
    assert same(values, [1, 2, math.nan, 4, 5])
    assert failures == {2: ("too slow", "no answer within 0.5 s")}


@pytest.mark.slow
def test_a_program_that_hangs_on_everything_is_given_up(program: Program):
    with pytest.raises(FreerunError, match=r"gave no answer within 0\.05 s on each of its first 10 strings"):
        asked(Command(program("each"), seconds=0.05), ["hang"] * 32)


def test_a_string_that_hangs_costs_no_other_its_value(program: Program):
    values, failures = asked(Command(program("each"), seconds=0.3), ["a", "abc", "hang"])
    assert same(values, [1, 3, math.nan])
    assert failures == {2: ("too slow", "no answer within 0.3 s")}


def test_a_slow_program_has_time_for_each_of_its_strings(program: Program):
    values, _ = asked(Command(program("whole", sleep=0.1), seconds=0.4), ["a"] * 5)
    assert values == [1] * 5


@pytest.mark.parametrize(
    ("how", "kind", "reason"),
    [
        ("without", "too few lines", "2 lines for 3 strings; print one number a string, nan where there is none"),
        ("header", "too many lines", "4 lines for 3 strings; print one number a string, nan where there is none"),
    ],
)
def test_lines_that_may_belong_to_other_strings_are_no_values(program: Program, how: str, kind: str, reason: str):
    values, failures = asked(Command(program(how), batch=3), ["a", "without", "abc"])
    assert same(values, [math.nan] * 3)
    assert failures == dict.fromkeys(range(3), (kind, reason))


def test_one_wrong_batch_costs_no_other(program: Program):
    values, failures = asked(Command(program("without"), batch=2), ["a", "without", "abc", "abcd"])
    assert same(values, [math.nan, math.nan, 3, 4])
    assert list(failures) == [0, 1]


def test_answers_that_are_no_numbers_are_told_by_kind(program: Program):
    with Guarded(find_score(f"command:{program('whole')}")) as guarded:
        outcome = guarded(["ab", "text", "nan", "nothing", "inf", "abc", "a\nb", "a\rb", "text"])
    assert same(outcome.values.tolist(), [2, math.nan, math.nan, math.nan, math.nan, 3, math.nan, math.nan, math.nan])
    assert outcome.failures == {"no number": 3, "no value": 1, "infinite": 1, "not sent": 2}
    assert outcome.examples == {
        "no number": "'text': printed 'much'",
        "no value": "'nan': NaN",
        "infinite": "'inf': not a finite number",
        "not sent": "'a\\nb': it holds a line break, and the program gets one string a line",
    }


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("", "command needs a program"),
        ("./dock.sh 'a", "cannot be split into words: No closing quotation"),
        ("./no_such_thing --fast", r"there is no program './no_such_thing'"),
        ("no_such_thing", "there is no program 'no_such_thing'; give its path"),
        ("./plain.txt", r"may not be run; chmod \+x ./plain.txt"),
        (".", "there is no program '.'"),
    ],
)
def test_a_program_that_cannot_be_run_is_refused_at_once(tmp_path: Path, monkeypatch, argument: str, message: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.txt").write_text("1")
    with pytest.raises(UsageError, match=message):
        Command(argument)


@pytest.mark.parametrize(("batch", "seconds", "n_workers"), [(0, 1.0, 1), (1, 0.0, 1), (1, math.nan, 1), (1, 1.0, 0)])
def test_a_number_of_nothing_is_refused(batch: int, seconds: float, n_workers: int):
    with pytest.raises(ValueError, match="must be above 0"):
        Command("cat", None, batch, seconds, n_workers)


def test_a_system_without_locks_is_told_so(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="only Linux, macOS"):
        Command("cat")


@pytest.mark.parametrize("n", [1, 3, pytest.param(100, marks=pytest.mark.slow)])
def test_a_program_that_fails_on_everything_stops_the_work(program: Program, tmp_path: Path, n: int):
    log = tmp_path / "log"
    with pytest.raises(FreerunError, match=r"ended with 3 on each .* none \(it says: first words / last words\)"):
        asked(Command(program("each", log=log)), ["die"] * n)
    assert log.read_text().count("die") <= 30


def test_a_script_that_is_none_stops_the_work_and_says_why(tmp_path: Path):
    script = tmp_path / "dock.sh"
    script.write_text("echo 1\n")
    script.chmod(0o755)
    with pytest.raises(FreerunError, match=r"dock\.sh does not start: Exec format error"):
        asked(Command(str(script)), ["a"])


def test_one_good_string_is_enough_to_go_on(program: Program):
    values, failures = asked(Command(program("each"), batch=1), ["a", *["die"] * 12])
    assert same(values, [1, *[math.nan] * 12])
    assert len(failures) == 12


def test_batches_run_at_once(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "meet.py"
    script.write_text(
        "import pathlib, sys, time\n"
        "own = sys.stdin.read().strip()\n"
        "pathlib.Path('here-' + own).touch()\n"
        "while len(list(pathlib.Path().glob('here-*'))) < 3: time.sleep(0.01)\n"
        "print(len(own))\n"
    )
    argument = shlex.join([sys.executable, "-S", str(script)])
    assert asked(Command(argument, batch=1, seconds=20.0, n_workers=3), ["a", "bb", "ccc"])[0] == [1, 2, 3]


def test_few_strings_are_shared_by_all_workers(program: Program, folder: Path):
    with Command(program("each"), folder, n_workers=4) as command:
        list(command.answers(["a"] * 8))
        assert len(list(folder.glob("*.in"))) == 4


def test_files_are_removed_when_their_answers_are_safe_and_not_before(program: Program, folder: Path):
    argument = program("each")
    with Command(argument, folder, batch=1) as command:
        answers = command.answers(["a", "ab", "abc"])
        next(answers)
        next(answers)
        command.written()
        next(answers)
    with Command(argument, folder) as again:
        assert again.recovered() == {"abc": 3}
    with Command(argument, folder) as again:  # killed before it had written them
        assert again.recovered() == {"abc": 3}
        again.written()
        assert not list(folder.iterdir())
        assert list(again.answers(["abc"])) == [(0, 3, None)]


def test_files_stay_until_the_last_answer_of_a_batch_is_handed_out(program: Program, folder: Path):
    with Command(program("each"), folder) as command:
        answers = command.answers(["a", "ab", "abc"])
        for _ in range(2):
            next(answers)
            command.written()
            assert list(folder.glob("*.in"))
        next(answers)
        command.written()
        assert not list(folder.iterdir())
        assert list(answers) == []


def test_batches_of_another_program_are_left_alone(program: Program, folder: Path):
    asked(Command(program("each"), folder), ["a"])
    with Command(program("whole"), folder) as other:
        assert other.recovered() == {}
        other.written()
    assert Command(program("each"), folder).recovered() == {"a": 1}


def test_a_batch_that_is_half_removed_is_none(program: Program, folder: Path):
    asked(Command(program("each"), folder), ["a"])
    next(folder.glob("*.in")).unlink()
    with Command(program("each"), folder) as command:
        assert command.recovered() == {}
        assert list(command.answers(["a"])) == [(0, 1, None)]


def test_strings_that_failed_are_recovered_as_failed(program: Program, folder: Path):
    argument = program("each")
    asked(Command(argument, folder), ["a", "text", "die", "b\udc80"])  # three bytes that are no UTF-8
    recovered = Command(argument, folder).recovered()
    assert same([recovered.pop(string) for string in ("a", "text", "die", "b\udc80")], [1, math.nan, math.nan, 4])
    assert not recovered


def test_an_interrupted_list_stops_its_programs_and_keeps_their_answers(program: Program, folder: Path, tmp_path: Path):
    log = tmp_path / "log"
    argument = program("each", log=log, sleep=0.15)
    with Guarded(find_score(f"command:{argument}"), folder=folder, batch=1, n_workers=2) as guarded:
        strings = ["a", "ab", "abc", "abcd", "abcde", "abcdef"]
        answers = guarded.answers(strings)
        first = next(answers)
        answers.close()
        n_asked = len(log.read_text().split())
        time.sleep(0.4)
        assert len(log.read_text().split()) == n_asked <= 4
        assert guarded.recovered()[strings[first[0]]] == first[1] == first[0] + 1


def test_a_temporary_folder_goes_with_the_guard(program: Program, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    with Guarded(find_score(f"command:{program('each')}")) as guarded:
        assert guarded(["abc"]).values.tolist() == [3]
        guarded.written()
    assert set(tmp_path.iterdir()) == before


def test_a_name_alone_runs_nothing(program: Program, tmp_path: Path):
    score = find_score(f"command:{program('each', log=tmp_path / 'log')}")
    with pytest.raises(UsageError, match="only an objective"):
        score(["a"])
    assert not (tmp_path / "log").exists()


WORKER = """
import sys
from pathlib import Path
from freerun.scores.command import Command

argument, folder, n = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
kept = folder / "kept"
known = {line.split()[0] for line in kept.read_text().splitlines()} if kept.exists() else set()

def keep(string, value):
    if string not in known:
        known.add(string)
        with open(kept, "a") as file:
            file.write(f"{string} {value}\\n")

with Command(argument, folder, batch=3, n_workers=2) as command:
    for string, value in command.recovered().items():
        keep(string, value)
    command.written()
    strings = [each for each in ("a" * (i + 1) for i in range(n)) if each not in known]
    for at, value, failure in command.answers(strings):
        keep(strings[at], value)
        command.written()
"""


@pytest.fixture
def worker(tmp_path: Path, folder: Path) -> Callable[[str, int], subprocess.Popen]:
    """A process that asks for n strings and keeps the answers in a file, as an objective does."""
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    folder.mkdir()
    return lambda argument, n: subprocess.Popen([sys.executable, str(script), argument, str(folder), str(n)])


def wait_for_lines(path: Path, n: int) -> None:
    until = time.monotonic() + 20
    while not path.exists() or path.read_text().count("\n") < n:
        assert time.monotonic() < until, f"{path} has no {n} lines"
        time.sleep(0.005)


def kept_right(folder: Path, n: int) -> bool:
    """Whether the file has every answer once, and nothing else is left."""
    kept = [line.split() for line in (folder / "kept").read_text().splitlines()]
    left = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    return sorted(kept) == [["a" * (i + 1), f"{i + 1}.0"] for i in range(n)] and left == ["kept"]


@pytest.mark.parametrize("how", ["each", "whole"])
def test_a_freerun_that_is_killed_sends_no_string_twice(
    program: Program, worker, tmp_path: Path, folder: Path, how: str
):
    log = tmp_path / "log"
    argument = program(how, log=log, sleep=0.05)
    process = worker(argument, 12)
    wait_for_lines(log, 4)
    process.kill()
    process.wait()
    assert list(folder.glob("*.in"))
    assert worker(argument, 12).wait() == 0
    assert Counter(log.read_text().split()) == {"a" * (i + 1): 1 for i in range(12)}
    assert kept_right(folder, 12)


@pytest.mark.slow
def test_freeruns_killed_at_any_moment_send_no_string_twice(program: Program, worker, tmp_path: Path, folder: Path):
    log, n = tmp_path / "log", 40
    argument = program("each", log=log, sleep=0.02)
    random = np.random.default_rng(0)
    n_killed = 0
    process = worker(argument, n)
    while process.poll() is None:
        wait_for_lines(log, min(n, log.read_text().count("\n") + int(random.integers(1, 9))) if log.exists() else 1)
        time.sleep(random.uniform(0.0, 0.1))
        if process.poll() is None:
            process.kill()
            process.wait()
            n_killed += 1
            process = worker(argument, n)
            if log.read_text().count("\n") == n:
                process.wait()
    assert process.returncode == 0
    assert n_killed > 2
    assert Counter(log.read_text().split()) == {"a" * (i + 1): 1 for i in range(n)}
    assert kept_right(folder, n)


@pytest.mark.slow
def test_a_program_killed_with_its_freerun_is_asked_for_the_rest(
    program: Program, worker, tmp_path: Path, folder: Path
):
    log, groups = tmp_path / "log", tmp_path / "groups"
    argument = program("each", log=log, sleep=0.3, groups=groups)
    process = worker(argument, 6)
    wait_for_lines(log, 4)
    process.kill()
    process.wait()
    for group in set(groups.read_text().split()):
        os.killpg(int(group), signal.SIGKILL)
    assert 0 < len(Command(argument, folder).recovered()) < 6
    assert worker(argument, 6).wait() == 0
    assert max(Counter(log.read_text().split()).values()) == 2
    assert kept_right(folder, 6)


FLUSHED = Ending(3, flushes=True)
LONG = b"1\n" * BLOCK


@pytest.mark.parametrize(
    ("n", "printed", "ending", "expected"),
    [
        (2, b"1\n2\n", Ending(0), [1, 2]),
        (2, b"1\n2", Ending(0), [1, 2]),
        (2, b"1\r\n 2e0 \r\n", Ending(0), [1, 2]),
        (2, b"1\n2\n", Ending(7), [1, 2]),
        (2, b"1\n2\n", Ending(None), [1, 2]),
        (2, b"1\n2\n3", Ending(0), ["too many lines"] * 2),
        (2, b"1\n2\n3\n", None, ["too many lines"] * 2),
        (2, b"", Ending(0), ["too few lines"] * 2),
        (3, b"1\n2", Ending(-11), [1, "died"]),
        (3, b"1\n2", Ending(None), [1, "too slow"]),
        (3, b"1\n2", Ending(-signal.SIGTERM, flushes=True), [1]),
        (3, b"1\n2", None, [1]),
        (3, b"", Ending(3), []),
        (3, b"", FLUSHED, ["died"]),
        (1, b"", Ending(3), ["died"]),
        (1, b"", Ending(-signal.SIGTERM), ["died"]),
        (1, b"", None, []),
        (BLOCK + 2, LONG, Ending(3), [1] * BLOCK),
        (BLOCK + 2, LONG, FLUSHED, [1] * BLOCK + ["died"]),
        (BLOCK + 1, LONG, Ending(3), [1] * BLOCK + ["died"]),
        (2, b"\xff\n1e400\n", Ending(0), ["no number", math.inf]),
    ],
)
def test_verdicts(n: int, printed: bytes, ending: Ending | None, expected: list):
    answers = judged(n, printed, ending, 1.0)
    assert [failure[0] if failure else value for value, failure in answers] == expected
    assert all(math.isnan(value) for value, failure in answers if failure)


@pytest.mark.parametrize(
    ("n_lines", "flushes", "seconds"),
    [(0, False, 640.0), (3, False, 610.0), (63, False, 10.0), (64, False, 10.0), (3, True, 10.0), (0, True, 310.0)],
)
def test_how_long_a_program_of_64_strings_may_be_silent(n_lines: int, flushes: bool, seconds: float):
    assert SECONDS_TO_LOAD == 300
    assert patience(n_lines, 64, 10.0, flushes) == seconds


def test_a_program_that_never_stops_printing_is_stopped(tmp_path: Path):
    script = tmp_path / "wild.py"
    script.write_text("import time\nwhile True: print(1, flush=True); time.sleep(0.001)")
    _, failures = asked(Command(shlex.join([sys.executable, "-S", str(script)])), ["a", "ab"])
    assert {kind for kind, _ in failures.values()} == {"too many lines"}

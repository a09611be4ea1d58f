"""What was run: times, speeds, settings."""

from freerun.report.facts import differing_settings, duration, facts_table, increase, text
from freerun.report.folder import read_run
from freerun.report.summary import headline, tiles


def test_a_counter_that_starts_again_is_added_up():
    assert increase([{"s": 10}, {"s": 25}, {"s": 5}, {"s": 9}], "s") == 34
    assert increase([], "s") == 0


def test_time_and_speed_are_told(fake_run):
    facts = {fact.label: fact.values[0] for fact in facts_table([read_run(fake_run())])}
    assert facts["time of training"] == "6\u00a0min"
    assert facts["speed"] == "40,000 tokens/s"
    assert facts["device"] == "cpu float32"
    assert facts["steps"] == "3,000"
    assert facts["vocabulary"].startswith("20 tokens: <pad> <bos> <eos> <unk> C c N O ")
    assert facts["corpus \u00b7 n train"] == "20,000"


def test_only_settings_that_differ_are_listed(fake_run):
    runs = [read_run(fake_run("a")), read_run(fake_run("b", seed=1))]
    assert [fact.label for fact in differing_settings(runs)] == ["method.lr", "model.n_layers", "run.seed"]
    assert differing_settings(runs[:1]) == []


def test_durations_read_well():
    assert [duration(s) for s in (4.2, 60.0, 200.0, 18_420.0)] == [
        "4\u00a0s",
        "1\u00a0min",
        "3\u00a0min 20\u00a0s",
        "5\u00a0h 7\u00a0min",
    ]


def test_long_values_are_cut():
    assert len(text(["x" * 100] * 50)) < 320
    assert text(True) == "yes"


def test_the_headline_says_who_read_what_and_how_much_is_valid(fake_run):
    run = read_run(fake_run())
    assert headline(run) == (
        "An LSTM of 1.2 million weights was trained on 20,000 strings of moses-mini for 6\u00a0min. "
        "Of 620 strings that it then wrote freely, 77.4\u00a0% are molecules."
    )
    assert [tile.label for tile in tiles(run)] == ["valid", "unique@10000", "Novelty", "IntDiv", "FCD/Test"]

import time

import pytest

from freerun.corpora.encode import encode_texts
from freerun.corpora.standardize import parents
from freerun.corpora.workers import Job, chunked, map_chunks
from freerun.errors import FreerunError
from freerun.representations.text import Text


def records(texts):
    return ((line, text, ()) for line, text in enumerate(texts, 1))


def test_work_that_is_quick_stays_in_this_process():
    job = Job(lambda texts: ({"n": len(texts)}, b""), "parent")
    replies = [reply["n"] for _, (reply, _) in map_chunks(job, chunked(records("abcdefg"), 3), 2, patience=60.0)]
    assert replies == [3, 3, 1]


def test_a_job_without_a_name_stays_in_this_process():
    job = Job(lambda texts: ({"n": len(texts)}, b""))
    assert len(list(map_chunks(job, chunked(records("abcdefg"), 3), 2, patience=0.0))) == 3


@pytest.mark.slow
def test_processes_give_the_same_replies_in_the_same_order():
    texts = [f"C{'C' * (i % 7)}O" if i % 11 else "bad" for i in range(1_000)]
    job = Job(parents, "parent")
    serial = [reply for _, reply in map_chunks(job, chunked(records(texts), 50), 1)]
    parallel = [reply for _, reply in map_chunks(job, chunked(records(texts), 50), 3, patience=0.0)]
    assert parallel == serial
    settings = {"name": "text", "settings": Text().settings()}
    job = Job(lambda texts: encode_texts(Text(), texts), "encode", settings)
    serial = [reply for _, reply in map_chunks(job, chunked(records(texts), 50), 1)]
    parallel = [reply for _, reply in map_chunks(job, chunked(records(texts), 50), 2, patience=0.0)]
    assert parallel == serial


@pytest.mark.slow
def test_a_process_that_dies_is_one_clear_line():
    job = Job(lambda texts: ({}, b""), "no such job")
    with pytest.raises(FreerunError, match="a worker process ended with 1"):
        list(map_chunks(job, chunked(records("abcdefg"), 1), 2, patience=0.0))


@pytest.mark.slow
def test_a_consumer_that_stops_leaves_no_process_behind():
    job = Job(parents, "parent")
    pairs = map_chunks(job, chunked(records(["CCO"] * 1_000), 10), 2, patience=0.0)
    for _ in range(3):
        next(pairs)
    started = time.monotonic()
    pairs.close()
    assert time.monotonic() - started < 20

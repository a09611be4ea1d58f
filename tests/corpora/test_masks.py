import dataclasses

import numpy as np
import pytest
import torch

from freerun.constraints.base import PAD, AbstractConstraint
from freerun.constraints.length import Length
from freerun.corpora import masks as module
from freerun.corpora.batches import Batches
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.corpora.masks import Split, refusals, stored
from freerun.representations.smiles import Smiles

EVERYTHING = "train+valid+test"
TEXTS = [f"C{'C' * (i * 7 % 23)}{'ONF'[i % 3]}" for i in range(203)]
BUDGET = 21


@pytest.fixture
def split(write, cache):
    encoded = encode_split(open_corpus(write("a.smi", "\n".join(TEXTS))), EVERYTHING, Smiles())
    return Split("a.smi", encoded, fit(Smiles(), encoded))


def constraint(split: Split, longest: int = 17) -> AbstractConstraint:
    """Refuses chains below 4 and above `longest` tokens."""
    return Length(len(split.representation.vocab), 4, longest)


def test_stored_masks_are_the_replayed_ones(split):
    (masks,) = stored(constraint(split), BUDGET, [split])
    batches = Batches(split.encoded, split.representation, 16, max_tokens=BUDGET, masks=masks)
    for batch in batches.all():
        replayed = masks.constraint.replay(batch.tokens, BUDGET)
        assert batch.masks is not None
        assert torch.equal(masks.table[batch.masks], replayed)
        assert replayed.gather(2, batch.tokens[..., None]).all()
    assert masks.index.dtype == np.int32
    assert len(masks.index) == split.encoded.n_tokens + len(split.encoded)
    assert len(masks.table) == len({tuple(mask) for mask in masks.table.tolist()})
    assert masks.table[0].nonzero().tolist() == [[PAD]]


def test_rows_that_the_constraint_refuses_are_left_out_and_named(split):
    (masks,) = stored(constraint(split), BUDGET, [split])
    lengths = split.encoded.lengths
    wrong = (lengths < BUDGET) & ((lengths < 4) | (lengths > 17))
    assert np.array_equal(masks.refused >= 0, wrong)
    assert set(masks.refused[wrong & (lengths > 17)].tolist()) == {17}
    assert set(masks.refused[lengths == 2].tolist()) == {2}, "<eos> comes too early"
    batches = Batches(split.encoded, split.representation, 16, max_tokens=BUDGET, masks=masks)
    assert batches.n_refused == wrong.sum()
    assert not wrong[batches.rows].any()
    first = refusals(split, masks, 1)[0]
    row = int(np.flatnonzero(wrong)[0])
    assert first.line == split.encoded.lines[row]
    assert first.position == masks.refused[row]
    assert "'<eos>' is not allowed: 2 more tokens are owed" in first.reason
    assert TEXTS[row] in first.text


def test_several_splits_share_a_table(split):
    other = dataclasses.replace(split, name="b.smi")
    one, two = stored(constraint(split, 9), BUDGET, [split, other])
    assert torch.equal(one.table, two.table)
    assert np.array_equal(one.index, two.index)


def test_masks_are_stored_once(split, monkeypatch):
    (first,) = stored(constraint(split), BUDGET, [split])
    monkeypatch.setattr(module, "_replayed", None)
    (again,) = stored(constraint(split), BUDGET, [split])
    assert torch.equal(first.table, again.table)
    assert np.array_equal(first.index, again.index)


def test_masks_of_other_code_are_made_anew(split, monkeypatch):
    stored(constraint(split), BUDGET, [split])
    monkeypatch.setattr(Length, "code_version", "0")
    monkeypatch.setattr(module, "_replayed", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        stored(constraint(split), BUDGET, [split])


def test_rewritings_that_the_constraint_refuses_stand_as_in_the_corpus(split):
    (masks,) = stored(constraint(split, 12), BUDGET, [split])
    batches = Batches(split.encoded, split.representation, 40, augment=True, max_tokens=BUDGET, masks=masks)
    batch = batches.batch(0)  # CCO may be rewritten to C(C)O, three tokens longer
    assert batch.masks is None
    assert masks.accepts(batch.tokens).all()
    assert batch.n_fallbacks > 0


def test_distinct_masks_are_numbered_as_they_are_first_seen():
    rng = np.random.default_rng(0)
    rows = rng.random((50, 130)) < 0.5
    distinct = module._Distinct(130)
    numbers = np.concatenate([distinct.numbers(rows[rng.integers(0, 50, 20)]) for _ in range(30)])
    assert distinct.table().shape[0] == numbers.max() + 1
    again = distinct.numbers(rows)
    assert np.array_equal(distinct.table()[again], rows)

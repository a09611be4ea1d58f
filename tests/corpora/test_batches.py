import numpy as np
import pytest
import torch

from freerun.constraints.base import EOS, PAD, UNK
from freerun.corpora import batches as module
from freerun.corpora.batches import Batches
from freerun.corpora.corpus import open_corpus
from freerun.corpora.encode import encode_split, fit
from freerun.errors import UsageError
from freerun.representations.smiles import Smiles

EVERYTHING = "train+valid+test"
TEXTS = [f"C{'C' * (i * 7 % 23)}{'ONF'[i % 3]}" for i in range(203)]


@pytest.fixture
def encoded(write, cache):
    return encode_split(open_corpus(write("a.smi", "\n".join(TEXTS))), EVERYTHING, Smiles())


@pytest.fixture
def fitted(encoded):
    return fit(Smiles(), encoded)


def epoch(batches: Batches, number: int = 0) -> list:
    return [batches.batch(number * batches.n_batches + i) for i in range(batches.n_batches)]


def same(one, other) -> bool:
    return torch.equal(one.tokens, other.tokens) and torch.equal(one.rows, other.rows)


@pytest.mark.parametrize("by_length", [True, False])
def test_an_epoch_holds_every_row_once(encoded, fitted, by_length):
    batches = Batches(encoded, fitted, 16, by_length=by_length)
    found = epoch(batches)
    assert len(found) == batches.n_batches == 13
    assert sorted(torch.cat([batch.rows for batch in found]).tolist()) == list(range(203))
    assert sorted(len(batch.rows) for batch in found) == [11] + [16] * 12


def test_tokens_are_the_row_then_one_end_then_padding(encoded, fitted):
    for batch in epoch(Batches(encoded, fitted, 16)):
        assert batch.tokens.dtype == torch.int64
        for row, ids in zip(batch.rows.tolist(), batch.tokens.tolist(), strict=True):
            expected = [*fitted.encode(TEXTS[row]), EOS]
            assert ids == expected + [PAD] * (len(ids) - len(expected))
        assert (batch.tokens != PAD).sum(1).max() == batch.tokens.shape[1]
        assert fitted.decode_batch(batch.tokens) == [TEXTS[row] for row in batch.rows.tolist()]


def test_a_batch_is_a_function_of_seed_and_step(encoded, fitted):
    one, other = Batches(encoded, fitted, 16, 3), Batches(encoded, fitted, 16, 3)
    steps = [40, 3, 12, 13, 0, 26, 25]
    in_order = {step: one.batch(step) for step in sorted(steps)}
    for step in steps:
        assert same(other.batch(step), in_order[step])
    assert not same(Batches(encoded, fitted, 16, 4).batch(0), one.batch(0))
    assert not same(one.batch(0), one.batch(13))


def test_rows_of_similar_length_stand_together(encoded, fitted):
    def padding(batches: Batches) -> float:
        tokens = [batch.tokens for batch in epoch(batches)]
        return sum(int((t == PAD).sum()) for t in tokens) / sum(t.numel() for t in tokens)

    assert padding(Batches(encoded, fitted, 16)) < 0.1
    assert padding(Batches(encoded, fitted, 16, by_length=False)) > 0.3


def test_batches_are_not_in_the_order_of_length(encoded, fitted):
    widths = [batch.tokens.shape[1] for batch in epoch(Batches(encoded, fitted, 16))]
    assert widths != sorted(widths)


def test_windows_are_sorted_each_for_itself(encoded, fitted, monkeypatch):
    monkeypatch.setattr(module, "WINDOW", 2)
    batches = Batches(encoded, fitted, 8)
    members = [set(batch.rows.tolist()) for batch in epoch(batches)]
    assert set().union(*members) == set(range(203))
    other = [set(batch.rows.tolist()) for batch in epoch(batches, 1)]
    assert members != other


def test_rows_too_long_or_unknown_take_no_part_and_are_counted(encoded):
    known = fit(Smiles(), encoded).vocab
    without_f = Smiles().with_vocab(token for token in known if token != "F")
    batches = Batches(encoded, without_f, 16, max_tokens=12)
    kept = torch.cat([batch.rows for batch in epoch(batches)]).tolist()
    assert sorted(kept) == [i for i, text in enumerate(TEXTS) if len(text) + 1 <= 12 and "F" not in text]
    assert batches.n_too_long == sum(len(text) + 1 > 12 for text in TEXTS)
    assert batches.n_unknown == sum(len(text) + 1 <= 12 and "F" in text for text in TEXTS)
    assert max(batch.tokens.shape[1] for batch in epoch(batches)) == 12
    assert batches.n_tokens == sum(len(TEXTS[row]) + 1 for row in kept)


def test_unknown_tokens_can_stand_as_unk(encoded):
    without_f = Smiles().with_vocab(["C", "O", "N"])
    batches = Batches(encoded, without_f, 300, drop_unknown=False)
    (batch,) = epoch(batches)
    assert int((batch.tokens == UNK).sum()) == sum("F" in text for text in TEXTS)
    assert batches.n_unknown == sum("F" in text for text in TEXTS)


def test_no_row_left_is_said(encoded, fitted):
    with pytest.raises(UsageError, match=r"of 203, 203 are too long \(max_tokens = 1,"):
        Batches(encoded, fitted, 16, max_tokens=1)
    with pytest.raises(UsageError, match="and 203 hold tokens outside"):
        Batches(encoded, Smiles().with_vocab(["X"]), 16)
    with pytest.raises(UsageError, match="batch_size is 0"):
        Batches(encoded, fitted, 0)


def test_columns_come_with_their_rows(encoded, fitted):
    values = np.arange(203, dtype=np.float64)
    values[5] = np.nan
    batches = Batches(encoded, fitted, 16, columns={"y": values})
    for batch in [*epoch(batches), *batches.all(50)]:
        y = batch.columns["y"]
        assert y.dtype == torch.float32
        assert torch.equal(torch.isnan(y), batch.rows == 5)
        assert torch.equal(y[batch.rows != 5], batch.rows[batch.rows != 5].float())
    with pytest.raises(UsageError, match="column 'set' holds labels"):
        Batches(encoded, fitted, 16, columns={"set": np.array(["a"] * 203, dtype=object)})


def test_the_ordered_pass_gives_each_row_once_by_length(encoded, fitted):
    found = list(Batches(encoded, fitted, 16, augment=True).all(64))
    assert [len(batch.rows) for batch in found] == [64, 64, 64, 11]
    rows = torch.cat([batch.rows for batch in found]).tolist()
    assert sorted(rows) == list(range(203))
    lengths = [len(TEXTS[row]) for row in rows]
    assert lengths == sorted(lengths)


def test_augmented_rows_are_the_same_molecules_written_otherwise(write, cache):
    texts = ["CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CC(=O)Nc1c(C)cccc1C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O", "C"] * 10
    encoded = encode_split(open_corpus(write("b.smi", "\n".join(texts))), EVERYTHING, Smiles())
    fitted = fit(Smiles(), encoded)
    batches = Batches(encoded, fitted, 40, 1, augment=True)
    first, again, later = batches.batch(0), batches.batch(0), batches.batch(1)
    assert same(first, again)
    assert not same(first, later)
    from freerun.chemistry import canonical

    written = fitted.decode_batch(first.tokens)
    originals = [texts[row] for row in first.rows.tolist()]
    assert [canonical(text) for text in written] == [canonical(text) for text in originals]
    assert sum(text != original for text, original in zip(written, originals, strict=True)) > 15


def test_a_rewriting_that_does_not_fit_falls_back_and_is_counted(write, cache):
    text = "CC(=O)Oc1ccccc1C(=O)O"
    encoded = encode_split(open_corpus(write("b.smi", "\n".join([text] * 64))), EVERYTHING, Smiles())
    fitted = fit(Smiles(), encoded)
    tight = Batches(encoded, fitted, 64, 1, augment=True, max_tokens=len(text) + 1)
    batch = tight.batch(0)
    assert batch.tokens.shape[1] <= len(text) + 1
    assert 0 < batch.n_fallbacks < 64
    poor = Smiles().with_vocab(token for token in fitted.vocab if token != "2")
    assert Batches(encoded, poor, 64, 1, augment=True).batch(0).n_fallbacks == 0  # aspirin never needs a second ring


def test_ids_in_the_vocabulary_follow_the_representation(encoded):
    shuffled = Smiles().with_vocab(["F", "N", "C", "O"])
    batch = Batches(encoded, shuffled, 7).batch(0)
    assert shuffled.decode_batch(batch.tokens) == [TEXTS[row] for row in batch.rows.tolist()]

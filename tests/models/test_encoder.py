import pytest
import torch

from freerun.models.encoder import Reader, RecurrentEncoder

TOKENS = torch.tensor([[4, 5, 6, 2, 0, 0], [7, 2, 0, 0, 0, 0], [7, 4, 4, 4, 5, 2], [2, 0, 0, 0, 0, 0]])
LENGTHS = [4, 2, 6, 1]


def build(mean_scale: float = 0.0, **shape) -> RecurrentEncoder:
    torch.manual_seed(0)
    return RecurrentEncoder(Reader(8, **{"d_embedding": 5, "d_hidden": 6, **shape}), 3, mean_scale).eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_code_is_that_of_the_sequence_alone_without_its_padding(cell, bidirectional, dtype):
    encoder = build(cell=cell, n_layers=2, bidirectional=bidirectional, compute_dtype=dtype)
    mean, log_var = encoder(TOKENS)
    for row, length in enumerate(LENGTHS):
        alone = encoder(TOKENS[row : row + 1, :length])
        torch.testing.assert_close(mean[row : row + 1], alone[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(log_var[row : row + 1], alone[1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_layer_both_ways_agrees_with_the_librarys_packed_sequences(cell):
    encoder = build(cell=cell, bidirectional=True)
    library = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](5, 6, batch_first=True, bidirectional=True)
    assert encoder.reader.backwards is not None
    weights = [*encoder.reader.forwards.layers.all_weights[0], *encoder.reader.backwards.layers.all_weights[0]]
    with torch.no_grad():
        for theirs, ours in zip(library.parameters(), weights, strict=True):
            theirs.copy_(ours)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        encoder.reader.embedding(TOKENS), torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    final = library(packed)[1]
    hidden = final[0] if cell == "lstm" else final  # (directions, batch, hidden)
    mean, log_var = encoder(TOKENS)
    joined = torch.cat([hidden[0], hidden[1]], 1)
    torch.testing.assert_close(mean, encoder.mean(joined))
    torch.testing.assert_close(log_var, encoder.log_var(joined))


def test_an_encoder_that_reads_both_ways_remembers_the_first_token_as_well_as_the_last():
    """Sixty tokens: read one way, the first of them has nearly no influence on the code."""

    def influence(encoder: RecurrentEncoder, place: int) -> float:
        tokens = torch.full((1, 60), 4)
        changed = tokens.clone()
        changed[0, place] = 5
        return (encoder(tokens)[0] - encoder(changed)[0]).norm().item()

    one_way, both_ways = build(cell="lstm"), build(cell="lstm", bidirectional=True)
    assert influence(one_way, 0) < 1e-3 * influence(one_way, 59)
    assert influence(both_ways, 0) > 0.1 * influence(both_ways, 59)


def test_normalised_means_have_the_same_deviation_on_each_axis_in_training():
    encoder = build(mean_scale=0.6).train()
    mean, _ = encoder(torch.randint(4, 8, (400, 6), generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(mean.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(mean.std(0, correction=0), torch.full((3,), 0.6), rtol=1e-2, atol=0)


def test_normalised_means_are_those_of_the_sequence_alone_once_training_is_over():
    encoder = build(mean_scale=0.6).train()
    for _ in range(5):
        encoder(TOKENS)
    encoder.eval()
    mean, _ = encoder(TOKENS)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(mean[row : row + 1], encoder(TOKENS[row : row + 1, :length])[0], rtol=0, atol=1e-6)


def test_a_reader_joins_its_context_to_every_step():
    reader = Reader(8, d_embedding=5, d_hidden=6, d_context=2)
    a, b = (reader(TOKENS, torch.full((4, 2), value)) for value in (0.0, 1.0))
    assert (a != b).any(1).all()

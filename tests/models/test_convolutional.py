import pytest
import torch
import torch.nn.functional as F

from freerun.models.convolutional import ConvolutionalEncoder, SheetDecoder

TOKENS = torch.tensor([[4, 5, 6, 2, 0], [7, 4, 4, 4, 2]])
MOLECULES = {"filters": (9, 9, 10), "widths": (9, 9, 11), "d_dense": 435}
FORMULAS = {"filters": (2, 3, 4), "widths": (2, 3, 4), "d_dense": 100, "batch_norm": True}


def encoder_of(n_positions=7, **shape) -> ConvolutionalEncoder:
    torch.manual_seed(0)
    shape = {"filters": (3, 4), "widths": (2, 3), "d_dense": 5, **shape}
    return ConvolutionalEncoder(8, n_positions, 3, **shape).eval()


def decoder_of(**shape) -> SheetDecoder:
    torch.manual_seed(0)
    return SheetDecoder(8, 7, 3, **{"d_hidden": 6, "n_layers": 2, **shape}).eval()


def n_weights(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_encoder_for_molecules_has_the_weights_of_the_published_one():
    """76 classes, 277 positions, 56 axes: 9 x 76 x 9 + 9, 9 x 9 x 9 + 9, 11 x 9 x 10 + 10, flat 251 x 10."""
    encoder = ConvolutionalEncoder(76, 277, 56, **MOLECULES)
    assert n_weights(encoder) == 6165 + 738 + 1000 + (2510 * 435 + 435) + 2 * (435 * 56 + 56)


def test_the_encoder_for_formulas_has_the_weights_of_the_published_one():
    """12 classes, 15 positions, 25 axes; each batch norm has two weights a channel; flat 9 x 4."""
    encoder = ConvolutionalEncoder(12, 15, 25, **FORMULAS)
    assert n_weights(encoder) == 50 + 4 + 21 + 6 + 52 + 8 + (36 * 100 + 100) + 2 * (100 * 25 + 25)


def test_the_decoder_for_molecules_has_the_weights_of_the_published_one():
    """Three GRUs of 501, and PyTorch's second bias of each gate beside Keras's one."""
    decoder = SheetDecoder(76, 277, 56)
    of_layer = [3 * 501 * (d_in + 501 + 2) for d_in in (56, 501, 501)]
    assert n_weights(decoder) == 56 * 57 + sum(of_layer) + 502 * 76


def test_the_first_convolution_is_a_sum_of_the_columns_that_the_tokens_choose():
    encoder = encoder_of(filters=(3,), widths=(2,))
    convolution = encoder.convolutions[0]
    assert isinstance(convolution, torch.nn.Conv1d)
    assert convolution.bias is not None
    here, following = convolution.weight.unbind(2)  # (filters, vocab)
    padded = F.pad(TOKENS, (0, 2))
    summed = [convolution.bias + here.T[padded[:, t]] + following.T[padded[:, t + 1]] for t in range(6)]
    hidden = encoder.dense(torch.stack(summed, 2).relu().flatten(1)).relu()
    torch.testing.assert_close(encoder(TOKENS)[0], encoder.mean(hidden))


def test_the_width_of_a_batch_does_not_change_its_codes():
    encoder = encoder_of()
    for wide in (F.pad(TOKENS, (0, 2)), F.pad(TOKENS, (0, 9))):
        torch.testing.assert_close(encoder(wide)[0], encoder(TOKENS)[0])


def test_convolutions_wider_than_the_sequences_are_refused():
    with pytest.raises(ValueError, match=r"need sequences of 27 tokens at least, and the longest have 15"):
        ConvolutionalEncoder(12, 15, 25, **MOLECULES)
    with pytest.raises(ValueError, match="2 filters and 3 widths"):
        encoder_of(filters=(3, 3), widths=(2, 2, 2))


@pytest.mark.parametrize(
    "shape", [{}, {"cell": "lstm"}, {"batch_norm": True}, {"compute_dtype": torch.bfloat16}], ids=str
)
def test_steps_read_the_sheet_that_teacher_forcing_scores_whatever_was_written(shape):
    decoder, z = decoder_of(**shape), torch.randn(2, 3)
    logits, hidden = decoder(TOKENS, z)
    assert torch.equal(logits, hidden)
    assert torch.equal(decoder(torch.zeros_like(TOKENS), z)[0], logits)
    state = decoder.start(2, z)
    for t in range(TOKENS.shape[1]):
        step, state = decoder.step(TOKENS[:, t], state)
        torch.testing.assert_close(step, logits[:, t], rtol=0, atol=1e-6)
        assert torch.equal(decoder.hidden(state), step)


def test_every_position_gets_the_same_input_and_its_own_logits():
    decoder, z = decoder_of(n_layers=1), torch.randn(2, 3)
    x = decoder.dense(z).relu()
    hidden, _ = decoder.recurrent.layers(x[:, None].repeat(1, 7, 1))
    torch.testing.assert_close(decoder(F.pad(TOKENS, (0, 2)), z)[0], decoder.output(hidden))


def test_rows_with_one_code_share_the_work_and_keep_their_order():
    decoder, z = decoder_of(), torch.randn(3, 3)
    order = torch.tensor([2, 0, 1, 0, 2, 2])
    batches = []
    decoder.dense.register_forward_hook(lambda _module, args, _out: batches.append(len(args[0])))
    state = decoder.start(6, z[order])
    assert batches == [3]
    torch.testing.assert_close(state.logits, decoder.start(3, z).logits[order])


def test_beyond_the_last_position_its_logits_stand():
    decoder, z = decoder_of(), torch.randn(1, 3)
    state, steps = decoder.start(1, z), []
    for _ in range(9):
        logits, state = decoder.step(torch.tensor([4]), state)
        steps.append(logits)
    assert not torch.equal(steps[5], steps[6])
    assert torch.equal(steps[6], steps[8])
    assert torch.equal(decoder(torch.full((1, 9), 4), z)[0][:, 8], steps[8])


def test_a_batch_of_one_row_trains_under_batch_norm():
    decoder = decoder_of(batch_norm=True).train()
    before = decoder.state_dict()["norm.running_mean"].clone()
    assert decoder(TOKENS[:1], torch.randn(1, 3))[0].isfinite().all()
    assert torch.equal(decoder.state_dict()["norm.running_mean"], before)
    decoder(TOKENS, torch.randn(2, 3))
    assert not torch.equal(decoder.state_dict()["norm.running_mean"], before)


def test_a_context_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match="context of width 3, not 0"):
        decoder_of().start(2)

import pytest
import torch
from torch import nn

from emotone.models.earlier.bidirectional import BidirectionalLstm, turned_round

COUNTS = torch.tensor([7, 1, 4])


@pytest.fixture
def ours_and_torchs() -> tuple[BidirectionalLstm, nn.LSTM]:
    torch.manual_seed(0)
    ours = BidirectionalLstm(5, 3, layers=2)
    torchs = nn.LSTM(5, 3, 2, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for layer in range(2):
            for suffix, source in (("", ours.forwards[layer]), ("_reverse", ours.backwards[layer])):
                for name, value in source.named_parameters():
                    getattr(torchs, name.replace("_l0", f"_l{layer}") + suffix).copy_(value)
    return ours, torchs


def packed(sequence: torch.Tensor) -> nn.utils.rnn.PackedSequence:
    return nn.utils.rnn.pack_padded_sequence(sequence, COUNTS, batch_first=True, enforce_sorted=False)


def test_outputs_are_those_of_torch_on_packed_sequences(ours_and_torchs: tuple[BidirectionalLstm, nn.LSTM]) -> None:
    ours, torchs = ours_and_torchs
    sequence = torch.randn(3, 7, 5)
    expected, _ = nn.utils.rnn.pad_packed_sequence(torchs(packed(sequence))[0], batch_first=True)
    torch.testing.assert_close(ours(sequence, COUNTS), expected)


def test_ends_are_torchs_last_states(ours_and_torchs: tuple[BidirectionalLstm, nn.LSTM]) -> None:
    ours, torchs = ours_and_torchs
    sequence = torch.randn(3, 7, 5)
    _, (last, _) = torchs(packed(sequence))
    torch.testing.assert_close(ours.ends(sequence, COUNTS), torch.cat([last[2], last[3]], dim=1))


def test_padding_reaches_neither_outputs_nor_gradients(ours_and_torchs: tuple[BidirectionalLstm, nn.LSTM]) -> None:
    ours, _ = ours_and_torchs
    sequence = torch.randn(3, 7, 5, requires_grad=True)
    ours(sequence, COUNTS).sum().backward()
    assert sequence.grad is not None
    for row, count in enumerate(COUNTS):
        assert (sequence.grad[row, count:] == 0).all()
        assert (sequence.grad[row, :count] != 0).any(dim=1).all()


def test_turning_round_twice_changes_nothing() -> None:
    sequence = torch.arange(21.0).reshape(3, 7, 1)
    once = turned_round(sequence, COUNTS)
    assert once[2, :, 0].tolist() == [17, 16, 15, 14, 18, 19, 20]
    assert torch.equal(turned_round(once, COUNTS), sequence)

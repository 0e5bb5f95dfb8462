"""The first blocks of a Whisper encoder as a front end: waveform -> hidden states of chosen blocks.

Conventions: waveforms are (batch, n_samples) at 16 kHz, zero past each utterance's `lengths`; frames are
(batch, channels, n_frames) at 50 per second, zero past each utterance's own end. Attention, convolutions and the
floor of the spectrogram see valid positions only, so an utterance gets the same frames alone and in a batch. An
utterance keeps its own length; it is not padded to Whisper's 30 s.

The tensors are named as in the files that `features.whisper_files` reads.

References:
    Radford, Kim, Xu, Brockman, McLeavey, Sutskever (2022): Robust Speech Recognition via Large-Scale Weak Supervision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from emotone.errors import EncoderError
from emotone.features.spectrogram import Spectrogram, length_mask, mel_filterbank

SAMPLE_RATE = 16_000
N_FFT = 400
HOP_LENGTH = 160
N_MELS = 80
FRAMES_PER_SECOND = 50
PUBLISHED_WIDTHS = {"openai/whisper-tiny.en": 384, "openai/whisper-base": 512}
"""Channels of a hidden state of the encoders that our recipes name."""

DYNAMIC_RANGE_DB = 80.0
"""So far below its loudest value is a recording's log-mel spectrogram cut off in Whisper."""

LOUDEST = 1.0
"""log10 of the loudest mel power that every utterance is scaled to. Speech that peaks at half of full scale has about
this much, so that the encoder sees the range it was trained on."""

MIN_SAMPLES = 1_600
"""A tenth of a second: shorter waveforms are refused, and the reflected ends need more than half a window."""

_SMALLEST_POWER = 1e-10


@dataclass(frozen=True, slots=True)
class WhisperShape:
    """Dimensions of an encoder, from its config.json.

    Attributes:
        width: channels of a hidden state.
        heads: attention heads.
        feed_forward: width of the feed-forward layers.
        n_blocks: blocks in the file.
        n_positions: rows of the position table, 50 per second.
    """

    width: int
    heads: int
    feed_forward: int
    n_blocks: int
    n_positions: int


class WhisperLogMel(nn.Module):
    """Whisper's log-mel spectrogram of utterances of any length, with the recording level removed.

    Args:
        keep_level: True gives Whisper's own values, which depend on the recording level.
        dynamic_range_db: it is cut off so far below its loudest value.
    Shape:
        waveform (batch, n_samples), lengths (batch,) -> (batch, 80, n_samples // 160), counts (batch,)
    """

    filters: Tensor

    def __init__(self, *, keep_level: bool = False, dynamic_range_db: float = DYNAMIC_RANGE_DB) -> None:
        super().__init__()
        self.keep_level = keep_level
        self.dynamic_range = dynamic_range_db / 10  # in decades, as the spectrogram
        self.spectrogram = Spectrogram(N_FFT, N_FFT, HOP_LENGTH, padding="none")
        filters = mel_filterbank(SAMPLE_RATE, N_FFT, N_MELS, 0.0, SAMPLE_RATE / 2)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Scaled log-mel spectrogram, zero past each utterance's end, and the number of valid frames."""
        waveform = waveform.float() * length_mask(lengths, waveform.shape[1])
        if not self.keep_level:
            # Before the floor of 1e-10, which would otherwise cut quiet recordings and not loud ones.
            peak = waveform.abs().amax(1, keepdim=True)
            waveform = waveform / torch.clamp(peak, min=1e-7)
        counts = torch.div(lengths, HOP_LENGTH, rounding_mode="floor")
        power = torch.matmul(self.filters, self.spectrogram(_reflected(waveform, lengths)))
        n_frames = waveform.shape[1] // HOP_LENGTH
        log_mel = torch.log10(torch.clamp(power[:, :, :n_frames], min=_SMALLEST_POWER))
        mask = length_mask(counts, n_frames)[:, None, :]
        loudest = torch.where(mask, log_mel, torch.full_like(log_mel, -20.0)).amax((1, 2), keepdim=True)
        log_mel = torch.maximum(log_mel, loudest - self.dynamic_range)
        if not self.keep_level:
            log_mel = log_mel - loudest + LOUDEST
        return (log_mel + 4.0) / 4.0 * mask, counts


def _reflected(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Each utterance with half a window of itself mirrored at either of its own ends."""
    half = N_FFT // 2
    position = torch.arange(-half, waveform.shape[1] + half, device=waveform.device)[None, :].abs()
    last = lengths[:, None] - 1
    position = torch.where(position > last, 2 * last - position, position)
    # Past the mirrored end there is only padding, which later masks remove; the index must merely be valid.
    return torch.gather(waveform, 1, torch.clamp(position, min=0, max=waveform.shape[1] - 1))


class WhisperBlock(nn.Module):
    """One pre-norm transformer block; its tensors are named as in the published files."""

    def __init__(self, shape: WhisperShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.self_attn = nn.ModuleDict(
            {
                "q_proj": nn.Linear(shape.width, shape.width),
                "k_proj": nn.Linear(shape.width, shape.width, bias=False),
                "v_proj": nn.Linear(shape.width, shape.width),
                "out_proj": nn.Linear(shape.width, shape.width),
            }
        )
        self.self_attn_layer_norm = nn.LayerNorm(shape.width)
        self.fc1 = nn.Linear(shape.width, shape.feed_forward)
        self.fc2 = nn.Linear(shape.feed_forward, shape.width)
        self.final_layer_norm = nn.LayerNorm(shape.width)

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """Hidden states (batch, n_frames, width); `bias` (batch, 1, 1, n_frames) is -inf where a key is padding."""
        states = states + self._attend(self.self_attn_layer_norm(states), bias)
        inner = nn.functional.gelu(self.fc1(self.final_layer_norm(states)))
        out: Tensor = states + self.fc2(inner)
        return out

    def _attend(self, states: Tensor, bias: Tensor) -> Tensor:
        batch, n_frames, width = states.shape

        def split(name: str) -> Tensor:
            projected: Tensor = self.self_attn[name](states)
            return projected.reshape(batch, n_frames, self.heads, width // self.heads).transpose(1, 2)

        attended = nn.functional.scaled_dot_product_attention(
            split("q_proj"), split("k_proj"), split("v_proj"), attn_mask=bias
        )
        out: Tensor = self.self_attn["out_proj"](attended.transpose(1, 2).reshape(batch, n_frames, width))
        return out


class WhisperEncoder(nn.Module):
    """The first blocks of a Whisper encoder.

    Args:
        shape: dimensions; from `read_shape`.
        blocks: whose outputs are given, 0 (the convolutions) to `shape.n_blocks`, ascending; several are concatenated.
        keep_level: see `WhisperLogMel`.
        dynamic_range_db: likewise.
    Attributes:
        pool_after: the block after which `pool` neighbouring frames are averaged, at most the first of `blocks`; None
            for no averaging.
        pool: how many.
    Shape:
        waveform (batch, n_samples), lengths (batch,) -> (batch, len(blocks) * width, n_frames), counts (batch,)
    """

    def __init__(
        self,
        shape: WhisperShape,
        blocks: tuple[int, ...],
        *,
        keep_level: bool = False,
        dynamic_range_db: float = DYNAMIC_RANGE_DB,
    ) -> None:
        super().__init__()
        if not blocks or list(blocks) != sorted(set(blocks)) or blocks[0] < 0 or blocks[-1] > shape.n_blocks:
            raise EncoderError(
                f"got blocks {list(blocks)}; expected different numbers in ascending order, "
                f"0 (the convolutions) to {shape.n_blocks}"
            )
        self.shape, self.blocks = shape, blocks
        self.pool_after: int | None = None
        self.pool = 1
        self.log_mel = WhisperLogMel(keep_level=keep_level, dynamic_range_db=dynamic_range_db)
        self.conv1 = nn.Conv1d(N_MELS, shape.width, 3, padding=1)
        self.conv2 = nn.Conv1d(shape.width, shape.width, 3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(shape.n_positions, shape.width)
        self.layers = nn.ModuleList(WhisperBlock(shape) for _ in range(blocks[-1]))
        self.layer_norm: nn.LayerNorm | None = None

    def split(self, n_blocks: int) -> LastBlocks:
        """Take the last blocks off, so that they can learn; the output is then that of the block before them.

        Args:
            n_blocks: 1 to the number of the one block whose output is given.
        """
        before = self.blocks[-1] - n_blocks
        last = LastBlocks(self.layers[before:], self.layer_norm)
        self.layers, self.layer_norm, self.blocks = self.layers[:before], None, (before,)
        return last

    @property
    def n_channels(self) -> int:
        """Channels of the output."""
        return len(self.blocks) * self.shape.width

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states, zero past each utterance's end, and the number of valid frames."""
        log_mel, counts = self.log_mel(waveform, lengths)
        mel_mask = length_mask(counts, log_mel.shape[2])[:, None, :]
        inner = nn.functional.gelu(self.conv1(log_mel)) * mel_mask
        counts = torch.div(counts + 1, 2, rounding_mode="floor")
        states = nn.functional.gelu(self.conv2(inner)).transpose(1, 2)
        states = states + self.embed_positions.weight[: states.shape[1]]
        states, counts = self._pooled(states, counts, 0)
        mask, bias = _valid(counts, states)
        outputs = [states] if 0 in self.blocks else []
        for number, layer in enumerate(self.layers, 1):
            states = layer(states, bias)
            if number == self.pool_after:
                states, counts = self._pooled(states, counts, number)
                mask, bias = _valid(counts, states)
            if number in self.blocks:
                outputs.append(
                    states if self.layer_norm is None or number < len(self.layers) else self.layer_norm(states)
                )
        return (torch.cat(outputs, 2) * mask[:, :, None]).transpose(1, 2), counts

    def _pooled(self, states: Tensor, counts: Tensor, block: int) -> tuple[Tensor, Tensor]:
        if block != self.pool_after:
            return states, counts
        valid = states * length_mask(counts, states.shape[1])[:, :, None]
        frames, counts = average_frames(valid.transpose(1, 2), counts, self.pool)
        return frames.transpose(1, 2), counts

    def cut_positions(self, window_s: float) -> None:
        """Drop the rows of the position table that a window of that length never reaches."""
        n_rows = min(self.shape.n_positions, math.ceil(window_s * SAMPLE_RATE / (2 * HOP_LENGTH)))
        table = nn.Embedding(n_rows, self.shape.width)
        with torch.no_grad():
            table.weight.copy_(self.embed_positions.weight[:n_rows])
        self.embed_positions = table


class LastBlocks(nn.Module):
    """The last blocks of an encoder, by themselves; made by `WhisperEncoder.split`.

    Shape:
        frames (batch, width, n_frames) of the block before, counts (batch,) -> frames of the last block
    """

    def __init__(self, layers: nn.ModuleList, layer_norm: nn.LayerNorm | None) -> None:
        super().__init__()
        self.layers, self.layer_norm = layers, layer_norm

    def forward(self, frames: Tensor, counts: Tensor) -> Tensor:
        """Hidden states, zero past each utterance's end."""
        states = frames.transpose(1, 2)
        mask, bias = _valid(counts, states)
        for layer in self.layers:
            states = layer(states, bias)
        if self.layer_norm is not None:
            states = self.layer_norm(states)
        return (states * mask[:, :, None]).transpose(1, 2)


def _valid(counts: Tensor, states: Tensor) -> tuple[Tensor, Tensor]:
    """Which frames are valid, (batch, n_frames), and what is added to attention, -inf where a key is padding."""
    mask = length_mask(counts, states.shape[1])
    return mask, torch.zeros_like(mask, dtype=states.dtype).masked_fill(~mask, -math.inf)[:, None, None, :]


def average_frames(frames: Tensor, counts: Tensor, pool: int) -> tuple[Tensor, Tensor]:
    """Means of `pool` neighbouring frames; the last mean is over the valid frames that are left.

    Args:
        frames: shape (batch, channels, n_frames), zero past each utterance's end.
        counts: valid frames of each, shape (batch,).
        pool: how many are averaged.
    Returns:
        shape (batch, channels, ceil(n_frames / pool)), and ceil(counts / pool).
    """
    if pool == 1:
        return frames, counts
    pooled_counts = torch.div(counts + (pool - 1), pool, rounding_mode="floor")
    summed = nn.functional.avg_pool1d(nn.functional.pad(frames, (0, pool - 1)), pool) * pool
    valid = torch.arange(summed.shape[2], device=frames.device)[None, :] * pool
    size = torch.clamp(counts[:, None] - valid, min=1, max=pool)
    return summed / size[:, None, :], pooled_counts

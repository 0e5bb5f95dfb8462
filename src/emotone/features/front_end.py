"""The front end of every network: waveform -> log-mel spectrogram or MFCC, in dB, with the number of valid frames.

Conventions: see `spectrogram`. Features are (batch, n_bands, n_frames) in dB (10 log10 of power, floor -100 dB);
frames past an utterance's own end are zero. An utterance padded in a batch gives the same frames as alone, because the
centre padding is zero too.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from torch import Tensor, nn

from emotone.features.spectrogram import (
    Spectrogram,
    frame_counts,
    length_mask,
    mel_filterbank,
)
from emotone.features.whisper import DYNAMIC_RANGE_DB

POWER_FLOOR = 1e-10
"""librosa's amin: keeps the logarithm of silence finite, at -100 dB."""


_OF_SPECTROGRAMS = {"n_fft", "win_length", "hop_length", "n_mels", "n_mfcc", "f_min", "f_max", "fixed_frames"}
_OF_ENCODERS = {"source", "revision", "sha256", "blocks", "pool", "pool_after", "trainable", "fine_tuned"}


class FeatureOptions(BaseModel):
    """Settings of a front end; the recipe's table `[features]`.

    Attributes:
        kind: "log_mel", "mfcc", or "whisper", the frames of a pretrained encoder, which only the attributes from
            `source` on apply to, and `dynamic_range_db`.
        sample_rate: in Hz.
        n_fft: DFT length in samples.
        win_length: window in samples.
        hop_length: step in samples.
        n_mels: mel filters.
        n_mfcc: cepstral coefficients kept (kind "mfcc").
        f_min: lowest frequency in Hz.
        f_max: highest frequency in Hz.
        fixed_frames: cut or zero-pad every waveform to fixed_frames * hop_length samples, and keep the first
            fixed_frames centred frames; the padding is visible, as in the paper. 0 takes any length.
        source: of the encoder: a folder with `config.json` and `model.safetensors`, or a repository of the Hugging
            Face hub such as "openai/whisper-base"; see `encoder_frames.find_encoder`.
        revision: commit of that repository.
        sha256: of the encoder's weights (`whisper.encoder_digest` of its last block used); "" accepts any.
        blocks: whose outputs are the frames, 0 (the convolutions) to the last, ascending; several are concatenated.
        pool: so many neighbouring frames, of 20 ms each, are averaged into one.
        pool_after: the block after which they are, 0 to the last used; None is the last. An earlier one makes the
            blocks behind it as many times cheaper.
        dynamic_range_db: the log-mel spectrogram is cut off so far below its loudest value; None is Whisper's own 80
            for an encoder, and no limit otherwise. With less, faint noise and the kind of silence around speech change
            the features less.
        trainable: whether the whole encoder learns too, from waveforms; otherwise its frames are computed once and
            stored.
        fine_tuned: so many blocks, up to the one whose output is used, learn too; the frames of the block before them
            are stored.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["log_mel", "mfcc", "whisper"] = "log_mel"
    sample_rate: int = 16_000
    n_fft: int = Field(512, ge=64)
    win_length: int = Field(400, ge=16)
    hop_length: int = Field(160, ge=1)
    n_mels: int = Field(64, ge=8)
    n_mfcc: int = Field(40, ge=2)
    f_min: float = Field(50.0, ge=0)
    f_max: float = 8000.0
    fixed_frames: int = Field(0, ge=0)
    source: str = ""
    revision: str = ""
    sha256: str = ""
    blocks: tuple[int, ...] = (2,)
    pool: int = Field(2, ge=1)
    pool_after: int | None = Field(None, ge=0)
    dynamic_range_db: float | None = Field(None, ge=10, le=100)
    trainable: bool = False
    fine_tuned: int = Field(0, ge=0)

    @field_validator("dynamic_range_db")
    @classmethod
    def _none_for_the_usual_range(cls, value: float | None, info: ValidationInfo) -> float | None:
        # One spelling of Whisper's own range: keys of runs and of stored frames follow from these settings.
        return None if info.data.get("kind") == "whisper" and value == DYNAMIC_RANGE_DB else value

    @field_validator("pool_after")
    @classmethod
    def _none_for_the_last_block(cls, value: int | None, info: ValidationInfo) -> int | None:
        # One spelling of "after the last block", for the same reason.
        return None if (value,) == info.data.get("blocks") else value

    @model_serializer(mode="wrap")
    def _of_its_kind(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A run's key is made of its recipe: the settings of an encoder must not change the keys of runs without one,
        # nor a setting that is left as it was those of earlier runs.
        settings: dict[str, Any] = write(self)
        dropped = _OF_SPECTROGRAMS if self.kind == "whisper" else _OF_ENCODERS
        if self.dynamic_range_db is None:
            dropped = dropped | {"dynamic_range_db"}
        if not self.fine_tuned:
            dropped = dropped | {"fine_tuned"}
        if self.pool_after is None:
            dropped = dropped | {"pool_after"}
        return {name: value for name, value in settings.items() if name not in dropped}

    @model_validator(mode="after")
    def _fits(self) -> FeatureOptions:
        if self.win_length > self.n_fft:
            raise ValueError(f"win_length {self.win_length} is larger than n_fft {self.n_fft}")
        if not self.f_min < self.f_max <= self.sample_rate / 2:
            raise ValueError(f"expected f_min < f_max <= {self.sample_rate / 2}, got {self.f_min} and {self.f_max}")
        if self.kind == "mfcc" and self.n_mfcc > self.n_mels:
            raise ValueError(f"n_mfcc {self.n_mfcc} is larger than n_mels {self.n_mels}")
        if self.kind == "whisper" and not self.source:
            raise ValueError("kind whisper needs the source of the encoder, for example openai/whisper-base")
        foreign = self.model_fields_set & (_OF_SPECTROGRAMS if self.kind == "whisper" else _OF_ENCODERS)
        if foreign:
            raise ValueError(f"{', '.join(sorted(foreign))} cannot be set for kind {self.kind}")
        if self.pool_after is not None and self.pool_after > self.blocks[0] - self.fine_tuned:
            raise ValueError(
                f"got pool_after {self.pool_after}; expected at most {self.blocks[0] - self.fine_tuned}: "
                "frames are averaged before those that are used, and before the blocks that learn"
            )
        if self.fine_tuned and (self.trainable or len(self.blocks) != 1 or self.fine_tuned > self.blocks[0]):
            raise ValueError(
                f"got fine_tuned {self.fine_tuned} with blocks {list(self.blocks)} and trainable {self.trainable}; "
                "expected one block, at most as many blocks that learn, and trainable false"
            )
        return self

    @property
    def learns(self) -> bool:
        """Whether the front end has weights that are learnt."""
        return self.trainable or self.fine_tuned > 0

    @property
    def stored(self) -> FeatureOptions:
        """Of the frames that can be stored: those before the first block that learns."""
        if not self.fine_tuned:
            return self
        last = self.blocks[0] - self.fine_tuned
        changes: dict[str, Any] = {"blocks": (last,), "fine_tuned": 0, "sha256": ""}
        if self.pool_after is None:
            changes["pool"] = 1
        return self.model_copy(update=changes)

    @property
    def n_bands(self) -> int:
        """Rows of the feature map: mel bands, or cepstral coefficients."""
        return self.n_mfcc if self.kind == "mfcc" else self.n_mels

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length


class FrontEnd(nn.Module):
    """Waveform in, features out.

    Attributes:
        options: its settings.
        spectrogram: the layer that everything else is made of; a front end without audio has none.
    Shape:
        waveform (batch, n_samples), lengths (batch,) -> features (batch, n_bands, n_frames), n_frames (batch,)
    """

    options: FeatureOptions
    spectrogram: Spectrogram

    @property
    def min_samples(self) -> int:
        """The shortest waveform that it takes, in samples."""
        return self.options.win_length


class LogMel(FrontEnd):
    """Log-mel spectrogram, power scale, in dB.

    Shape:
        waveform (batch, n_samples), lengths (batch,) -> features (batch, n_mels, n_frames), n_frames (batch,)
    References:
        Davis & Mermelstein (1980); the filters as in Slaney (1998).
    """

    filters: Tensor

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options
        self.spectrogram = Spectrogram(options.n_fft, options.win_length, options.hop_length)
        filters = mel_filterbank(options.sample_rate, options.n_fft, options.n_mels, options.f_min, options.f_max)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features in dB, zero past each utterance's end, and the number of valid frames."""
        waveform = waveform * length_mask(lengths, waveform.shape[1])
        if self.options.fixed_frames:
            n_samples = self.options.fixed_frames * self.options.hop_length
            waveform = nn.functional.pad(waveform, (0, n_samples))[:, :n_samples]
            counts = torch.full_like(lengths, self.options.fixed_frames)
            return self._decibel(waveform, counts)[:, :, : self.options.fixed_frames], counts
        counts = frame_counts(lengths, self.options.hop_length)
        decibel = self._decibel(waveform, counts)
        return decibel * length_mask(counts, decibel.shape[2])[:, None, :], counts

    def _decibel(self, waveform: Tensor, counts: Tensor) -> Tensor:
        # Single precision throughout: the sums hold under mixed precision too, where half precision would overflow.
        with torch.autocast(waveform.device.type, enabled=False):
            power = torch.matmul(self.filters, self.spectrogram(waveform.float()))
            decibel = (10.0 / math.log(10.0)) * torch.log(torch.clamp(power, min=POWER_FLOOR))
            if self.options.dynamic_range_db is None:
                return decibel
            valid = length_mask(counts, decibel.shape[2])[:, None, :]
            loudest = torch.where(valid, decibel, -math.inf).amax((1, 2), keepdim=True)
            return torch.maximum(decibel, loudest - self.options.dynamic_range_db)


class Mfcc(LogMel):
    """Mel-frequency cepstral coefficients: the orthonormal DCT-II of the log-mel spectrogram in dB.

    Shape:
        waveform (batch, n_samples), lengths (batch,) -> features (batch, n_mfcc, n_frames), n_frames (batch,)
    References:
        Davis & Mermelstein (1980).
    """

    cosines: Tensor

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__(options)
        self.register_buffer("cosines", _orthonormal_dct(options.n_mfcc, options.n_mels), persistent=False)

    def _decibel(self, waveform: Tensor, counts: Tensor) -> Tensor:
        decibel = super()._decibel(waveform, counts)
        with torch.autocast(waveform.device.type, enabled=False):
            return torch.matmul(self.cosines, decibel)


def _orthonormal_dct(n_out: int, n_in: int) -> Tensor:
    """The first `n_out` rows of the orthonormal DCT-II of size `n_in`."""
    phase = torch.outer(torch.arange(n_out, dtype=torch.float64), torch.arange(n_in, dtype=torch.float64) + 0.5)
    rows = torch.cos(phase * (math.pi / n_in)) * math.sqrt(2.0 / n_in)
    rows[0] *= math.sqrt(0.5)
    return rows.float()


def build_front_end(options: FeatureOptions) -> FrontEnd:
    """The layer that `options` describe."""
    return Mfcc(options) if options.kind == "mfcc" else LogMel(options)

"""A pretrained speech encoder as a front end: waveform -> frames of its chosen blocks, averaged in pairs.

Conventions: frames are (batch, n_channels, n_frames), zero past each utterance's end. The weights of a frozen encoder
are not part of the network's state: they are read from `source` whenever a network is built, and their hash is checked.
Blocks that learn are part of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emotone.errors import EncoderError, MissingExtraError
from emotone.features.front_end import FeatureOptions, FrontEnd
from emotone.features.spectrogram import Spectrogram
from emotone.features.whisper import DYNAMIC_RANGE_DB, MIN_SAMPLES, WhisperEncoder, average_frames
from emotone.features.whisper_files import encoder_digest, load_encoder

ENCODERS_VARIABLE = "EMOTONE_ENCODERS"
"""Environment variable that names a folder of encoders, for machines without a network: the encoder
`openai/whisper-base` is looked for in its folder `whisper-base` before the hub is asked."""

_FILES = ("config.json", "model.safetensors")


class EncoderFrames(FrontEnd):
    """Frames of a Whisper encoder.

    Args:
        options: of kind "whisper".
    Raises:
        EncoderError: the encoder is not there, damaged, or not the one that the options name.
    Shape:
        waveform (batch, n_samples), lengths (batch,) -> frames (batch, n_channels, n_frames), counts (batch,)
    """

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options
        range_db = options.dynamic_range_db or DYNAMIC_RANGE_DB
        encoder = load_encoder(
            find_encoder(options.source, options.revision), options.blocks, dynamic_range_db=range_db
        )
        encoder.pool_after, encoder.pool = options.pool_after, options.pool
        self.digest = encoder_digest(encoder, options.blocks[-1])
        if options.sha256 and options.sha256 != self.digest:
            raise EncoderError(
                f"the weights of {options.source} have the SHA-256 {self.digest}, "
                f"but the recipe asks for {options.sha256}; use the encoder that it names"
            )
        self.n_channels = encoder.n_channels
        self.last_blocks = encoder.split(options.fine_tuned) if options.fine_tuned else None
        self._trained = encoder if options.trainable else None
        # Within a list it is not registered as a part of the module: its weights are neither learnt nor saved.
        self._frozen = [] if options.trainable else [encoder.requires_grad_(False)]

    @property
    def encoder(self) -> WhisperEncoder:
        """The encoder itself, without the blocks that are fine-tuned."""
        return self._trained if self._trained is not None else self._frozen[0]

    @property
    def min_samples(self) -> int:
        """The shortest waveform that it takes, in samples."""
        return MIN_SAMPLES

    @property
    def spectrogram(self) -> Spectrogram:  # type: ignore[override]
        """The encoder's own."""
        return self.encoder.log_mel.spectrogram

    def _apply(self, fn: Any, recurse: bool = True) -> EncoderFrames:
        # Moves an encoder that is not registered to the device of the rest.
        for encoder in self._frozen:
            encoder._apply(fn, recurse)  # type: ignore[no-untyped-call]  # of PyTorch
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Frames and their number."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.options.trainable):
            frames, counts = self.encoder(waveform, lengths)
        return self.finish(frames, counts)

    def finish(self, frames: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """The output for frames of the blocks that do not learn, and its number of frames.

        Args:
            frames: shape (batch, n_channels, n_frames), zero past each utterance's end.
            counts: shape (batch,).
        """
        if self.last_blocks is not None:
            frames = self.last_blocks(frames, counts)
        return average_frames(frames, counts, self.options.pool if self.options.pool_after is None else 1)

    def stored_part(self) -> EncoderFrames:
        """What gives the frames that can be stored: itself, or the blocks before those that learn."""
        return EncoderFrames(self.options.stored) if self.options.fine_tuned else self


def find_encoder(source: str, revision: str = "") -> Path:
    """The folder of an encoder, downloaded from the hub where it is not on this machine.

    Args:
        source: a folder; or a repository of the Hugging Face hub, looked for first in the folder that the environment
            variable `EMOTONE_ENCODERS` names.
        revision: commit of the repository; "" takes its main branch.
    Raises:
        EncoderError: it is neither here nor to be had from the hub.
        MissingExtraError: it would have to be downloaded, and the extra `hub` is not installed.
    """
    if Path(source).is_dir():
        return Path(source)
    folder = os.environ.get(ENCODERS_VARIABLE)
    if folder and (Path(folder) / Path(source).name).is_dir():
        return Path(folder) / Path(source).name
    if source.count("/") != 1 or source.startswith((".", "/")):
        raise EncoderError(
            f"no folder {source!r}; expected a folder with {' and '.join(_FILES)}, or a repository such as "
            f"openai/whisper-base (looked for in the folder that {ENCODERS_VARIABLE} names, then on the hub)"
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError(f"the encoder {source} is not on this machine; to download it", "hub") from error
    try:
        found = snapshot_download(source, revision=revision or None, allow_patterns=list(_FILES))
    except Exception as error:  # the client's errors have no common root below Exception
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise EncoderError(
            f"the encoder {source} is not on this machine and cannot be downloaded ({reason}); download "
            f"{' and '.join(_FILES)} of it elsewhere and set {ENCODERS_VARIABLE} to the folder that holds its folder"
        ) from error
    return Path(found)

"""A store of a frozen encoder's frames on disk, for recordings and copies of them.

A copy's number is 0 for the recording itself, 1, 2, … for other recording conditions, and -1, -2, … for other silence.

Conventions: an entry is one block's output for one copy of one utterance: float16 (n_frames, width), in a file named by
the SHA-256 of all that it depends on (the recording, the encoder, the block, the pooling, the copy). Entries are
therefore shared between corpora, recipes and runs, and computing them again after an interruption continues where it
stopped. A damaged entry is noticed by its checksum when the store is opened, and computed again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emotone.errors import StoreError
from emotone.features.conditions import ConditionOptions, augmented_copy
from emotone.features.encoder_frames import EncoderFrames
from emotone.features.silence import SilenceOptions, with_other_silence
from emotone.features.whisper_files import encoder_digest
from emotone.training.data.entries import read_entry, write_entry
from emotone.training.data.waveform_store import StoredWaveforms

_MAGIC = b"EMOTFRM1"

BATCH_SAMPLES = 16_000 * 24
"""A batch holds about so many samples, padding included: larger ones fall out of the processor's cache."""

Progress = Callable[[int, int], None]


class FrameStore:
    """Frames of an encoder in a folder.

    Args:
        folder: where entries are kept; any number of processes may share it.
        front_end: computes the frames; of one that is fine-tuned, those before the blocks that learn are stored.
        conditions: how copies under other conditions are made.
        silence: how copies with other silence are made.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        front_end: EncoderFrames,
        conditions: ConditionOptions | None = None,
        silence: SilenceOptions | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.front_end = front_end.stored_part()
        self.conditions = conditions or ConditionOptions()
        self.silence = silence or SilenceOptions()
        blocks = self.front_end.options.blocks
        self._digests = {block: encoder_digest(self.front_end.encoder, block) for block in blocks}

    def entry(self, waveform_entry: Path, block: int, copy: int) -> Path:
        """The file of one block's frames of one copy.

        Args:
            waveform_entry: of the waveform store; its name identifies the recording.
            block: of the encoder.
            copy: its number.
        """
        options = self.front_end.options
        asked = [waveform_entry.stem, self._digests[block], block, options.pool, copy]
        if copy:
            asked.append(self.conditions.settings() if copy > 0 else self.silence.settings())
        if options.dynamic_range_db is not None:
            asked.append({"dynamic_range_db": options.dynamic_range_db})
        if options.pool_after is not None:
            asked.append({"pool_after": options.pool_after})
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest[2:34]}.frames"

    def fill(
        self,
        waveforms: StoredWaveforms,
        indices: Sequence[int],
        copies: Sequence[int],
        progress: Progress | None = None,
    ) -> None:
        """Compute what is missing.

        Which utterances share a batch does not depend on what is there already, because a matrix product of another
        size may round otherwise: after an interruption the same bits are stored.

        Args:
            waveforms: of the corpus.
            indices: which utterances.
            copies: numbers of the copies of each.
            progress: called with (done, all) after each batch.
        Raises:
            StoreError: the store cannot be written.
        """
        batches = [
            [(index, copy) for index in members]
            for copy in sorted(copies)
            for members in _batches(sorted(indices, key=lambda index: int(waveforms.lengths[index])), waveforms.lengths)
        ]
        missing = [sum(not self._has(waveforms, *one) for one in members) for members in batches]
        done = 0
        for members, n_missing in zip(batches, missing, strict=True):
            if n_missing:
                self._write(waveforms, members, [self._copy(waveforms, *one) for one in members])
                done += n_missing
                if progress is not None:
                    progress(done, sum(missing))

    def _has(self, waveforms: StoredWaveforms, index: int, copy: int) -> bool:
        return all(
            _is_whole(self.entry(waveforms.paths[index], block, copy)) for block in self.front_end.options.blocks
        )

    def _copy(self, waveforms: StoredWaveforms, index: int, copy: int) -> NDArray[np.float32]:
        name, sample_rate = waveforms.paths[index].stem, waveforms.sample_rate
        if copy < 0:
            return with_other_silence(waveforms.read(index), self.silence, -copy, name, sample_rate)
        return augmented_copy(waveforms.read(index), self.conditions, copy, name, sample_rate=sample_rate)

    def _write(
        self, waveforms: StoredWaveforms, members: list[tuple[int, int]], batch: list[NDArray[np.float32]]
    ) -> None:
        padded = np.zeros((len(batch), max(map(len, batch))), dtype=np.float32)
        for row, one in zip(padded, batch, strict=True):
            row[: len(one)] = one
        with torch.inference_mode():
            frames, counts = self.front_end(torch.from_numpy(padded), torch.tensor([len(one) for one in batch]))
        blocks = self.front_end.options.blocks
        width = frames.shape[1] // len(blocks)
        for (index, copy), one, count in zip(members, frames, counts.tolist(), strict=True):
            for position, block in enumerate(blocks):
                content = one[position * width : (position + 1) * width, :count].T.half().contiguous().numpy()
                entry = self.entry(waveforms.paths[index], block, copy)
                if not _is_whole(entry):
                    write_entry(entry, _MAGIC, width, count, content.tobytes())

    def read(self, waveform_entry: Path, copy: int = 0) -> NDArray[np.float16]:
        """Frames of the front end's blocks, concatenated, shape (n_frames, n_channels).

        Raises:
            StoreError: they were never computed, or an entry is damaged.
        """
        parts = []
        for block in self.front_end.options.blocks:
            path = self.entry(waveform_entry, block, copy)
            found = _read(path)
            if found is None:
                raise StoreError(f"the frames {path} are missing or damaged; start again to compute them")
            parts.append(found)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _read(path: Path) -> NDArray[np.float16] | None:
    entry = read_entry(path, _MAGIC)
    if entry is None:
        return None
    width, count, body = entry
    return np.frombuffer(body, dtype="<f2").reshape(count, width) if len(body) == 2 * width * count else None


def _is_whole(path: Path) -> bool:
    return path.is_file() and _read(path) is not None


def _batches(indices: Sequence[int], lengths: NDArray[np.int64]) -> Iterator[list[int]]:
    """Utterances, shortest first, in batches of at most `BATCH_SAMPLES` of the recordings themselves, or of one."""
    batch: list[int] = []
    for index in indices:
        if batch and int(lengths[index]) * (len(batch) + 1) > BATCH_SAMPLES:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch

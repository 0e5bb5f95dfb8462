"""A store of decoded waveforms on disk, so that training never waits for a decoder.

Conventions: an entry is one utterance as 16-bit integers at one sample rate, in a file named by the SHA-256 of the
recording's bytes and of the settings. The name therefore changes with the content, entries are shared between corpora
and runs, and two processes that make the same entry write the same bytes; each writes beside it and renames.

An entry's header carries its length and a checksum. A damaged entry is noticed when the store is opened, and made
again. Only waveforms are stored: features take less time to compute than to read, and waveforms can be augmented.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emotone.audio import load_audio
from emotone.corpora.utterance import Utterance
from emotone.errors import AudioError, StoreError
from emotone.training.data.entries import HEADER_SIZE, read_entry, write_entry

_MAGIC = b"EMOTWAV1"
_SCALE = np.float32(1 / 32768)


@dataclass(frozen=True, slots=True)
class StoredWaveforms:
    """The waveforms of a list of utterances, read from disk when asked for.

    Attributes:
        paths: the entry of each utterance.
        lengths: samples of each, shape (n,).
        sample_rate: in Hz.
    """

    paths: tuple[Path, ...]
    lengths: NDArray[np.int64]
    sample_rate: int

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int, start: int = 0, n_samples: int | None = None) -> NDArray[np.float32]:
        """A waveform, or a part of it, as float32 in [-1, 1), shape (n_samples,)."""
        length = int(self.lengths[index])
        stop = length if n_samples is None else min(length, start + n_samples)
        stored = np.memmap(self.paths[index], dtype="<i2", mode="r", offset=HEADER_SIZE, shape=(length,))
        return stored[start:stop].astype(np.float32) * _SCALE


class WaveformStore:
    """Decoded waveforms in a folder.

    Args:
        folder: where entries are kept; it may be shared by any number of processes.
        sample_rate: of the entries, in Hz.
    """

    def __init__(self, folder: str | os.PathLike[str], *, sample_rate: int = 16_000) -> None:
        self.folder = Path(folder)
        self.sample_rate = sample_rate

    def open(
        self,
        utterances: Sequence[Utterance],
        *,
        workers: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> StoredWaveforms:
        """The waveforms of `utterances`, decoding those that are missing or damaged.

        Args:
            utterances: what to decode.
            workers: decoders at once.
            progress: called with (done, all) after each utterance.
        Raises:
            StoreError: recordings that cannot be decoded, all of them named; or a folder that cannot be written.
        """
        failures: list[str] = []

        def ready(utterance: Utterance) -> tuple[Path, int]:
            try:
                return self._entry(utterance)
            except AudioError as error:
                failures.append(f"{utterance.id}: {error}")
                return Path(), 0

        entries: list[tuple[Path, int]] = []
        with ThreadPoolExecutor(max(1, workers)) as pool:
            for entry in pool.map(ready, utterances):
                entries.append(entry)
                if progress is not None:
                    progress(len(entries), len(utterances))
        if failures:
            shown = "\n  ".join(sorted(failures)[:20])
            raise StoreError(
                f"{len(failures)} of {len(utterances)} recordings cannot be used; "
                f"mend or drop them, then start again:\n  {shown}"
            )
        lengths = np.array([length for _, length in entries], dtype=np.int64)
        return StoredWaveforms(tuple(path for path, _ in entries), lengths, self.sample_rate)

    def _entry(self, utterance: Utterance) -> tuple[Path, int]:
        path = self.folder / self._name(utterance)
        length = _checked_length(path, self.sample_rate)
        if length is None:
            waveform = load_audio(
                utterance.path,
                sample_rate=self.sample_rate,
                truncated="error",
                start_s=utterance.start_s,
                end_s=utterance.end_s,
            )
            samples = np.clip(np.rint(waveform * 32768), -32768, 32767).astype("<i2")
            write_entry(path, _MAGIC, self.sample_rate, len(samples), samples.tobytes())
            length = len(samples)
        return path, length

    def _name(self, utterance: Utterance) -> str:
        try:
            content = hashlib.sha256(utterance.path.read_bytes())
        except OSError as error:
            raise StoreError(f"cannot read {utterance.path}: {error.strerror or error}") from error
        content.update(f"|{self.sample_rate}|{utterance.start_s}|{utterance.end_s}|int16 mono".encode())
        digest = content.hexdigest()
        return f"{digest[:2]}/{digest[2:34]}.wave"


def _checked_length(path: Path, sample_rate: int) -> int | None:
    """Samples of a sound entry, None where it is missing or damaged."""
    entry = read_entry(path, _MAGIC)
    if entry is None:
        return None
    rate, length, body = entry
    return length if rate == sample_rate and len(body) == 2 * length else None

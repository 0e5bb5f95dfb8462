"""The names under which frames are stored."""

from __future__ import annotations

from pathlib import Path

from tests.features.test_whisper import write_encoder

from emotone.features.encoder_frames import EncoderFrames
from emotone.features.front_end import FeatureOptions
from emotone.training.data.frame_store import FrameStore


def test_frames_of_another_range_are_other_entries(tmp_path):
    source = str(write_encoder(tmp_path / "whisper-made-up"))

    def entry(**settings: float) -> Path:
        options = FeatureOptions(kind="whisper", source=source, blocks=(1,), **settings)
        return FrameStore(tmp_path / "store", EncoderFrames(options)).entry(Path("recording"), 1, 0)

    assert entry() == entry(dynamic_range_db=80)
    assert len({entry(), entry(dynamic_range_db=60), entry(dynamic_range_db=50)}) == 3
    assert len({entry(), *(entry(pool_after=block) for block in (0, 1))}) == 3

"""`emotone listen` on a microphone: the real PortAudio, fed by a PulseAudio server of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from emotone.audio import load_audio

COMMAND = [sys.executable, "-c", "from emotone.cli.main import main; main()", "listen", "--device", "room"]
RATE = 16_000

BLOCKS = """
import sys, time
import numpy as np
from emotone.listening.sound.live_sources import microphone_blocks
end = time.monotonic() + float(sys.argv[1])
with open(sys.argv[2], "wb") as file:
    for block in microphone_blocks(sample_rate=16_000, n_channels=2, device="room"):
        assert block.shape == (2, 320)
        file.write(np.rint(block * 32_768).astype("<i2").T.tobytes())
        if time.monotonic() > end:
            break
"""

# A line of ALSA's that records what is played into the room.
ALSA = '</usr/share/alsa/alsa.conf>\npcm.room {{ type pulse server "{server}" device "room.monitor" }}\n'


@pytest.fixture(scope="module")
def call(clips_dir: Path) -> bytes:
    """Five seconds of speech on the left, silence on the right."""
    clips = [load_audio(path) for path in sorted((clips_dir / "emodb").glob("*.flac"))]
    left = np.rint(np.concatenate(clips)[: 5 * RATE] * 32_767).astype("<i2")
    return np.stack([left, np.zeros_like(left)], axis=1).tobytes()


class Room:
    """A virtual room: what is played into it, its microphone hears."""

    def __init__(self, server: str, environment: dict[str, str]) -> None:
        self.server, self.environment = server, environment

    def play(self, samples: bytes) -> None:
        words = ["pacat", "--playback", "--raw", "-s", self.server, "-d", "room"]
        words += ["--format=s16le", "--rate=16000", "--channels=2"]
        # PulseAudio swallows the first few milliseconds of a new stream.
        silence = bytes(4 * RATE // 5)
        subprocess.run(words, input=silence + samples, env=self.environment, check=True, timeout=60)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    pytest.importorskip(
        "sounddevice", reason="the extra `live` or PortAudio is not installed", exc_type=(ImportError, OSError)
    )
    for program in ("pulseaudio", "pacat"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: nothing can stand in for a microphone")
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        pytest.skip("ALSA has no plugin for PulseAudio (libasound2-plugins)")
    folder = tmp_path_factory.mktemp("room")
    server = f"unix:{folder}/native"
    settings = folder / "asound.conf"
    settings.write_text(ALSA.format(server=server))
    environment = os.environ | {
        "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "ALSA_CONFIG_PATH": str(settings)
    }  # fmt: skip
    modules = [f"module-native-protocol-unix socket={folder}/native auth-anonymous=1"]
    modules += ["module-null-sink sink_name=room rate=16000 channels=2 format=s16le"]
    words = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
    words += [word for module in modules for word in ("-L", module)]
    with subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 20
            while not (folder / "native").exists() and time.monotonic() < end and process.poll() is None:
                time.sleep(0.05)
            if not (folder / "native").exists():
                pytest.skip("PulseAudio does not start here")
            yield Room(server, environment)
        finally:
            process.terminate()


@pytest.mark.slow
def test_every_sample_of_the_room_arrives_and_in_order(room: Room, call: bytes, tmp_path: Path) -> None:
    heard = tmp_path / "heard.raw"
    with subprocess.Popen([sys.executable, "-c", BLOCKS, "10", str(heard)], env=room.environment) as listening:
        end = time.monotonic() + 20
        while not (heard.exists() and heard.stat().st_size) and time.monotonic() < end:
            time.sleep(0.05)
        room.play(call)
        assert listening.wait(timeout=60) == 0
    assert call in heard.read_bytes()


@pytest.mark.slow
def test_the_sides_of_a_line_are_recognised_until_ctrl_c(room: Room, call: bytes, tiny_model: Path) -> None:
    words = [*COMMAND, "--model", str(tiny_model), "--format", "jsonl", "--channels", "split", "--n-channels", "2"]
    with subprocess.Popen(
        words, env=room.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as listening:
        assert listening.stdout is not None
        # The first window says that it listens.
        first = json.loads(listening.stdout.readline())
        room.play(call)
        time.sleep(2.5)
        listening.send_signal(signal.SIGINT)
        out, err = listening.communicate(timeout=60)
    assert (listening.returncode, err) == (0, "")
    assert (first["event"], first["speech"]) == ("window", False)
    segments = [line for line in map(json.loads, out.splitlines()) if line["event"] == "segment"]
    spoken = [one for one in segments if one["speech"]]
    assert {one["channel"] for one in spoken} == {0}
    assert all(one["emotion"] in ("neutral", "happiness", "sadness", "anger") for one in spoken)
    assert spoken[-1]["end_s"] - spoken[0]["start_s"] == pytest.approx(5.0, abs=0.5)


@pytest.mark.slow
def test_a_microphone_that_is_none_is_an_error_that_says_what_to_do(room: Room, tiny_model: Path) -> None:
    for device in ("no such device", "99"):
        words = [*COMMAND[:-1], device, "--model", str(tiny_model)]
        done = subprocess.run(words, env=room.environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 3
        assert done.stderr.startswith("error: no microphone can be opened: ")
        assert "--device" in done.stderr
        assert "Traceback" not in done.stderr

"""One measurement, in a process of its own: python benchmarks/measure.py NAME [JSON ARGUMENTS]; prints JSON.

Each runs on one core and with one thread unless it says otherwise. Times are wall-clock seconds, the best of several runs;
memory is resident, in MB of 10^6 bytes.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import numpy as np  # noqa: E402

from benchmarks.material import RATE, LongWav, encoded, speech  # noqa: E402

CLIP_S = 4.0


def best(work: Callable[[], object], repeats: int) -> float:
    """The shortest of several runs, in seconds; the first, which warms up, is left out."""
    work()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def resident_mb() -> float:
    """What the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """The most that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def decode(duration_s: float, repeats: int) -> dict[str, float]:
    """Times real time of decoding and resampling to 16 kHz, for each format."""
    from benchmarks.material import FORMATS
    from emotone.audio import stream_audio

    found = {}
    for suffix in FORMATS:
        content = encoded(suffix, duration_s)
        found[suffix] = duration_s / best(lambda content=content: [None for _ in stream_audio(content)], repeats)
    return found


def graph(repeats: int, batch: int) -> dict[str, float]:
    """Milliseconds a 4-second window of each stage of the graph, from ONNX Runtime's own profile."""
    import onnxruntime

    from emotone.listening.loading import load

    load()  # the graph is known to be one of ours
    content = (Path(sys.modules["emotone"].__file__).parent / "weights" / "default.onnx").read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        n = round(CLIP_S * RATE)
        inputs = {"waveform": np.resize(speech(30), (batch, n)), "lengths": np.full(batch, n, np.int64)}
        for one in session.get_inputs():
            if one.name == "baseline":
                inputs[one.name] = np.zeros((batch, one.shape[1]), np.float32)
        for _ in range(repeats + 1):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text())
    runs: list[list[tuple[str, float]]] = []
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        details = event["args"]
        if details["node_index"] == events_first_index(events):
            runs.append([])
        runs[-1].append((details["op_name"], event["dur"] / 1e3 / batch))
    times = np.array([stages(run) for run in runs[1:]])
    front_end, encoder, network = times[times.sum(1).argmin()]
    return {"front_end_ms": float(front_end), "encoder_ms": float(encoder), "network_ms": float(network)}


def stages(nodes: list[tuple[str, float]]) -> tuple[float, float, float]:
    """Times of the spectrogram, the encoder and the network behind it, from all nodes in their order.

    The encoder is from the first convolution behind the spectrogram's logarithm to the last one that follows attention;
    a graph without attention has none. The last softmax of all gives the probabilities.
    """
    names = [name for name, _ in nodes]
    convolutions = [place for place, name in enumerate(names) if "Conv" in name]
    attention = [place for place, name in enumerate(names) if "Softmax" in name or "Attention" in name][:-1]
    encoder = next(place for place in convolutions if place > names.index("Log"))
    network = next(place for place in convolutions if place >= max([*attention, encoder]))
    times = np.array([time for _, time in nodes])
    return float(times[:encoder].sum()), float(times[encoder:network].sum()), float(times[network:].sum())


def events_first_index(events: list[dict[str, Any]]) -> str:
    """The index of the node that each run begins with."""
    nodes = (one for one in events if one.get("cat") == "Node" and one["name"].endswith("_kernel_time"))
    return str(next(nodes)["args"]["node_index"])


def clips(duration_s: float, repeats: int, model: str = "default") -> dict[str, float]:
    """Times real time of emotone on 4-second waveforms, one call each."""
    from emotone.listening.loading import load

    before = resident_mb()
    recognizer = load(model)
    sound = _clips(duration_s)
    seconds = best(lambda: [recognizer(clip, RATE) for clip in sound], repeats)
    return {"speed": duration_s / seconds, "memory_mb": peak_mb() - before, "ms": 1e3 * seconds / len(sound)}


def _clips(duration_s: float) -> list[Any]:
    n = round(CLIP_S * RATE)
    return list(speech(duration_s)[: round(duration_s / CLIP_S) * n].reshape(-1, n))


def opensmile(feature_set: str, duration_s: float, repeats: int) -> dict[str, float]:
    """Times real time of openSMILE's functionals of 4-second waveforms: features alone, no classifier."""
    import opensmile as package

    before = resident_mb()
    smile = package.Smile(feature_set=package.FeatureSet[feature_set], feature_level=package.FeatureLevel.Functionals)
    sound = _clips(duration_s)
    seconds = best(lambda: [smile.process_signal(clip, RATE) for clip in sound], repeats)
    return {
        "speed": duration_s / seconds,
        "memory_mb": peak_mb() - before,
        "ms": 1e3 * seconds / len(sound),
        "n_features": len(smile.feature_names),
    }


def wav2vec2(duration_s: float, repeats: int) -> dict[str, float]:
    """Times real time of a network with the shape of wav2vec2-base and random weights, on 4-second waveforms."""
    before = resident_mb()
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = Wav2Vec2Model(Wav2Vec2Config()).eval()
    sound = [torch.from_numpy(clip[None].copy()) for clip in _clips(duration_s)]

    def work() -> None:
        with torch.inference_mode():
            for clip in sound:
                model(clip)

    seconds = best(work, repeats)
    return {
        "speed": duration_s / seconds,
        "memory_mb": peak_mb() - before,
        "ms": 1e3 * seconds / len(sound),
        "n_parameters": sum(one.numel() for one in model.parameters()),
    }


def whole_file(duration_s: float, vad: bool, model: str = "default") -> dict[str, float]:
    """A long recording from bytes to segments: speed, and resident memory over that of the loaded model."""
    from emotone.listening.loading import load
    from emotone.listening.options import TimelineOptions

    recognizer = load(model)
    options = TimelineOptions(vad=vad)
    recognizer(speech(12), RATE, options=options)
    loaded = resident_mb()
    started = time.perf_counter()
    recognition = recognizer(LongWav(duration_s), options=options)
    seconds = time.perf_counter() - started
    return {
        "speed": duration_s / seconds,
        "over_model_mb": peak_mb() - loaded,
        "model_mb": loaded,
        "n_segments": len(recognition.segments),
    }


def live(duration_s: float, vad: bool) -> dict[str, float]:
    """Milliseconds from the last sample of a window to what is said of it: blocks of 20 ms, windows of 4 s."""
    from emotone.listening.live import LiveRecognizer
    from emotone.listening.loading import load
    from emotone.listening.options import TimelineOptions

    stream = LiveRecognizer(load(), options=TimelineOptions(vad=vad))
    latencies, last = [], None
    for i, block in enumerate(speech(duration_s).reshape(-1, RATE // 50)):
        started = time.perf_counter()
        stream.feed(block)
        seconds = time.perf_counter() - started
        if stream.current is not None and stream.current is not last:
            last = stream.current
            # What the stream waited for, such as the detector's next frame, counts as well.
            latencies.append(1e3 * ((i + 1) / 50 - last.end_s + seconds))
    low, high = np.percentile(latencies, [50, 99])
    return {"median_ms": float(low), "p99_ms": float(high), "n_windows": len(latencies)}


def cold_start(repeats: int) -> dict[str, float]:
    """Seconds from the shell to the exit of `emotone predict CLIP` and of an import; all cores."""
    from benchmarks.material import CLIPS

    command = shutil.which("emotone", path=str(Path(sys.executable).parent)) or "emotone"
    clip = str(CLIPS / "crema-d" / "1001_DFA_ANG_XX.opus")

    def run(*words: str) -> float:
        return best(lambda: subprocess.run(words, stdout=subprocess.DEVNULL, check=True), repeats)

    return {
        "predict_s": run(command, "predict", clip),
        "import_s": run(sys.executable, "-c", "import emotone"),
        "python_s": run(sys.executable, "-c", "pass"),
    }


def workers(n_workers: int, n_files: int) -> dict[str, float]:
    """Files a second of a batch of 4-second FLAC files, without the start of the workers; all cores."""
    from emotone.batch.local import recognise_many

    with tempfile.TemporaryDirectory() as folder:
        content = encoded("flac", CLIP_S)
        for i in range(n_files):
            Path(folder, f"{i:06}.flac").write_bytes(content)
        first, n_first, n_done, peak = 0.0, 0, 0, 0.0

        def note(now: Any) -> None:
            nonlocal first, n_first, n_done
            n_done = now.n_done
            # The first files of each worker wait for its model.
            if not first and now.n_done >= n_files // 10:
                first, n_first = time.perf_counter(), now.n_done

        recognise_many([folder], Path(folder, "results.csv"), workers=n_workers, on_progress=note)
        seconds = time.perf_counter() - first
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    rate = (n_done - n_first) / seconds
    return {"files_per_s": rate, "speed": rate * CLIP_S, "worker_peak_mb": peak, "parent_peak_mb": peak_mb()}


def scaling(rounds: int, n_files: int) -> dict[str, float]:
    """How many times the files a second of one worker two give, in turns: a machine's speed is not the same for minutes."""
    ratios = []
    for _ in range(rounds):
        one, two = (workers(n_workers, n_files)["files_per_s"] for n_workers in (1, 2))
        ratios.append(two / one)
    ordered = sorted(ratios)
    return {"ratio": ordered[len(ordered) // 2], "lowest": ordered[0], "highest": ordered[-1]}


def script(name: str) -> dict[str, float]:
    """What another script of this folder measures, in a process of its own."""
    words = [sys.executable, str(Path(__file__).with_name(f"{name}.py"))]
    free = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=free)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


MEASUREMENTS: dict[str, Callable[..., dict[str, float]]] = {
    one.__name__: one
    for one in (decode, graph, clips, opensmile, wav2vec2, whole_file, live, cold_start, workers, scaling, script)
}
ALL_CORES = ("cold_start", "workers", "scaling", "script")


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of others' packages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


if __name__ == "__main__":
    name = sys.argv[1]
    if name not in ALL_CORES:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with quiet():
        result = MEASUREMENTS[name](**json.loads(sys.argv[2]) if len(sys.argv) > 2 else {})
    print(json.dumps(result))

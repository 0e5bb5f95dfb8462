"""docs/benchmarks.md from the figures: ratios first, then what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

TEN_HOURS = {
    "file 10 h": "ten hours, one core, no voice detection",
    "file_vad 10 h": "ten hours, one core, voice detection (wanted: 100)",
    "small_vad 10 h": "ten hours, one core, voice detection, `small`",
}

BUSY_CORES = 0.1
"""What a machine does beside when it does nothing; more than that costs speed."""

Results = dict[str, dict[str, Any]]


def page(results: Results) -> str:
    """The whole page, in Markdown."""
    parts = [
        "# Benchmarks",
        "Written by `benchmarks/run.py`; not edited by hand.",
        *warnings_of(results),
        "## Ratios",
        _ratios(results),
        "## Side by side",
        "4-second waveforms one after the other on one core and one thread, in one run. openSMILE computes features and "
        "no emotion; the last has the shape of wav2vec2-base with random weights, and says nothing but how fast "
        "such a network is.",
        _baselines(results),
        "## Whole recordings",
        "From the bytes of a WAV to segments, one core, one thread. Memory is the most that was resident over that of "
        "the loaded model.",
        _lengths(results),
        "## Live",
        "From the last sample of a window to what is said of it, in blocks of 20 ms; what the voice detector waits for "
        "is part of it.",
        _live(results),
        "## Stages",
        _stages(results),
        "## Decoding",
        "To 16 kHz mono float, one core.",
        _decoding(results),
        "## Many recordings",
        "4-second FLAC files through `emotone predict FOLDER --output`, after the workers have started.",
        _workers(results),
        "## Cold start",
        _cold_start(results),
        "## Service",
        "A 3-second clip by HTTP on this machine: one client after another, then eight at once.",
        _service(results),
        "## Training",
        "One step after another on made-up clips of 3 s, features included, no augmentation; all cores.",
        _training(results),
        "## Machine",
        _machine(results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def warnings_of(results: Results) -> Iterable[str]:
    """What a reader has to know before any figure."""
    machine = results["machine"]
    if machine["quick"]:
        yield "**A quick run on minutes of sound: these figures are no benchmark.**"
    if "model" in machine:
        yield f"**Measured with {machine['model']}.**"
    disturbed = {key: one["others"] for key, one in results.items() if one.get("others", 0.0) > BUSY_CORES}
    if disturbed:
        which = ", ".join(f"{key} ({cores:g})" for key, cores in disturbed.items())
        yield (
            "**Other work ran on the machine meanwhile, so that these figures are lower bounds of speed "
            f"(in brackets, cores that it took): {which}.**"
        )


def _ratios(results: Results) -> str:
    rows = []
    for model, own in (("default", "clips"), ("small", "clips_small")):
        ours = results.get(own, {}).get("speed")
        for key, name, wanted in (
            ("opensmile_egemaps", "openSMILE eGeMAPS (features alone)", " (wanted: 2.5)"),
            ("opensmile_compare", "openSMILE ComParE (features alone)", ""),
            ("wav2vec2", "a network of wav2vec2-base's shape", " (wanted: 25)"),
        ):
            theirs = results.get(key, {}).get("speed")
            if ours and theirs:
                aim = wanted if model == "default" else ""
                rows.append([f"speed of `{model}` against {name}{aim}", f"{_number(ours / theirs)} times"])
    if "ratio" in (turns := results.get("scaling", {})):
        times = f"{turns['ratio']:.2f} times ({turns['lowest']:.2f} to {turns['highest']:.2f})"
        rows.append(["throughput of two workers against one, median of turns (wanted: 1.8)", times])
    for key, name in TEN_HOURS.items():
        if speed := results.get(key, {}).get("speed"):
            rows.append([name, f"{_number(speed)} times real time"])
    minute, hours = (results.get(f"file_vad {length}", {}).get("over_model_mb") for length in ("10 min", "10 h"))
    if minute and hours:
        rows.append(["memory of ten hours against ten minutes", f"{hours / minute:.2f} times"])
    return _table(["", ""], rows)


def _baselines(results: Results) -> str:
    names = {
        "clips": "emotone `default`, waveform to emotion",
        "clips_small": "emotone `small`, waveform to emotion",
        "opensmile_egemaps": "openSMILE eGeMAPSv02",
        "opensmile_compare": "openSMILE ComParE_2016",
        "wav2vec2": "wav2vec2-base's shape, random weights",
    }
    return _rows(
        results,
        names,
        ["", "times real time", "ms a waveform", "memory, MB"],
        lambda one: [_number(one["speed"]), _number(one["ms"]), _number(one["memory_mb"])],
    )


def _lengths(results: Results) -> str:
    names = {
        key: key.partition(" ")[2] + how
        for kind, how in (
            ("file ", ""),
            ("file_vad ", ", voice detection"),
            ("small_vad ", ", voice detection, `small`"),
        )
        for key in results
        if key.startswith(kind)
    }
    return _rows(
        results,
        names,
        ["length", "times real time", "memory over the model, MB", "segments"],
        lambda one: [_number(one["speed"]), _number(one["over_model_mb"]), str(one["n_segments"])],
    )


def _live(results: Results) -> str:
    return _rows(
        results,
        {"live": "no voice detection", "live_vad": "voice detection"},
        ["", "median, ms", "99 of 100, ms", "windows"],
        lambda one: [_number(one["median_ms"]), _number(one["p99_ms"]), str(one["n_windows"])],
    )


def _stages(results: Results) -> str:
    names = {key: key.partition(" ")[2] for key in results if key.startswith("graph ")}

    def figures(one: dict[str, Any]) -> list[str]:
        return [_number(one[key]) for key in ("front_end_ms", "encoder_ms", "network_ms")]

    return "Of a 4-second window, from ONNX Runtime's own profile.\n\n" + _rows(
        results,
        names,
        ["windows a batch", "log-mel spectrogram, ms", "encoder, ms", "networks behind it, ms"],
        figures,
    )


def _workers(results: Results) -> str:
    names = {key: key.partition(" ")[2] for key in results if key.startswith("workers ")}
    return _rows(
        results,
        names,
        ["workers", "files/s", "times real time", "largest worker, MB", "parent, MB"],
        lambda one: [_number(one[name]) for name in ("files_per_s", "speed", "worker_peak_mb", "parent_peak_mb")],
    )


def _cold_start(results: Results) -> str:
    one = results.get("cold_start", {})
    if "predict_s" not in one:
        return f"Not measured: {one.get('missing', 'left out')}."
    names = {"predict_s": "`emotone predict CLIP`", "import_s": "`import emotone`", "python_s": "Python alone"}
    return _table(["from the shell to the exit", "seconds"], [[text, f"{one[key]:.3f}"] for key, text in names.items()])


def _service(results: Results) -> str:
    one = results.get("service", {})
    if "p50_ms" not in one:
        return f"Not measured: {one.get('missing', 'left out')}."
    times = _table(
        ["median, ms", "of it the bare recognizer, ms", "99 of 100, ms", "requests/s, 8 clients"],
        [[_number(one[key]) for key in ("p50_ms", "bare_p50_ms", "p99_ms", "requests_per_s")]],
    )
    return "\n\n".join([times, *_flood(one)])


def _flood(one: dict[str, Any]) -> Iterable[str]:
    if "flood_memory_mb" not in one:
        return
    server, client = one["server_cpu_ms"], one["client_cpu_ms"]
    yield (
        f"With eight clients a request costs the service {_number(server)} ms of processor time and its client "
        f"{_number(client)} ms, on the same cores."
    )
    early, late = one["flood_memory_mb"]
    yield f"{one['flood_clients']} clients at once for {one['flood_s']:g} s, each asking again as soon as it is answered:"
    yield _table(
        [
            "answers by status",
            "answered per second",
            "median, ms",
            "99 of 100, ms",
            "memory after a sixth, MB",
            "at the end, MB",
        ],
        [
            [
                ", ".join(f"{status}: {n:,}" for status, n in sorted(one["flood_statuses"].items())),
                *(_number(one[key]) for key in ("flood_per_s", "flood_p50_ms", "flood_p99_ms")),
                _number(early),
                _number(late),
            ]
        ],
    )


OWN = " own_convolutions"


def _training(results: Results) -> str:
    one = results.get("training", {})
    if "threads" not in one:
        return f"Not measured: {one.get('missing', 'left out')}."
    names = [key.removesuffix(" clips_per_s") for key in one if key.endswith(" clips_per_s")]
    rows = [
        [name, *(_number(one[f"{name} {key}"]) for key in ("clips_per_s", "channels_last", "cached"))] for name in names
    ]
    head = ["recipe", "clips/s", "channels last against first, times", "features kept in memory, times more"]
    gains = [
        f"A step of `{key.removesuffix(OWN)}` in float32 is {_number(gain)} times as fast as with PyTorch's own convolutions."
        for key, gain in one.items()
        if key.endswith(OWN)
    ]
    return "\n\n".join([_table(head, rows), *gains])


def _machine(results: Results) -> str:
    machine = results["machine"]
    rows = [
        ["processor", f"{machine['cpu']}, {machine['cores']} cores used"],
        ["memory", f"{machine['memory_gb']} GB"],
        ["system", f"{machine['system']}, Python {machine['python']}"],
        ["packages", ", ".join(f"{name} {number}" for name, number in machine["versions"].items())],
        ["date", _dates(results)],
        ["load before", str(machine["load"])],
    ]
    return _table(["", ""], rows)


def _dates(results: Results) -> str:
    """When the figures were measured; what was measured again alone is named with its own date."""
    found = {key: one.get("date", results["machine"]["date"]) for key, one in results.items() if key != "machine"}
    first = min(found.values(), default=results["machine"]["date"])
    return "; ".join([first, *(f"{key}: {date}" for key, date in found.items() if date != first)])


def _rows(
    results: Results, names: dict[str, str], head: Sequence[str], figures: Callable[[dict[str, Any]], list[str]]
) -> str:
    rows = []
    for key, name in names.items():
        one = results.get(key, {"missing": "left out"})
        rows.append([name, f"not measured: {one['missing']}"] if "missing" in one else [name, *figures(one)])
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in [*row, *[""] * (len(head) - len(row))]) + " |"
        for row in lines
    )


def _decoding(results: Results) -> str:
    found = results.get("decode", {})
    if "missing" in found:
        return f"Not measured: {found['missing']}."
    speeds = [[suffix, _number(speed)] for suffix, speed in found.items() if suffix not in ("others", "date")]
    return _table(["format", "times real time"], speeds)


def _number(value: float) -> str:
    """Three significant digits, without exponents.

    >>> _number(1234.5), _number(0.01234)
    ('1,230', '0.0123')
    """
    if value >= 1_000:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.3g}"

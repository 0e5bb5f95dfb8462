"""The pages of figures are made of the figures, and say what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.material import LongWav, conversation
from benchmarks.measure import stages
from benchmarks.page import page
from benchmarks.run import plan
from benchmarks.scale import scale

from emotone.audio import load_audio, probe_audio

MACHINE = {
    "cpu": "Some CPU", "cores": 2, "memory_gb": 8.0,
    "system": "Linux 6", "python": "3.11", "versions": {"emotone": "1"},
    "date": "2026-01-01", "load": 0.0, "quick": False,
}  # fmt: skip


@pytest.fixture
def results():
    return {
        "machine": MACHINE,
        "clips": {"speed": 400.0, "memory_mb": 60.0, "ms": 10.0},
        "opensmile_egemaps": {"speed": 100.0, "memory_mb": 30.0, "ms": 40.0, "n_features": 88},
        "wav2vec2": {"missing": "No module named 'transformers'"},
        "file_vad 1 h": {"speed": 200.0, "over_model_mb": 80.0, "model_mb": 100.0, "n_segments": 9},
        "file_vad 10 min": {"speed": 200.0, "over_model_mb": 80.0, "model_mb": 100.0, "n_segments": 9},
        "file_vad 10 h": {"speed": 210.0, "over_model_mb": 88.0, "model_mb": 100.0, "n_segments": 99},
        "workers 1": {"files_per_s": 50.0, "speed": 200.0, "worker_peak_mb": 120.0, "parent_peak_mb": 70.0},
        "workers 2": {"files_per_s": 95.0, "speed": 380.0, "worker_peak_mb": 120.0, "parent_peak_mb": 70.0},
        "scaling": {"ratio": 1.9, "lowest": 1.85, "highest": 1.95},
    }


def test_ratios_come_first_and_missing_peers_are_said(results):
    text = page(results)
    assert text.index("4 times") < text.index("## Side by side")
    assert "1.90 times (1.85 to 1.95)" in text
    assert "1.10 times" in text
    assert "not measured: No module named 'transformers'" in text


def test_a_graph_is_divided_at_its_convolutions():
    """The transform is a convolution too; the last softmax gives the probabilities."""
    spectrogram = [("FusedConv", 1.0), ("MatMul", 2.0), ("Log", 4.0), ("Max", 8.0)]
    encoder = [("Conv", 16.0), ("MatMul", 32.0), ("Softmax", 64.0), ("MatMul", 128.0)]
    network = [("Conv", 256.0), ("Gemm", 512.0), ("Softmax", 1024.0)]
    assert stages(spectrogram + encoder + network) == (15.0, 240.0, 1792.0)
    assert stages(spectrogram + network) == (15.0, 0.0, 1792.0)


def test_a_quick_run_is_no_benchmark(results):
    results["machine"] = MACHINE | {"quick": True}
    assert "no benchmark" in page(results)
    assert "no plan" in scale(results)


def test_figures_that_other_work_has_spoilt_are_named(results):
    assert "Other work" not in page(results)
    results["clips"]["others"] = 0.05
    results["workers 2"]["others"] = 0.9
    assert "lower bounds of speed (in brackets, cores that it took): workers 2 (0.9)." in page(results)


def test_other_work_is_told_from_the_measurement(monkeypatch):
    from benchmarks import run

    monkeypatch.setattr(run, "HERE", Path(__file__).parent / "nowhere")
    assert "missing" in run.measured("clips", {})
    busy, ours = run.processor_s(), run.children_s()
    subprocess.run([sys.executable, "-c", "sum(range(30_000_000))"], check=True)
    spent = run.children_s() - ours
    assert spent > 0.2
    assert run.processor_s() - busy > 0.8 * spent


@pytest.mark.parametrize("key", [*plan(quick=True)])
def test_a_page_is_written_whatever_alone_was_asked_for_and_missing(key):
    results = {"machine": MACHINE, key: {"missing": "no such package"}}
    assert page(results).startswith("# Benchmarks")
    assert scale(results).startswith("# A million hours")


def test_one_measurement_goes_to_a_new_folder(tmp_path, monkeypatch, capsys):
    from benchmarks import run

    monkeypatch.setattr(run, "HERE", tmp_path)
    monkeypatch.setattr(run, "measured", lambda name, arguments: {"speed": 400.0, "memory_mb": 60.0, "ms": 10.0})
    monkeypatch.setattr("sys.argv", ["run.py", "--quick", "--only", "clips", "--docs", str(tmp_path / "new" / "docs")])
    run.main()
    assert sorted(path.name for path in (tmp_path / "new" / "docs").iterdir()) == ["benchmarks.md", "scale.md"]
    assert "clips" in capsys.readouterr().out


def test_figures_of_two_machines_do_not_mix(tmp_path, capsys):
    from benchmarks.run import kept

    store = tmp_path / "results.json"
    assert kept(store, MACHINE) == {}
    store.write_text(json.dumps({"machine": MACHINE, "clips": {"speed": 1.0}}))
    assert kept(store, MACHINE)["clips"] == {"speed": 1.0}
    assert kept(store, MACHINE | {"cpu": "Another"}) == {}
    assert "another machine" in capsys.readouterr().err


def test_a_million_hours_are_reckoned_from_the_throughput(results):
    assert "| long recordings | 200 | 5,000 | $225 | $79 |" in scale(results)
    assert "Not reckoned" in scale({"machine": MACHINE})


def test_the_long_recording_is_a_real_one_of_its_length():
    assert probe_audio(LongWav(3_600)).duration_s == 3_600
    assert np.allclose(load_audio(LongWav(60), end_s=5), conversation()[: 5 * 16_000], atol=1e-4)


def test_the_plan_names_the_model_that_was_measured_where_it_is_not_the_shipped_one():
    throughput = {"file_vad 1 h": {"speed": 200.0}, "workers 1": {"speed": 100.0, "worker_peak_mb": 100.0}}
    results = {"machine": {**MACHINE, "model": "the model of before"}, **throughput}
    assert "**Measured with the model of before.**" in scale(results)


def test_the_plan_in_the_docs_is_the_one_that_is_written_from_the_figures():
    repo = Path(__file__).resolve().parents[2]
    results = json.loads((repo / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    assert (repo / "docs" / "scale.md").read_text(encoding="utf-8") == scale(results)


def test_what_was_measured_again_alone_has_its_own_date(results):
    results["clips"]["date"] = "2020-01-01"
    results["training"] = {"missing": "left out", "date": "2020-01-02"}
    for key, one in results.items():
        if key not in ("machine", "training"):
            one["date"] = "2020-01-01"
    assert "| date | 2020-01-01; training: 2020-01-02 |" in page(results)

"""The model file says what PyTorch says, in one piece, and nothing of the machine that made it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from emotone.audio import load_audio
from emotone.errors import CheckpointError, ModelFileError
from emotone.experiments.recipe import load_recipe
from emotone.model_files.metadata import TrainingCorpus
from emotone.model_files.model_file import read_model_file
from emotone.model_files.precision import with_precision
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training import export
from emotone.training.checkpoint import write_weights
from emotone.training.data.batches import pad
from emotone.training.export import export_model
from emotone.training.graph import CalibratedNetwork, largest_difference
from emotone.training.trained_weights import read_weights

LABELS = ("neutral", "happiness", "sadness", "anger")


def written(folder: Path, name: str) -> Path:
    """Weights of an untrained network with lively statistics, as a run would leave them."""
    recipe = load_recipe(name)
    torch.manual_seed(0)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=4)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.running_mean.normal_(0, 0.2, generator=generator)
    network.normaliser.scale.fill_(0.08)
    about = {
        "recipe": recipe.model_dump(mode="json"),
        "labels": list(LABELS),
        "temperature": 1.7,
        "corpus": "open-four",
        "licence": "CC0-1.0",
    }
    path = folder / f"{name}.safetensors"
    write_weights(path, network, about)
    return path


@pytest.fixture(scope="module", params=["spectrogram", "tripathi2019-spectrogram", "tripathi2019-mfcc"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("export")
    weights = written(folder, request.param)
    output = folder / "model.onnx"
    corpora = [TrainingCorpus("open-four", "CC0-1.0", "training")]
    assert export_model(read_weights(weights), output, name="tested", corpora=corpora) < 1e-4
    return weights, output


def test_onnx_and_pytorch_agree_on_real_clips_of_many_lengths(exported: tuple[Path, Path], clips_dir: Path) -> None:
    weights, output = exported
    trained = read_weights(weights)
    module = CalibratedNetwork(trained.network, trained.temperature)
    session = onnxruntime.InferenceSession(str(output), providers=["CPUExecutionProvider"])
    clips = [load_audio(path) for path in sorted(clips_dir.glob("*/*.*")) if path.suffix in (".opus", ".flac")]
    clips += [clips[0][:n] for n in (2048, 2049, 5000, 16_001)] + [np.concatenate(clips[:5])]
    for chosen in (clips, *([clip] for clip in clips)):
        waveform, lengths = pad(chosen)
        with torch.no_grad():
            expected, embedding = module(waveform, lengths)
        got = session.run(None, {"waveform": waveform.numpy(), "lengths": lengths.numpy()})
        np.testing.assert_allclose(got[0], expected.numpy(), rtol=0, atol=1e-4)
        np.testing.assert_allclose(got[1], embedding.numpy(), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(got[0].sum(1), 1, rtol=1e-5)


def test_the_file_is_one_piece_and_keeps_the_makers_machine_to_itself(exported: tuple[Path, Path]) -> None:
    weights, output = exported
    content, metadata = read_model_file(output)
    assert metadata.labels == LABELS
    assert metadata.temperature == 1.7
    assert len(metadata.weights_sha) == 64
    assert metadata.recipe["name"]
    for trace in (b"site-packages", b".py", str(weights.parent).encode(), str(Path.home()).encode() + b"/"):
        assert trace not in content
    assert [path.name for path in output.parent.glob("model.onnx*")] == ["model.onnx"]


@pytest.mark.parametrize(("precision", "within"), [("fp16", 2e-3), ("int8", 0.05)])
def test_every_export_can_be_stored_in_fewer_bits_and_stays_close_to_pytorch(
    exported: tuple[Path, Path], precision: str, within: float
) -> None:
    weights, output = exported
    small = with_precision(output.read_bytes(), precision)
    assert len(small) < 0.9 * output.stat().st_size
    trained = read_weights(weights)
    module = CalibratedNetwork(trained.network, trained.temperature).eval()
    assert largest_difference(small, module) < within


def test_an_export_in_fewer_bits_says_so(tmp_path: Path) -> None:
    weights, output = read_weights(written(tmp_path, "spectrogram")), tmp_path / "small.onnx"
    assert export_model(weights, output, name="small", corpora=[], precision="int8") < 0.05
    assert read_model_file(output)[1].precision == "int8"


def test_a_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "largest_difference", lambda *_: 0.5)
    with pytest.raises(ModelFileError, match="nothing was written"):
        export_model(read_weights(written(tmp_path, "spectrogram")), tmp_path / "m.onnx", name="x", corpora=[])
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"{}"])
def test_what_is_no_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_weights(path)

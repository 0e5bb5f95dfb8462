"""Heads on an encoder's frames, from recordings to a model file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from emotone.adaptation.unfamiliarity import give_unfamiliarity
from emotone.audio import load_audio
from emotone.corpora import Corpus, protocol_folds
from emotone.errors import RecipeError
from emotone.experiments.cross_validation import cross_validate
from emotone.experiments.folds.training import run_fold
from emotone.experiments.plan import Plan
from emotone.experiments.recipe import Recipe, recipe_from, recipe_with
from emotone.experiments.shipping.model_card import card
from emotone.features.conditions import ConditionOptions, augmented_copy
from emotone.features.encoder_frames import EncoderFrames
from emotone.listening.loading import load
from emotone.model_files.model_file import read_model_file
from emotone.models.recognition_network import RecognitionNetwork
from emotone.training.data.batches import pad
from emotone.training.data.frame_cache import FrameCache
from emotone.training.export import export_model
from emotone.training.graph import CalibratedNetwork, build_graph, largest_difference
from emotone.training.job import EpochRecord
from emotone.training.optimiser import build_optimiser, set_rate
from emotone.training.trained_weights import read_weights
from features.test_whisper import write_encoder

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def recipe_for(encoder: Path, **model: object) -> Recipe:
    return recipe_from(
        {
            "name": "made-up",
            "features": {"kind": "whisper", "source": str(encoder), "blocks": [1, 2]},
            "normalisation": {"centre": "none"},
            "copies": {"copies": 1, "codec": 0.0},
            "model": {"system": "frames", "channels": 8, "hidden": 8, "dropout": 0.1, **model},
            "loss": {"gamma": 2.0},
            "training": {"epochs": 6, "batch_size": 8, "learning_rate": 0.01, "crop_s": 0, "average": 0.9},
        },
        source="test",
    )


def plan_for(corpus: Corpus, folder: Path, recipe: Recipe) -> Plan:
    folds = protocol_folds(corpus, "group-k", n_folds=5)
    return Plan(
        corpus=corpus,
        folds=folds,
        recipe=recipe,
        seeds=(0,),
        folder=folder / "run",
        store=folder / "store",
        only_folds=(0,),
        device="cpu",
        threads=1,
    )


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "whisper-made-up")


@pytest.fixture(scope="module")
def run(voices: Corpus, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    recipe = recipe_with(recipe_for(encoder, baseline=0.5, ensemble=2, linear=1.0), ["silence.copies=1"])
    plan = plan_for(voices, tmp_path_factory.mktemp("frames"), recipe)
    run_fold(plan, 0, 0)
    return plan


@pytest.fixture(scope="module")
def exported(run: Plan) -> Path:
    weights = read_weights(run.fold(0, 0).weights)
    size = weights.network.network.embedding_size
    generator = np.random.default_rng(0)
    output = run.folder / "model.onnx"
    assert export_model(weights, output, name="made-up", corpora=[]) < 1e-4
    embeddings = generator.normal(size=(200, size)).astype(np.float32)
    output.write_bytes(give_unfamiliarity(*read_model_file(output), embeddings, np.linspace(0, 3, 50))[0])
    return output


def test_a_model_file_says_which_encoder_it_contains_and_not_where_it_lay(exported: Path, encoder: Path) -> None:
    metadata = load(exported).metadata
    assert metadata.baseline
    assert metadata.encoder is not None
    assert (metadata.encoder.name, metadata.encoder.blocks) == (encoder.name, (1, 2))
    assert len(metadata.encoder.sha256) == 64
    # Nobody knows what a folder's licence is.
    assert (metadata.encoder.licence, metadata.encoder.notice) == ("", "")
    assert "Its licence is not known to emotone" in card(metadata, None, None)


def test_a_model_file_with_blocks_of_whisper_carries_its_notice(
    fine_tuned: Plan, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTONE_ENCODERS", str(encoder.parent))
    weights = read_weights(fine_tuned.fold(0, 0).weights)
    weights.network.front_end.options = weights.network.front_end.options.model_copy(
        update={"source": "openai/whisper-made-up", "revision": "0123abc"}
    )
    export_model(weights, tmp_path / "model.onnx", name="made-up", corpora=[])
    text = card(load(tmp_path / "model.onnx").metadata, None, None)
    assert "the encoder openai/whisper-made-up (revision `0123abc`, output of block 2" in text
    assert "licence MIT. The last of them (1) learnt further on the corpora above. Its notice:" in text
    assert "> Copyright (c) 2022 OpenAI" in text


@pytest.mark.parametrize("head", ["residual", "linear"])
def test_heads_learn_what_can_be_learnt(voices: Corpus, encoder: Path, tmp_path: Path, head: str) -> None:
    recipe = recipe_for(encoder, head=head)
    settings = {**recipe.model_dump(mode="json"), "name": head}
    settings["training"] = {**settings["training"], "epochs": 25}
    results = cross_validate(plan_for(voices, tmp_path, recipe_from(settings, source="test")))
    assert results.pooled.uar > 0.6  # guessing gives 0.33; the encoder has random weights


def test_frames_are_computed_once_and_damaged_ones_again(run: Plan, voices: Corpus, encoder: Path) -> None:
    entries = sorted((run.store / "frames").rglob("*.frames"))
    # Two blocks of 60 recordings, and of two copies of each training utterance: other conditions, other silence.
    assert len(entries) == 2 * (60 + 2 * 36)
    content, times = entries[0].read_bytes(), {path: path.stat().st_mtime_ns for path in entries}
    entries[0].write_bytes(content[:-1])
    fresh = Plan(**{**{name: getattr(run, name) for name in run.__slots__}, "folder": run.folder.parent / "again"})
    run_fold(fresh, 0, 0)
    assert entries[0].read_bytes() == content
    changed = [path for path in entries if path.stat().st_mtime_ns != times[path]]
    assert len(changed) <= 2, "more than both blocks of the one damaged utterance were computed again"
    ours, theirs = (plan.fold(0, 0).predictions.read_bytes() for plan in (run, fresh))
    assert ours == theirs, "the same recipe and seed gave other predictions"


def test_the_file_scores_an_utterance_alone_as_in_a_batch(exported: Path, voices: Corpus) -> None:
    recognizer = load(exported)
    sounds = [load_audio(one.path, sample_rate=16_000) for one in voices.utterances[:7]]
    together = recognizer.probabilities(sounds)
    alone = np.concatenate([recognizer.probabilities([one]) for one in sounds])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("gain_db", [-30, -20, 6])
def test_the_recording_level_does_not_change_the_answer(exported: Path, voices: Corpus, gain_db: float) -> None:
    recognizer = load(exported)
    sounds = [load_audio(one.path, sample_rate=16_000) * np.float32(0.4) for one in voices.utterances[:5]]
    changed = [one * np.float32(10 ** (gain_db / 20)) for one in sounds]
    np.testing.assert_allclose(recognizer.probabilities(changed), recognizer.probabilities(sounds), atol=1e-3)


def test_the_embedding_ignores_the_baseline_and_zeros_mean_none(exported: Path, voices: Corpus) -> None:
    session = onnxruntime.InferenceSession(exported.read_bytes(), providers=["CPUExecutionProvider"])
    sound = load_audio(voices.utterances[0].path, sample_rate=16_000)[None]
    feeds = {"waveform": sound, "lengths": np.array([sound.shape[1]])}
    size = session.get_inputs()[2].shape[1]
    none = session.run(None, {**feeds, "baseline": np.zeros((1, size), np.float32)})
    some = session.run(None, {**feeds, "baseline": np.full((1, size), 0.5, np.float32)})
    assert np.array_equal(none[1], some[1])
    assert not np.allclose(none[0], some[0])
    assert 0 <= none[2][0] <= 1
    assert np.array_equal(none[2], some[2])


def test_weights_of_a_run_do_not_hold_the_encoder(run: Plan) -> None:
    content = run.fold(0, 0).weights.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert not [name for name in header if "encoder" in name or "layers" in name]


def fine_tuning(encoder: Path, *settings: str) -> Recipe:
    return recipe_with(
        recipe_for(encoder), ["features.blocks=[2]", "features.fine_tuned=1", "training.encoder_rate=0.2", *settings]
    )


@pytest.fixture(scope="module")
def fine_tuned(voices: Corpus, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    plan = plan_for(voices, tmp_path_factory.mktemp("fine-tuned"), fine_tuning(encoder))
    run_fold(plan, 0, 0)
    return plan


def test_a_block_that_learns_changes_and_the_stored_frames_are_those_before_it(fine_tuned: Plan, encoder: Path) -> None:
    # One block of 60 recordings, and of one copy of each training utterance.
    assert len(list((fine_tuned.store / "frames").rglob("*.frames"))) == 60 + 36
    learnt = read_weights(fine_tuned.fold(0, 0).weights).network.front_end
    published = EncoderFrames(fine_tuned.recipe.features)
    moved = [
        (one - other).detach().abs().max().item()
        for one, other in zip(learnt.parameters(), published.parameters(), strict=True)
    ]
    assert min(moved) > 0
    assert max(moved) < 0.1


def test_a_fine_tuned_run_goes_on_after_an_end_with_the_same_bits(
    fine_tuned: Plan, voices: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Plan(
        **{
            **{name: getattr(fine_tuned, name) for name in fine_tuned.__slots__},
            "folder": fine_tuned.folder.parent / "again",
        }
    )

    def stop(seed: int, fold: int, record: EpochRecord, n_epochs: int) -> None:
        if record.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_fold(again, 0, 0, stop)
    run_fold(again, 0, 0)
    ours, theirs = (plan.fold(0, 0).predictions.read_bytes() for plan in (fine_tuned, again))
    assert ours == theirs


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_file_of_a_fine_tuned_run_holds_the_block_as_it_learnt(
    fine_tuned: Plan, voices: Corpus, tmp_path: Path, precision: str
) -> None:
    weights = read_weights(fine_tuned.fold(0, 0).weights)
    difference = export_model(weights, tmp_path / "model.onnx", name="made-up", corpora=[], precision=precision)
    assert difference < (1e-4 if precision == "fp32" else 0.1)
    sounds = [load_audio(one.path, sample_rate=16_000) for one in voices.utterances[:4]]
    found = load(tmp_path / "model.onnx").probabilities(sounds)
    with torch.no_grad():
        logits, _ = weights.network(*pad(sounds))
    expected = torch.softmax(logits / weights.temperature, dim=1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-3 if precision == "fp32" else 0.1)


def test_the_rate_of_a_block_that_learns_is_its_share(encoder: Path) -> None:
    recipe = fine_tuning(encoder)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=3)
    optimiser = build_optimiser(network, recipe.training)
    set_rate(optimiser, 0.5)
    rates = {id(one): group["lr"] for group in optimiser.param_groups for one in group["params"]}
    assert {rates[id(one)] for one in network.front_end.parameters()} == {0.1}
    assert {rates[id(one)] for one in network.network.parameters() if one.requires_grad} == {0.5}


def test_a_graph_averages_frames_before_a_block_as_pytorch_does(encoder: Path) -> None:
    recipe = recipe_with(recipe_for(encoder), ["features.pool_after=1", "features.pool=4"])
    torch.manual_seed(0)
    network = RecognitionNetwork(recipe.features, recipe.normalisation, recipe.model, n_classes=3).eval()
    module = CalibratedNetwork(network, 1.0).eval()
    assert largest_difference(build_graph(module), module) < 1e-4


@pytest.mark.parametrize("settings", ["model.linear=1.0", "model.baseline=0.5"])
def test_what_is_measured_on_frozen_frames_is_refused_where_they_learn(encoder: Path, settings: str) -> None:
    with pytest.raises(RecipeError, match=r"features\.fine_tuned to 0"):
        fine_tuning(encoder, settings)


def test_a_rate_for_an_encoder_that_does_not_learn_is_refused(encoder: Path) -> None:
    with pytest.raises(RecipeError, match=r"set features\.fine_tuned"):
        fine_tuning(encoder, "features.fine_tuned=0")


def test_a_copy_depends_on_its_number_and_name_alone(voices: Corpus) -> None:
    sound = load_audio(voices.utterances[0].path, sample_rate=16_000)
    options = ConditionOptions(codec=0.0)
    copies = [augmented_copy(sound, options, number, "one", 16_000) for number in (0, 1, 1, 2)]
    assert np.array_equal(copies[0], sound)
    assert np.array_equal(copies[1], copies[2])
    assert copies[1].shape != copies[3].shape or not np.allclose(copies[1], copies[3])


def test_copies_are_drawn_at_their_share(run: Plan) -> None:
    network = read_weights(run.fold(0, 0).weights).network
    bands: int = network.network.n_bands
    frames = [[np.full((2, bands), copy, dtype=np.float16)] for copy in range(3)]
    cache = FrameCache(network, frames, [np.zeros(0, dtype=np.int64)], shares=[0.7, 0.1, 0.2])
    means = {round(cache.of_copy(np.array([0]), copy)[0].mean().item(), 4): copy for copy in range(3)}
    drawn = [
        means[round(cache.draw(np.array([0]), [np.random.default_rng(seed)])[0].mean().item(), 4)]
        for seed in range(400)
    ]
    assert np.bincount(drawn) / len(drawn) == pytest.approx([0.7, 0.1, 0.2], abs=0.06)


def test_the_share_of_copies_does_not_change_their_content() -> None:
    assert ConditionOptions(share=0.1).settings() == ConditionOptions(share=0.9, copies=3).settings()

"""The model file's metadata: what is written is read, and what is wrong is said."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotone.errors import ModelFileError
from emotone.model_files.metadata import SCHEMA, ClassSet, Encoder, ModelMetadata, Score, TrainingCorpus
from emotone.model_files.model_file import read_metadata, read_model_file, with_metadata


def test_what_is_written_is_read(tiny_metadata: ModelMetadata) -> None:
    assert ModelMetadata.from_json(tiny_metadata.to_json()) == tiny_metadata


NEW: dict[str, Any] = {
    "baseline": True,
    "class_sets": (ClassSet(("neutral", "anger"), 1.25),),
    "unsure_margin": 0.1,
    "unsure_unfamiliar": 0.99,
    "encoder": Encoder("whisper-base", "v1", (0, 1), "MIT", "Copyright (c) 2022 OpenAI", "00ff"),
    "centre": (0.5, 1),
}


@pytest.mark.parametrize("name", sorted(NEW))
def test_what_schema_3_adds_is_read_back(tiny_metadata: ModelMetadata, name: str) -> None:
    changed = replace(tiny_metadata, **{name: NEW[name]})
    text = changed.to_json()
    assert json.loads(text)["schema"] == 3
    assert ModelMetadata.from_json(text) == changed


def test_a_file_is_written_in_the_lowest_schema_that_suffices(tiny_metadata: ModelMetadata) -> None:
    written = json.loads(tiny_metadata.to_json())
    assert written["schema"] == 1
    assert not written.keys() & {*NEW, "precision"}
    halved = json.loads(replace(tiny_metadata, precision="fp16").to_json())
    assert halved["schema"] == 2
    assert halved["precision"] == "fp16"
    assert not halved.keys() & set(NEW)
    own = replace(tiny_metadata, labels=("calm", "stressed", "Müde"))
    assert json.loads(own.to_json())["schema"] == 3
    assert ModelMetadata.from_json(own.to_json()) == own


def test_a_class_set_has_two_labels_and_a_positive_temperature() -> None:
    with pytest.raises(ModelFileError, match="at least two"):
        ClassSet(("anger",), 1.0)
    with pytest.raises(ModelFileError, match="temperature"):
        ClassSet(("anger", "fear"), 0.0)


def test_metadata_stands_under_one_key_where_onnx_looks_for_it(tiny_model: Path, tiny_metadata: ModelMetadata) -> None:
    model = onnx.load(tiny_model)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.key for entry in model.metadata_props] == ["emotone"]
    assert ModelMetadata.from_json(model.metadata_props[0].value) == tiny_metadata


def test_new_metadata_takes_the_place_of_old(tiny_model: Path, tiny_metadata: ModelMetadata) -> None:
    renamed = replace(tiny_metadata, name="renamed")
    content = with_metadata(tiny_model.read_bytes(), renamed)
    assert read_metadata(content) == renamed
    assert len(onnx.load_from_string(content).metadata_props) == 1


def test_metadata_that_onnx_wrote_itself_is_read(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(tiny_graph)
    onnx.helper.set_model_props(model, {"emotone": tiny_metadata.to_json(), "another": "entry"})
    assert read_metadata(model.SerializeToString()) == tiny_metadata


def test_the_window_is_given_in_samples(tiny_metadata: ModelMetadata) -> None:
    assert tiny_metadata.window_samples == 32_000


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"labels": ("anger",)}, "at least two"),
        ({"labels": ("anger", "anger")}, "named twice"),
        ({"labels": ("anger", "a\nb")}, "printable"),
        ({"labels": ("anger", " ")}, "printable"),
        ({"unsure_margin": 1.5}, "unsure_margin"),
        ({"unsure_unfamiliar": -0.5}, "unsure_unfamiliar"),
        ({"class_sets": (ClassSet(("anger", "hunger"), 1.0),)}, "hunger"),
        ({"encoder": "whisper"}, "encoder"),
        ({"baseline": 1}, "baseline"),
        ({"centre": (float("nan"),)}, "finite"),
        ({"labels": ["anger", "fear"]}, "labels"),
        ({"sample_rate": 100}, "4 kHz"),
        ({"sample_rate": 16_000.5}, "sample_rate"),
        ({"sample_rate": True}, "sample_rate"),
        ({"min_samples": 0}, "min_samples"),
        ({"window_s": 0.001}, "window_s"),
        ({"window_s": float("inf")}, "finite"),
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "finite"),
        ({"unsure_threshold": 1.5}, "unsure_threshold"),
        ({"name": 3}, "name"),
        ({"recipe": None}, "recipe"),
        ({"corpora": ("emodb",)}, "corpora"),
    ],
)
def test_an_impossible_value_is_refused_by_name(
    tiny_metadata: ModelMetadata, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(ModelFileError, match=says):
        replace(tiny_metadata, **change)


def test_a_score_is_a_share() -> None:
    with pytest.raises(ModelFileError, match="uar"):
        Score("emodb", "loso", 535, 88.0, 85.0, 91.0, 88.5, "abc", True)
    with pytest.raises(ModelFileError, match="n = 0"):
        Score("emodb", "loso", 0, 0.8, 0.7, 0.9, 0.8, "abc", True)


def test_a_newer_schema_asks_for_an_upgrade(tiny_metadata: ModelMetadata) -> None:
    content = json.loads(tiny_metadata.to_json()) | {"schema": SCHEMA + 1, "unheard_of": 1}
    with pytest.raises(ModelFileError, match="upgrade emotone"):
        ModelMetadata.from_json(json.dumps(content))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ("[]", "not ours"),
        ("{}", "not ours"),
        ('{"schema": "1"}', "not ours"),
        ('{"schema": 0}', "schema = 0"),
        ('{"schema": 1}', "missing"),
        ('{"schema": 1, "corpora": 3}', "not a list"),
        ('{"schema": 1, "scores": [3]}', "not a JSON object"),
        ('{"schema": 1, "corpora": [{"name": "x"}]}', "missing"),
    ],
)
def test_metadata_that_is_not_ours_is_said_to_be_so(text: str, says: str) -> None:
    with pytest.raises(ModelFileError, match=says):
        ModelMetadata.from_json(text)


def test_an_unknown_key_is_named(tiny_metadata: ModelMetadata) -> None:
    content = json.loads(tiny_metadata.to_json()) | {"colour": "blue"}
    with pytest.raises(ModelFileError, match="colour"):
        ModelMetadata.from_json(json.dumps(content))


def test_a_recipe_that_is_no_json_is_refused(tiny_metadata: ModelMetadata) -> None:
    with pytest.raises(ModelFileError, match="JSON"):
        replace(tiny_metadata, recipe={"loss": object()}).to_json()
    assert json.loads(replace(tiny_metadata, recipe={"gammas": (1, 2)}).to_json())["recipe"] == {"gammas": [1, 2]}


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelFileError, match=path.name):
            read_model_file(path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x80\x02}q\x00.", b"PK\x03\x04" + bytes(100)])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"emotone export"):
        read_model_file(path)


def test_an_onnx_file_without_metadata_is_not_ours(tiny_graph: onnx.ModelProto) -> None:
    with pytest.raises(ModelFileError, match="not an emotone model"):
        read_metadata(tiny_graph.SerializeToString())


def test_metadata_goes_into_onnx_alone(tiny_metadata: ModelMetadata) -> None:
    with pytest.raises(ModelFileError, match="ONNX"):
        with_metadata(b"not a model", tiny_metadata)


def test_a_cut_off_file_is_refused(tiny_model: Path) -> None:
    content = tiny_model.read_bytes()
    for size in range(len(content)):
        with pytest.raises(ModelFileError):
            read_metadata(content[:size])


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_is_read_or_refused_never_a_crash(place: int, bit: int, tiny_model: Path) -> None:
    content = bytearray(tiny_model.read_bytes())
    content[place % len(content)] ^= 1 << bit
    with contextlib.suppress(ModelFileError):
        read_metadata(bytes(content))


def outside(tensor: onnx.TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")


def test_weights_in_another_file_are_refused(tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(tiny_graph)
    outside(model.graph.initializer[-1])
    with pytest.raises(ModelFileError, match="in other files"):
        read_metadata(with_metadata(model.SerializeToString(), tiny_metadata))


def test_weights_in_another_file_are_found_deep_inside(
    tiny_graph: onnx.ModelProto, tiny_metadata: ModelMetadata
) -> None:
    helper = onnx.helper
    tensor = helper.make_tensor("hidden", onnx.TensorProto.FLOAT, [1], [1.0])
    outside(tensor)
    constant = helper.make_node("Constant", [], ["c"], value=tensor)
    result = helper.make_tensor_value_info("c", onnx.TensorProto.FLOAT, [1])
    branch = helper.make_graph([constant], "branch", [], [result])
    for hide in ("branch of an if", "function", "sparse"):
        model = onnx.ModelProto()
        model.CopyFrom(tiny_graph)
        if hide == "function":
            model.functions.append(helper.make_function("d", "f", [], ["c"], [constant], [helper.make_opsetid("", 17)]))
        elif hide == "sparse":
            model.graph.sparse_initializer.add().values.CopyFrom(tensor)
        else:
            model.graph.node.append(
                helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
            )
        with pytest.raises(ModelFileError, match="in other files"):
            read_metadata(with_metadata(model.SerializeToString(), tiny_metadata))


def test_corpora_stand_with_their_licences(tiny_metadata: ModelMetadata) -> None:
    assert tiny_metadata.corpora == (TrainingCorpus("made-up", "CC0-1.0", "training"),)

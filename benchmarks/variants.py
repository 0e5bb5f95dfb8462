"""What the shipped model loses, and gains, in fewer bits; writes docs/results/variants.json.

    python benchmarks/variants.py CORPORA        # the folder that holds `crema-d` and `emodb`

`fp16` and `int8` are the files of `emotone convert`. Beside them stand three ways to compute in fewer bits, which emotone does
not offer: they are measured, so that one can see why. Only speakers that were held out of the model's training are classified; the
static int8 file is calibrated on speakers that trained it. All files take turns, so that other work on the machine meets them alike.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static

import emotone
from emotone.audio import load_audio
from emotone.corpora import Corpus, protocol_folds, read_corpus
from emotone.evaluation.metrics import unweighted_average_recall
from emotone.evaluation.significance import bootstrap_over_speakers, speaker_permutation
from emotone.listening.recognizer import Recognizer
from emotone.model_files.model_file import read_metadata, with_metadata
from emotone.model_files.precision import NETWORK, with_precision

OUTPUT = Path(__file__).resolve().parents[1] / "docs" / "results" / "variants.json"
SHIPPED = Path(emotone.__file__).parent / "weights" / "default.onnx"
RATE = 16_000
N_CALIBRATION = 200
N_TIMED, ROUNDS = 64, 15
Sound = NDArray[np.float32]


def network_nodes(model: onnx.ModelProto) -> list[str]:
    """The names of the convolutions and products of the network, without the front end's."""
    return [node.name for node in model.graph.node if any(name.startswith(NETWORK) for name in node.input)]


def computed_in_half(content: bytes) -> bytes:
    """The network's convolutions and products in 16-bit floats, each between two casts."""
    model = onnx.load_from_string(content)
    weights = {one.name: one for one in model.graph.initializer}
    chosen, nodes = set(network_nodes(model)), []
    for node in model.graph.node:
        if node.name in chosen:
            for place, name in enumerate(node.input):
                if name in weights:
                    half = numpy_helper.to_array(weights[name]).astype(np.float16)
                    model.graph.initializer.append(numpy_helper.from_array(half, name + ".half"))
                    model.graph.initializer.remove(weights[name])
                    node.input[place] = name + ".half"
                else:
                    node.input[place] = f"{node.name}.in"
                    nodes.append(helper.make_node("Cast", [name], [f"{node.name}.in"], to=onnx.TensorProto.FLOAT16))
            wide, node.output[0] = node.output[0], f"{node.name}.out"
            nodes += [node, helper.make_node("Cast", [f"{node.name}.out"], [wide], to=onnx.TensorProto.FLOAT)]
        else:
            nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:], model.graph.value_info[:]
    model.graph.node.extend(kept)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


class Calibration(CalibrationDataReader):
    """Waveforms, one after the other, as ONNX Runtime asks for them."""

    def __init__(self, sounds: Sequence[Sound]) -> None:
        self.rest = iter(sounds)

    def get_next(self) -> dict[str, object] | None:
        """The inputs of one run; None at the end."""
        sound = next(self.rest, None)
        return None if sound is None else {"waveform": sound[None], "lengths": np.array([len(sound)])}


def computed_in_bytes(content: bytes, calibration: Sequence[Sound] | None) -> bytes:
    """The network in int8 by ONNX Runtime's own tools: with fixed scales of activations if calibrated, else with each run's."""
    # 7 bits a weight: without VNNI two products of 8 bits overflow the 16 they are added up in.
    common = {"nodes_to_quantize": network_nodes(onnx.load_from_string(content)), "reduce_range": True}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(content)
        if calibration is None:
            quantize_dynamic(source, target, per_channel=False, weight_type=QuantType.QUInt8, **common)
        else:
            kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
            quantize_static(source, target, Calibration(calibration), per_channel=True, **kinds, **common)
        return target.read_bytes()


def models(content: bytes, calibration: Sequence[Sound]) -> Iterator[tuple[str, bool, bytes]]:
    """Every variant: what it is, whether emotone offers it, its file."""
    metadata = read_metadata(content)
    yield "fp32, as shipped", True, content
    yield "fp16", True, with_precision(content, "fp16")
    yield "int8", True, with_precision(content, "int8")
    yield "computed in fp16", False, with_metadata(computed_in_half(content), metadata)
    yield "computed in int8, static", False, with_metadata(computed_in_bytes(content, calibration), metadata)
    yield "computed in int8, dynamic", False, with_metadata(computed_in_bytes(content, None), metadata)


def company(recognizer: Recognizer, sounds: Sequence[Sound]) -> tuple[float, int]:
    """The largest change of a probability by the company that an utterance is classified in, and how many change by more than 1e-5.

    Alone, among others of its length, and twice among others drawn at random.
    """
    alone = np.concatenate([recognizer.probabilities([sound]) for sound in sounds])
    moved = np.abs(recognizer.probabilities(sounds) - alone).max(1)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(sounds))
        for chosen in np.array_split(order, len(sounds) // 16):
            beside = recognizer.probabilities([sounds[index] for index in chosen])
            moved[chosen] = np.maximum(moved[chosen], np.abs(beside - alone[chosen]).max(1))
    return float(moved.max()), int((moved > 1e-5).sum())


def seconds(recognizers: Sequence[Recognizer], sounds: Sequence[Sound]) -> NDArray[np.float64]:
    """Processor time of each model for the same sounds, shape (ROUNDS, n_models); they take turns."""
    taken = np.zeros((ROUNDS, len(recognizers)))
    for turn in range(ROUNDS):
        for place in np.random.default_rng(turn).permutation(len(recognizers)):
            began = time.process_time()
            recognizers[place].probabilities(sounds)
            taken[turn, place] = time.process_time() - began
    return taken


def processor() -> str:
    """Its name, and whether it multiplies bytes in hardware."""
    lines = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
    known = {key.strip(): value.strip() for key, value in lines.items()}
    vnni = {"avx512_vnni", "avx_vnni"} & set(known.get("flags", "").split())
    return f"{known.get('model name', 'unknown')}, {'with' if vnni else 'without'} VNNI, one thread"


def sounds_of(corpus: Corpus, chosen: Sequence[int]) -> list[Sound]:
    """The chosen utterances, decoded."""
    return [load_audio(corpus.utterances[index].path, sample_rate=RATE) for index in chosen]


def main() -> None:
    """Judge every held-out utterance with every variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    folder = parser.parse_args().corpora
    logging.getLogger().setLevel(logging.ERROR)  # ONNX Runtime's tools advise what does not apply here.
    content = SHIPPED.read_bytes()
    corpus = read_corpus("open-four", folder)
    folds = protocol_folds(corpus)
    held_out = {f"{entry.name}/{who}" for entry in read_metadata(content).corpora for who in entry.held_out}
    if held_out != set(folds.folds[0].test):
        raise SystemExit("the model file's held-out speakers are not the test speakers of open-four")
    split = folds.folds[0].indices(corpus)
    calibration = sounds_of(corpus, np.random.default_rng(0).permutation(split.train)[:N_CALIBRATION])
    sounds = sounds_of(corpus, split.test)
    truth = np.asarray(corpus.targets())[split.test]
    speakers = [corpus.utterances[index].speaker for index in split.test]
    n_classes = len(corpus.classes)

    files = list(models(content, calibration))
    recognizers = [Recognizer(file, read_metadata(file)) for _, _, file in files]
    taken = seconds(recognizers, sounds[:N_TIMED])
    rows = []
    for place, ((name, offered, file), recognizer) in enumerate(zip(files, recognizers, strict=True)):
        probabilities = recognizer.probabilities(sounds)
        if place == 0:
            whole = probabilities
        prediction, before = probabilities.argmax(1), whole.argmax(1)
        low, high, _ = bootstrap_over_speakers(truth, prediction, speakers, n_labels=n_classes)
        change = speaker_permutation(truth, prediction, before, speakers, n_labels=n_classes)
        ratio = np.quantile(taken[:, place] / taken[:, 0], [0.5, 0.25, 0.75])
        moved, n_moved = company(recognizer, sounds)
        rows.append(
            {
                "variant": name,
                "offered": offered,
                "bytes": len(file),
                "uar": unweighted_average_recall(truth, prediction, n_classes),
                "low": low,
                "high": high,
                "change": change.effect,
                "change_low": change.interval.low,
                "change_high": change.interval.high,
                "p_value": change.p_value,
                "judged_otherwise": int((prediction != before).sum()),
                "largest_change": float(np.abs(probabilities - whole).max()),
                "moved_by_company": moved,
                "n_moved_by_company": n_moved,
                "time_ratio": ratio[0],
                "time_ratio_quartiles": [ratio[1], ratio[2]],
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    about = {
        "model": recognizers[0].metadata.name,
        "weights_sha": recognizers[0].metadata.weights_sha,
        "folds": folds.hash,
        "n": len(sounds),
        "n_speakers": len(set(speakers)),
        "n_calibration": len(calibration),
        "n_timed": N_TIMED,
        "rounds": ROUNDS,
        "cpu": processor(),
        "command": "python benchmarks/variants.py CORPORA",
        "version": emotone.__version__,
        "onnxruntime": onnxruntime.__version__,
        "rows": rows,
    }
    OUTPUT.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Whisper encoders in files: their dimensions, their weights, and the hash that names them.

The tensors are named as in the files published by Hugging Face (`model.encoder.…`), so that those are read as they are.
Weights come from safetensors files only; a pickle is never read.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import safetensors
from torch import nn

from emotone.errors import EncoderError
from emotone.features.whisper import DYNAMIC_RANGE_DB, N_MELS, WhisperEncoder, WhisperShape

_PREFIX = "model.encoder."


def encoder_file(source: str | os.PathLike[str]) -> Path:
    """The safetensors file of an encoder.

    Args:
        source: a folder with `config.json` and `model.safetensors`.
    Raises:
        EncoderError: no such folder, or no such files in it.
    """
    path = Path(source) / "model.safetensors"
    if not path.is_file() or not (Path(source) / "config.json").is_file():
        raise EncoderError(
            f"no Whisper encoder in {os.fspath(source)!r}; expected a folder with config.json and model.safetensors, "
            "as published for openai/whisper-tiny.en"
        )
    return path


def encoder_digest(encoder: WhisperEncoder, block: int) -> str:
    """SHA-256 over the weights that a block's output depends on, in hex.

    It is taken over the values in half precision, which the published weights are, so that it does not depend on the
    file: the whole model, its encoder alone, and either precision give the same.

    Args:
        encoder: with at least that block.
        block: 0 for the convolutions.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        parts = name.split(".")
        if parts[0] == "layers" and int(parts[1]) >= block:
            continue
        if parts[0] == "layer_norm" and block < encoder.shape.n_blocks:
            continue
        digest.update(f"{name} {list(tensor.shape)}".encode())
        digest.update(tensor.half().cpu().numpy().tobytes())
    return digest.hexdigest()


def read_shape(source: str | os.PathLike[str]) -> WhisperShape:
    """The dimensions of the encoder in a folder.

    Raises:
        EncoderError: the folder holds no Whisper encoder.
    """
    encoder_file(source)
    try:
        config: dict[str, Any] = json.loads((Path(source) / "config.json").read_text(encoding="utf-8"))
        shape = WhisperShape(
            width=int(config["d_model"]),
            heads=int(config["encoder_attention_heads"]),
            feed_forward=int(config["encoder_ffn_dim"]),
            n_blocks=int(config["encoder_layers"]),
            n_positions=int(config.get("max_source_positions", 1500)),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{os.fspath(source)}/config.json does not describe a Whisper encoder: {error}") from error
    if config.get("num_mel_bins", N_MELS) != N_MELS or config.get("activation_function", "gelu") != "gelu":
        raise EncoderError(f"{os.fspath(source)}: expected an encoder with {N_MELS} mel bands and GELU activations")
    return shape


def load_encoder(
    source: str | os.PathLike[str],
    blocks: tuple[int, ...],
    *,
    keep_level: bool = False,
    dynamic_range_db: float = DYNAMIC_RANGE_DB,
) -> WhisperEncoder:
    """The first blocks of the encoder in a folder, in evaluation mode.

    Args:
        source: a folder with `config.json` and `model.safetensors`.
        blocks: whose outputs are given; see `WhisperEncoder`.
        keep_level: see `WhisperLogMel`.
        dynamic_range_db: likewise.
    Raises:
        EncoderError: the folder holds no Whisper encoder, or one with fewer blocks, or of other dimensions.
    """
    encoder = WhisperEncoder(read_shape(source), blocks, keep_level=keep_level, dynamic_range_db=dynamic_range_db)
    path = encoder_file(source)
    try:
        with safetensors.safe_open(str(path), framework="pt") as opened:
            published = set(opened.keys())
            if blocks[-1] == encoder.shape.n_blocks and f"{_PREFIX}layer_norm.weight" in published:
                encoder.layer_norm = nn.LayerNorm(encoder.shape.width)
            names = list(encoder.state_dict())
            weights = {name: opened.get_tensor(_PREFIX + name).float() for name in names}
        encoder.load_state_dict(weights)
    except (OSError, RuntimeError, safetensors.SafetensorError) as error:
        raise EncoderError(f"{path} does not hold the encoder that its config.json describes: {error}") from error
    return encoder.eval()

"""Make whisper_tiny_en.npz: hidden states of transformers' WhisperEncoder on a bundled clip.

    pip install 'transformers>=5' && python tests/reference/make_whisper_reference.py FOLDER_OF_WHISPER_TINY_EN

The layers are called one by one, since `WhisperEncoder.forward` insists on 30 s of sound.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from emotone.audio import load_audio

HERE = Path(__file__).resolve().parent
CLIP = HERE.parents[1] / "src" / "emotone" / "clips" / "emodb" / "03a01Fa.flac"


def main() -> None:
    # transformers is needed here alone; the tests read what this script wrote.
    from transformers import WhisperConfig
    from transformers.models.whisper.feature_extraction_whisper import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    source = Path(sys.argv[1])
    config = WhisperConfig.from_pretrained(source)
    config._attn_implementation = "eager"
    encoder = WhisperEncoder(config).eval()
    weights = load_file(source / "model.safetensors")
    encoder.load_state_dict({name.removeprefix("model.encoder."): one.float() for name, one in weights.items()})
    waveform = load_audio(CLIP, sample_rate=16_000)
    log_mel = torch.tensor(
        np.array(WhisperFeatureExtractor()._np_extract_fbank_features(waveform[None], "cpu"))
    ).float()
    with torch.no_grad():
        states = torch.nn.functional.gelu(encoder.conv2(torch.nn.functional.gelu(encoder.conv1(log_mel))))
        states = states.permute(0, 2, 1)
        states = states + encoder.embed_positions.weight[: states.shape[1]]
        outputs = [states]
        for layer in encoder.layers:
            states = layer(states, None)
            states = states[0] if isinstance(states, tuple) else states
            outputs.append(states)
        outputs[-1] = encoder.layer_norm(outputs[-1])
    # A tenth of the frames and of the channels is enough to notice any difference.
    kept = np.stack([one[0, ::10, ::12].numpy() for one in outputs])
    np.savez_compressed(HERE / "whisper_tiny_en.npz", log_mel=log_mel[0, ::8, ::10].numpy(), states=kept)


if __name__ == "__main__":
    main()

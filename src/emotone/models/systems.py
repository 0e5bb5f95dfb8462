"""Which settings make which network: one plain table of all systems."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Discriminator, Tag

from emotone.features.encoder_frames import EncoderFrames
from emotone.features.front_end import FeatureOptions, FrontEnd, build_front_end
from emotone.features.linear_spectrogram import LinearSpectrogram
from emotone.models.earlier.lee2015 import N_CEPSTRA, N_FRAME_FEATURES, FrameFeatures, LeeNetwork, LeeOptions
from emotone.models.earlier.satt2017 import SattNetwork, SattOptions
from emotone.models.earlier.yenigalla2018 import KERNELS, NoFeatures, YenigallaNetwork, YenigallaOptions
from emotone.models.frames import FramesNetwork, FramesOptions
from emotone.models.network import EmotionNetwork
from emotone.models.residual import ResidualNetwork, ResidualOptions

Parts = tuple[FrontEnd, int, EmotionNetwork]
"""The front end, the bands it gives, and the network behind it."""


def _named_system(settings: Any) -> str:
    """The system that settings are of; those that name none are of the residual network."""
    if isinstance(settings, dict):
        return str(settings.get("system", "residual"))
    return str(getattr(settings, "system", "residual"))


ModelOptions = Annotated[
    Annotated[ResidualOptions, Tag("residual")]
    | Annotated[SattOptions, Tag("satt2017")]
    | Annotated[YenigallaOptions, Tag("yenigalla2018")]
    | Annotated[LeeOptions, Tag("lee2015")]
    | Annotated[FramesOptions, Tag("frames")],
    Discriminator(_named_system),
]
"""The settings of any system; `system` says which."""


def _residual(features: FeatureOptions, model: ResidualOptions, n_classes: int) -> Parts:
    network = ResidualNetwork(model, n_bands=features.n_bands, n_classes=n_classes)
    return build_front_end(features), features.n_bands, network


def _satt2017(features: FeatureOptions, model: SattOptions, n_classes: int) -> Parts:
    front_end = LinearSpectrogram(
        features,
        bin_hz=model.bin_hz,
        n_bins=model.n_bins,
        window_s=model.window_s,
        step_s=model.step_s,
        harmonic=model.harmonic_filtering,
    )
    return front_end, model.n_bins, SattNetwork(model, n_bands=model.n_bins, n_classes=n_classes)


def _yenigalla2018(features: FeatureOptions, model: YenigallaOptions, n_classes: int) -> Parts:
    listens = model.inputs != "phonemes"
    n_bands = features.n_bands if listens else 1
    network = YenigallaNetwork(model, n_classes=n_classes)
    return build_front_end(features) if listens else NoFeatures(features), n_bands, network


def _lee2015(features: FeatureOptions, model: LeeOptions, n_classes: int) -> Parts:
    network = LeeNetwork(model, n_bands=N_FRAME_FEATURES, n_classes=n_classes)
    return FrameFeatures(features), N_FRAME_FEATURES, network


def _frames(features: FeatureOptions, model: FramesOptions, n_classes: int) -> Parts:
    front_end = EncoderFrames(features)
    return front_end, front_end.n_channels, FramesNetwork(model, n_bands=front_end.n_channels, n_classes=n_classes)


SYSTEMS: dict[type, Callable[..., Parts]] = {
    ResidualOptions: _residual,
    SattOptions: _satt2017,
    YenigallaOptions: _yenigalla2018,
    LeeOptions: _lee2015,
    FramesOptions: _frames,
}


def require_fit(features: FeatureOptions, model: Any) -> None:
    """Check that the front end's settings are such as the system can take.

    Raises:
        ValueError: they are not; the message says which, and what to set.
    """
    if (features.kind == "whisper") != isinstance(model, FramesOptions):
        raise ValueError(
            f"got features.kind {features.kind} with model.system {model.system}; "
            "the system frames needs features.kind whisper, and no other system takes it"
        )
    if isinstance(model, SattOptions) and features != FeatureOptions(sample_rate=features.sample_rate):
        raise ValueError("satt2017 has its own spectrogram, set in [model]; of [features] only sample_rate may be set")
    if isinstance(model, LeeOptions) and (
        features.kind != "mfcc" or features.n_mfcc != N_CEPSTRA + 1 or features.fixed_frames
    ):
        raise ValueError(
            f"got {features.n_mfcc} coefficients of kind {features.kind}, fixed_frames {features.fixed_frames}; "
            f"lee2015 needs features.kind mfcc, n_mfcc {N_CEPSTRA + 1} (the first is dropped) and fixed_frames 0"
        )
    if isinstance(model, YenigallaOptions) and model.inputs != "phonemes":
        least = (2 * KERNELS[-1][0], 2 * KERNELS[-1][1])
        if features.n_bands < least[0] or features.fixed_frames < least[1]:
            raise ValueError(
                f"got a map of {features.n_bands} x {features.fixed_frames}; yenigalla2018's largest kernel "
                f"needs at least {least[0]} x {least[1]}: set features.n_mels and features.fixed_frames"
            )


def build_parts(features: FeatureOptions, model: Any, n_classes: int) -> Parts:
    """Front end, bands and network of the system whose settings `model` are.

    Raises:
        ValueError: the settings do not fit one another.
    """
    require_fit(features, model)
    return SYSTEMS[type(model)](features, model, n_classes)

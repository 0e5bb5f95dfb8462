"""Focal loss for many classes, with hard or soft targets.

Conventions: `logits` (batch, n_classes); `targets` either class indices (batch,) or probabilities (batch, n_classes).

References:
    Cui, Jia, Lin, Song, Belongie (2019): Class-Balanced Loss Based on Effective Number of Samples, CVPR.
    Menon, Jayasumana, Rawat, Jain, Veit, Kumar (2021): Long-tail learning via logit adjustment, ICLR.
    Lin, Goyal, Girshick, He, Dollár (2017): Focal Loss for Dense Object Detection, ICCV.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer
from torch import Tensor

EFFECTIVE_BETA = 0.999
"""As in Cui et al.: suits corpora of a few thousand utterances."""


class LossOptions(BaseModel):
    """Settings of the loss; the recipe's table `[loss]`.

    Attributes:
        gamma: the focusing exponent; 0 is cross-entropy.
        class_weights: "none"; "balanced", n / (n_classes * n_c); or "effective", by the effective number of utterances
            (Cui et al. 2019). Counted on the training part.
        label_smoothing: share of the target spread evenly over all classes.
        logit_adjustment: tau of Menon et al. (2021): tau times the logarithm of each class's share of the training
            part is added to the logits in training; 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gamma: float = Field(2.0, ge=0)
    class_weights: Literal["none", "balanced", "effective"] = "none"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    logit_adjustment: float = Field(0.0, ge=0)

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A run's key is made of its recipe: a setting that came later must not change the keys of runs without it.
        settings: dict[str, Any] = write(self)
        if not self.logit_adjustment:
            settings.pop("logit_adjustment", None)
        return settings


def soft_targets(targets: Tensor, n_classes: int, label_smoothing: float = 0.0) -> Tensor:
    """Class indices (batch,) as probabilities (batch, n_classes), smoothed.

    >>> soft_targets(torch.tensor([1]), 2, 0.1).tolist()
    [[0.05..., 0.949...]]
    """
    if targets.dim() == 1:
        targets = torch.nn.functional.one_hot(targets, n_classes).to(torch.get_default_dtype())
    return targets * (1 - label_smoothing) + label_smoothing / n_classes


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    class_weights: Tensor | None = None,
    sample_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Focal loss, -sum_c w_c y_c (1 - p_c)^gamma log p_c, averaged over the batch.

    With hard targets this is Lin et al.'s equation 5 over a softmax. With weights the average is weighted too, as in
    torch's cross-entropy, so that gamma = 0 equals it.

    Args:
        logits: shape (batch, n_classes).
        targets: class indices (batch,), or probabilities (batch, n_classes) from mixup or smoothing.
        gamma: the focusing exponent, at least 0.
        class_weights: shape (n_classes,), or None.
        sample_weights: shape (batch,), or None.
        label_smoothing: share of the target spread evenly over all classes.
    Returns:
        a scalar.
    References:
        Lin et al. (2017), equations 4 and 5; the averaging over samples is theirs divided by the batch.
    """
    n_classes = logits.shape[1]
    hard = targets.dim() == 1
    weights = (
        torch.ones(n_classes, dtype=logits.dtype, device=logits.device) if class_weights is None else class_weights
    )
    soft = soft_targets(targets, n_classes, label_smoothing).to(logits.dtype)
    log_p = torch.log_softmax(logits, dim=1)
    # 1 - p by expm1 keeps its digits where p is nearly 1; the floor keeps the power's gradient finite at p = 1.
    complement = torch.clamp(-torch.expm1(log_p), min=torch.finfo(logits.dtype).tiny)
    modulation = complement.pow(gamma) if gamma else torch.ones_like(log_p)
    per_sample = -(soft * weights * modulation * log_p).sum(1)
    if class_weights is None and sample_weights is None:
        return per_sample.mean()
    norms = weights[targets] if hard else (soft * weights).sum(1)
    if sample_weights is None:
        return per_sample.sum() / norms.sum()
    return (per_sample * sample_weights).sum() / (norms * sample_weights).sum()


def build_criterion(options: LossOptions, counts: Tensor, device: torch.device) -> Callable[..., Tensor]:
    """The loss that `options` describe, as a function of logits, targets and, if wanted, weights of the utterances.

    Args:
        options: of the recipe.
        counts: training utterances of each class, shape (n_classes,).
        device: where the loss is computed.
    """
    weigh = _CLASS_WEIGHTS.get(options.class_weights)
    weights = None if weigh is None else weigh(counts).to(device)
    prior = torch.clamp(counts.to(torch.get_default_dtype()), min=1.0) / counts.sum()
    adjustment = (options.logit_adjustment * torch.log(prior)).to(device) if options.logit_adjustment else None

    def criterion(logits: Tensor, targets: Tensor, sample_weights: Tensor | None = None) -> Tensor:
        return focal_loss(
            logits if adjustment is None else logits + adjustment,
            targets,
            gamma=options.gamma,
            class_weights=weights,
            sample_weights=sample_weights,
            label_smoothing=options.label_smoothing,
        )

    return criterion


def balanced_class_weights(counts: Tensor) -> Tensor:
    """Weights n / (n_classes * n_c) for each class; a class without utterances gets 0.

    >>> balanced_class_weights(torch.tensor([3, 1])).tolist()
    [0.666..., 2.0]
    """
    counts = counts.to(torch.get_default_dtype())
    weights = counts.sum() / (len(counts) * counts)
    return torch.where(counts > 0, weights, torch.zeros_like(weights))


def effective_class_weights(counts: Tensor, beta: float = EFFECTIVE_BETA) -> Tensor:
    """Weights (1 - beta) / (1 - beta^n_c), scaled to a mean of 1 over the classes that have utterances.

    Between even weights (beta = 0) and `balanced_class_weights` (beta towards 1), since the tenth utterance of a kind
    teaches less than the first; a class without utterances gets 0.

    >>> effective_class_weights(torch.tensor([1000, 100])).tolist()
    [0.261..., 1.738...]
    """
    counts = counts.to(torch.float64)
    weights = torch.where(counts > 0, (1 - beta) / (1 - beta ** counts.clamp(min=1)), torch.zeros_like(counts))
    return (weights * (counts > 0).sum() / weights.sum()).to(torch.get_default_dtype())


_CLASS_WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "balanced": balanced_class_weights,
    "effective": effective_class_weights,
}

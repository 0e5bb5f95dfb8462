"""The extreme learning machine: a random or a kernel layer, and a ridge regression behind it in one step.

Conventions: inputs are (n, d), standardised inside by the training utterances; targets are class indices (n,), learnt
as +1 for the class and -1 for the others; outputs (n, n_classes) are used as logits.

References:
    Huang, Zhou, Ding, Zhang (2012): Extreme learning machine for regression and multiclass classification.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

Kernel = Literal["hidden", "rbf"]


class ExtremeLearningMachine(nn.Module):
    """A classifier that is fitted, not trained.

    Args:
        n_inputs: d.
        n_classes: emotions.
        kernel: "hidden" for a layer of random sigmoid units; "rbf" for a Gaussian kernel over all training utterances.
        n_hidden: units, for "hidden".
        ridge: the weight of the squared coefficients.
    Shape:
        (n, d) -> (n, n_classes)
    """

    mean: Tensor
    scale: Tensor
    anchors: Tensor
    offsets: Tensor
    coefficients: Tensor
    fitted: Tensor

    def __init__(
        self, n_inputs: int, n_classes: int, *, kernel: Kernel = "hidden", n_hidden: int = 200, ridge: float = 1.0
    ) -> None:
        super().__init__()
        self.kernel: Kernel = kernel
        self.n_classes, self.ridge = n_classes, ridge
        # A kernel's anchors are the training utterances, so their number is known only when it is fitted.
        n_anchors = n_hidden if kernel == "hidden" else 0
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(n_inputs))
        self.register_buffer("anchors", torch.randn(n_anchors, n_inputs))
        self.register_buffer("offsets", torch.randn(n_anchors))
        self.register_buffer("coefficients", torch.zeros(n_anchors, n_classes))
        self.register_buffer("fitted", torch.zeros((), dtype=torch.bool))

    def fit(self, inputs: Tensor, targets: Tensor) -> None:
        """Solve for the output layer.

        Args:
            inputs: shape (n, d).
            targets: class indices, shape (n,).
        """
        self.mean = inputs.mean(0)
        self.scale = 1.0 / torch.clamp(inputs.std(0, unbiased=False), min=1e-6)
        if self.kernel == "rbf":
            self.anchors = (inputs - self.mean) * self.scale
            self.offsets = torch.zeros(len(inputs), device=inputs.device)
        layer = self._layer(inputs).double()
        wanted = 2.0 * nn.functional.one_hot(targets, self.n_classes).double() - 1.0
        ridge = self.ridge * torch.eye(layer.shape[1], dtype=torch.float64, device=layer.device)
        if self.kernel == "rbf":
            solved = torch.linalg.solve(layer + ridge, wanted)
        else:
            solved = torch.linalg.solve(layer.T @ layer + ridge, layer.T @ wanted)
        # Row by row in memory, as it is when read from a file: sums in another order would end in other digits.
        self.coefficients = solved.to(inputs.dtype).contiguous()
        self.fitted = torch.ones_like(self.fitted)

    def forward(self, inputs: Tensor) -> Tensor:
        """A score for each class, about +1 for the right one."""
        return self._layer(inputs) @ self.coefficients

    def _layer(self, inputs: Tensor) -> Tensor:
        standard = (inputs - self.mean) * self.scale
        if self.kernel == "rbf":
            return torch.exp(-torch.cdist(standard, self.anchors).square() / standard.shape[1])
        return torch.sigmoid(standard @ self.anchors.T + self.offsets)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        for name in ("anchors", "offsets", "coefficients"):
            stored = state_dict.get(prefix + name)
            if stored is not None and self.kernel == "rbf":
                setattr(self, name, torch.empty_like(stored, device=self.mean.device))
        super()._load_from_state_dict(state_dict, prefix, *others)

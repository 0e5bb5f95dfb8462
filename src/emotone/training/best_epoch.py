"""Which epoch's weights are kept: the one that validation speakers were recognised best with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor, nn

from emotone.training.checkpoint import snapshot


@dataclass(slots=True)
class BestEpoch:
    """The best epoch so far.

    Attributes:
        uar: on the validation part; -1 before the first epoch.
        loss: cross-entropy there.
        epoch: counted from 1; 0 before the first.
        weights: by name.
    """

    uar: float = -1.0
    loss: float = math.inf
    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, uar: float, loss: float, network: nn.Module) -> None:
        """Keep this epoch's weights if it is better than the best."""
        # Equal UARs are common on few speakers; the lower loss decides between them.
        if (uar, -loss) > (self.uar, -self.loss):
            self.uar, self.loss, self.epoch, self.weights = uar, loss, epoch, snapshot(network)

"""Which frames of an utterance carry its emotion: forward and backward over {none, emotion}, in log space.

Every frame's label is the utterance's emotion or "none"; the labels follow a Markov chain; at least one frame must
carry the emotion, else "none" everywhere would explain any utterance. The chain therefore has three states: none before
any emotion, emotion, none after some emotion; a sequence ends in one of the last two.

Conventions: `log_emission` (batch, n_frames, 2) holds log p(none) and log p(emotion) of each frame; `counts` (batch,).

References:
    Lee & Tashev (2015): High-level Feature Representation using Recurrent Neural Network for Speech Emotion
    Recognition, Interspeech. Rabiner (1989): A tutorial on hidden Markov models (forward and backward).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

IMPOSSIBLE = -1e30
"""In place of log 0: minus infinity would make NaN of differences."""

_EMISSION_OF_STATE = (0, 1, 0)


@dataclass(frozen=True, slots=True)
class LabelChain:
    """The chain's probabilities, each strictly between 0 and 1.

    Attributes:
        begin: that the first frame carries the emotion.
        stay_none: that "none" follows "none".
        stay_emotion: that the emotion follows itself.
    """

    begin: float = 0.5
    stay_none: float = 0.5
    stay_emotion: float = 0.95

    def start(self) -> list[float]:
        """Log probabilities of the first frame's state."""
        return [math.log(1 - self.begin), math.log(self.begin), IMPOSSIBLE]

    def transition(self) -> list[list[float]]:
        """Log probabilities of the next state (column) after a state (row)."""
        none, emotion = self.stay_none, self.stay_emotion
        return [
            [math.log(none), math.log(1 - none), IMPOSSIBLE],
            [IMPOSSIBLE, math.log(emotion), math.log(1 - emotion)],
            [IMPOSSIBLE, math.log(1 - none), math.log(none)],
        ]


def label_posteriors(log_emission: Tensor, counts: Tensor, chain: LabelChain) -> tuple[Tensor, Tensor]:
    """The expectation step.

    Args:
        log_emission: shape (batch, n_frames, 2).
        counts: valid frames, at least 1 each, shape (batch,).
        chain: its probabilities.
    Returns:
        P(label | whole utterance), shape (batch, n_frames, 2), zero past the end; and the log likelihood summed over
        all sequences with at least one emotional frame, shape (batch,).
    """
    states = log_emission[:, :, _EMISSION_OF_STATE]
    n_frames = states.shape[1]
    transition = states.new_tensor(chain.transition())
    final = states.new_tensor([IMPOSSIBLE, 0.0, 0.0])

    forward = [states.new_tensor(chain.start()) + states[:, 0]]
    for frame in range(1, n_frames):
        forward.append(torch.logsumexp(forward[-1][:, :, None] + transition, dim=1) + states[:, frame])
    backward = [final.expand(len(states), 3)]
    for frame in range(n_frames - 2, -1, -1):
        following = torch.logsumexp(transition + (states[:, frame + 1] + backward[-1])[:, None, :], dim=2)
        # An utterance that ends here starts its way back here.
        backward.append(torch.where((counts - 1 > frame)[:, None], following, final))

    alpha, beta = torch.stack(forward, dim=1), torch.stack(backward[::-1], dim=1)
    last = (counts - 1)[:, None, None].expand(-1, 1, 3)
    likelihood = torch.logsumexp(alpha.gather(1, last)[:, 0] + final, dim=1)
    share = torch.softmax(alpha + beta, dim=2)
    inside = torch.arange(n_frames, device=counts.device)[None, :] < counts[:, None]
    labels = torch.stack([share[:, :, 0] + share[:, :, 2], share[:, :, 1]], dim=2)
    return labels * inside[:, :, None], likelihood

"""What all systems' networks have in common.

Conventions: features are (batch, n_bands, n_frames), zero past each utterance's `counts` frames. In evaluation a
network gives logits (batch, n_classes) and an embedding (batch, d) for whole utterances; in training it may give
whatever pair of tensors its own `training_loss` takes, such as the logits of segments and whose they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import Tensor, nn

Criterion = Callable[[Tensor, Tensor], Tensor]
"""The recipe's loss: logits (n, n_classes) and soft targets (n, n_classes) -> a scalar."""


class EmotionNetwork(nn.Module):
    """Features (and phonemes, for those that need them) in; logits and an embedding out.

    Attributes:
        embedding_size: d.
        needs_phonemes: whether `forward` takes phoneme numbers (batch, longest) as its third argument.
        takes_baseline: whether `forward` takes a speaker's baseline (batch, d) as its third argument.
    """

    embedding_size: int
    needs_phonemes = False
    takes_baseline = False

    def prepare(self, class_counts: Tensor, phonemes: Tensor | None, seed: int) -> None:
        """Take from the training speakers what is needed before the first epoch; by default nothing.

        Args:
            class_counts: training utterances of each class, shape (n_classes,).
            phonemes: their phoneme numbers, shape (n, longest), where there are any.
            seed: of whatever is random in it.
        """

    def training_loss(self, output: tuple[Tensor, Tensor], targets: Tensor, criterion: Criterion) -> Tensor:
        """The loss of what `forward` gave in training.

        Args:
            output: what `forward` gave.
            targets: soft labels, shape (batch, n_classes).
            criterion: the recipe's loss.
        """
        return criterion(output[0].float(), targets)

    def complete(self, batches: Iterable[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Fit what follows the trained network; by default nothing.

        Args:
            batches: normalised features, frame counts and class indices of the training utterances, in evaluation mode.
        """

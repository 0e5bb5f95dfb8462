"""Settings of the optimiser, the schedule and of stopping."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


class TrainingOptions(BaseModel):
    """Settings of the optimiser and of stopping; the recipe's table `[training]`.

    Attributes:
        epochs: so many passes over the training part.
        min_steps: more passes where the corpus is so small that `epochs` would be fewer steps than this.
        batch_size: utterances in a batch.
        crop_s: longest part taken of an utterance while training, seconds; 0 for no limit.
        learning_rate: the highest of the schedule.
        schedule: "one_cycle" rises linearly and falls with a cosine to zero; "constant" stays after the rise.
        warm_up: share of all steps over which the rate rises.
        encoder_rate: of the blocks of an encoder that learn, as a share of `learning_rate`.
        weight_decay: AdamW's, on weights of more than one dimension.
        clip_norm: largest norm of the gradient; 0 for no limit.
        average: decay of the exponential moving average of the weights per step; 0 switches it off.
        patience: stop after so many epochs without a better validation UAR; 0 never stops early.
        precision: "no", "bf16" or "fp16" on a GPU; a CPU takes "bf16" where it has matrix units for it, else float32.
            Features are float32 in any case, and so are the scores of test speakers.
        optimiser: "adamw" or "adadelta".
        keep: "best" keeps the epoch that validation speakers were recognised best with; "last" the last one, where the
            number of epochs was chosen for speakers of other corpora.
        teacher_embedding: where a network learns from a teacher, weight of the mean square error between the teacher's
            embedding and a linear map of the network's own, which is thrown away after training; 0 for the teacher's
            probabilities alone.
        corpus_exponent: in a merged corpus, the loss of an utterance is weighted by its corpus's number of training
            utterances to the power of minus this; 0.5 makes a corpus count by the square root of its size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(25, ge=1)
    min_steps: int = Field(0, ge=0)
    batch_size: int = Field(32, ge=2)
    crop_s: float = Field(4.0, ge=0)
    learning_rate: float = Field(2e-3, gt=0)
    encoder_rate: float = Field(1.0, gt=0, le=1)
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    warm_up: float = Field(0.15, ge=0, le=1)
    weight_decay: float = Field(0.02, ge=0)
    clip_norm: float = Field(5.0, ge=0)
    average: float = Field(0.98, ge=0, lt=1)
    patience: int = Field(0, ge=0)
    precision: Literal["no", "bf16", "fp16"] = "no"
    optimiser: Literal["adamw", "adadelta"] = "adamw"
    keep: Literal["best", "last"] = "best"
    teacher_embedding: float = Field(0.0, ge=0)
    corpus_exponent: float = Field(0.0, ge=0, le=1)

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A run's key is made of its recipe: a setting that came later must not change the keys of runs without it.
        settings: dict[str, Any] = write(self)
        for name, off in (
            ("optimiser", "adamw"),
            ("keep", "best"),
            ("corpus_exponent", 0.0),
            ("encoder_rate", 1.0),
            ("teacher_embedding", 0.0),
        ):
            if settings.get(name) == off:
                del settings[name]
        return settings

    def n_epochs(self, n_utterances: int) -> int:
        """How many epochs a training part of that size gets.

        >>> TrainingOptions(epochs=25, min_steps=1000, batch_size=10).n_epochs(100)
        100
        """
        return max(self.epochs, math.ceil(self.min_steps / math.ceil(n_utterances / self.batch_size)))


def learning_rate_at(step: int, n_steps: int, options: TrainingOptions) -> float:
    """The learning rate of a step, counted from 0; a pure function, so that nothing need be remembered.

    >>> learning_rate_at(0, 100, TrainingOptions(learning_rate=1.0, warm_up=0.1))
    0.1
    """
    rising = max(1, round(options.warm_up * n_steps))
    if step < rising:
        return options.learning_rate * (step + 1) / rising
    if options.schedule == "constant":
        return options.learning_rate
    passed = (step - rising) / max(1, n_steps - rising)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, passed)))

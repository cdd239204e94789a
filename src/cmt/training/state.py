"""How far a training run is, as its checkpoints tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any

from cmt.music.vocabulary import PUBLISHED, Vocabulary
from cmt.untrusted import items, number, one_of, whole

FURTHEST = 10**12  # steps, and the like, that a run may have made


def losses_of(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Names of what there are losses of: the attributes, and their mean."""
    return (*(field.name for field in vocabulary.predicted), "mean")


@dataclass
class TrainingState:
    """How far a run is: what a resumed run needs to go on as if never interrupted.

    Attributes:
        epoch: epochs finished.
        batch: batches of the present epoch that are done.
        step: optimizer steps in all.
        sums: (attributes + 1,) float64, the present epoch's summed losses per attribute, and its
            words.
        best: lowest validation loss so far.
        history: per epoch and attribute (epoch, attribute, training loss, validation loss);
            the mean over attributes is there as attribute "mean".
        vocabulary: of the model.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    sums: list[float] = field(default_factory=list)
    best: float = math.inf
    history: list[tuple[int, str, float, float]] = field(default_factory=list)
    vocabulary: InitVar[Vocabulary] = PUBLISHED

    def __post_init__(self, vocabulary: Vocabulary) -> None:
        self.names = losses_of(vocabulary)
        self.sums = self.sums or [0.0] * len(self.names)

    @classmethod
    def of(cls, content: Mapping[str, Any], vocabulary: Vocabulary = PUBLISHED) -> TrainingState:
        """That of a checkpoint.

        Raises:
            KeyError, ValueError: a value is missing, or is none that a run leaves.
        """
        sums = [number(value, "sums", 0, math.inf) for value in items(content["sums"], "sums")]
        if len(sums) != len(losses_of(vocabulary)):
            raise ValueError(f"sums has {len(sums)} values")
        return cls(
            epoch=whole(content["epoch"], "epoch", 0, FURTHEST),
            batch=whole(content["batch"], "batch", 0, FURTHEST),
            step=whole(content["step"], "step", 0, FURTHEST),
            sums=sums,
            best=number(content["best"], "best", 0, math.inf),
            history=[_row(row, vocabulary) for row in items(content["history"], "history")],
            vocabulary=vocabulary,
        )

    def add(self, losses: Sequence[float], words: float) -> None:
        """Count a step: losses (attributes,) of a batch of so many words."""
        values = [*(loss * words for loss in losses), words]
        self.sums = [a + b for a, b in zip(self.sums, values, strict=True)]
        self.step += 1
        self.batch += 1

    def finish_epoch(self, trained: Sequence[float], held_out: Sequence[float]) -> None:
        """Record an epoch's losses (attributes + 1,), the mean the last; the next epoch begins."""
        self.epoch += 1
        self.batch = 0
        self.sums = [0.0] * len(self.sums)
        for name, a, b in zip(self.names, trained, held_out, strict=True):
            self.history.append((self.epoch, name, a, b))


def _row(row: object, vocabulary: Vocabulary) -> tuple[int, str, float, float]:
    """A row of a history; a loss that was not measured is NaN.

    Raises:
        ValueError: it is none.
    """
    values = items(row, "history")
    if len(values) != 4:
        raise ValueError(f"a row of history has {len(values)} values")
    trained, held_out = (
        loss if isinstance(loss, float) and math.isnan(loss) else number(loss, "loss", 0, math.inf)
        for loss in values[2:]
    )
    return (
        whole(values[0], "epoch", 1, FURTHEST),
        one_of(values[1], "loss", losses_of(vocabulary)),
        trained,
        held_out,
    )

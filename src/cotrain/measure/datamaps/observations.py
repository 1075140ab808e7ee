"""One batch as a user hands it over, checked and in the recorder's order. Letters: T tasks, B batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cotrain.errors import InputError

BoolArray = NDArray[np.bool_]
ArrayLike = Tensor | NDArray[Any]

_ROUNDING = 1e-6  # a softmax probability may exceed 1 by so much


@dataclass(frozen=True, kw_only=True)
class Observations:
    """A batch: rows, confidence in the true label, whether the prediction is right, whether labelled.

    Args:
        rows: ``[B]``.
        confidence: ``[T, B]``.
        correct: ``[T, B]``.
        seen: ``[T, B]``.
    """

    rows: NDArray[np.intp]
    confidence: NDArray[np.float32]
    correct: BoolArray
    seen: BoolArray

    @classmethod
    def of(
        cls, rows: ArrayLike, confidence: ArrayLike, correct: ArrayLike, labelled: ArrayLike | None
    ) -> Observations:
        """Tensors of any device, or arrays; without ``labelled``, NaN means no label."""
        number = _array(rows)
        if not np.issubdtype(number.dtype, np.integer):
            raise InputError(f"rows must be whole numbers, found {number.dtype}")
        with np.errstate(over="ignore"):  # whatever stands in a cell without a label
            values = _array(confidence).astype(np.float32, copy=False)
        return cls(
            rows=number.astype(np.intp, copy=False),
            confidence=values,
            correct=_array(correct).astype(np.bool_, copy=False),
            seen=~np.isnan(values) if labelled is None else _array(labelled).astype(np.bool_),
        )

    def check(self, tasks: tuple[str, ...], rows: int, epoch: int) -> None:
        """Refuse what does not fit T tasks and that many rows, or is not a confidence.

        Raises:
            InputError: Naming the argument, or the task, the epoch and the example.
        """
        if self.rows.ndim != 1:
            raise InputError(f"rows must be [batch], found {list(self.rows.shape)}")
        shape = (len(tasks), len(self.rows))
        for name in ("confidence", "correct", "seen"):
            found = getattr(self, name).shape
            if found != shape:
                argument = "labelled" if name == "seen" else name
                raise InputError(
                    f"{argument} must be [tasks, batch] = {[*shape]}, found {[*found]}"
                )
        if len(self.rows) and not 0 <= self.rows.min() <= self.rows.max() < rows:
            found = f"{self.rows.min()} to {self.rows.max()}"
            raise InputError(f"rows must be from 0 to {rows - 1}, found {found}")
        self._check_values(tasks, epoch)

    def _check_values(self, tasks: tuple[str, ...], epoch: int) -> None:
        fine = (self.confidence >= 0) & (self.confidence <= 1 + _ROUNDING)
        bad = self.seen & ~fine
        if bad.any():
            task, column = np.argwhere(bad)[0]
            raise InputError(
                f"confidence of task {tasks[task]!r} in epoch {epoch} is "
                f"{self.confidence[task, column]} for example {self.rows[column]}, expected 0 to 1: "
                "did the training diverge? give NaN only where there is no label"
            )

    def distinct(self) -> Iterator[Observations]:
        """The batch in parts that hold no row twice; usually it is one part."""
        for part in _parts(self.rows):
            yield Observations(
                rows=self.rows[part],
                confidence=self.confidence[:, part],
                correct=self.correct[:, part],
                seen=self.seen[:, part],
            )


def _parts(rows: NDArray[np.intp]) -> Iterator[slice | NDArray[np.intp]]:
    """First occurrences of all rows, second occurrences, and so on."""
    _, which, count = np.unique(rows, return_inverse=True, return_counts=True)
    if len(count) == len(rows):
        yield slice(None)
        return
    order = np.argsort(which, kind="stable")
    place = np.empty(len(rows), dtype=np.intp)  # how often the row came before
    place[order] = np.arange(len(rows)) - (np.cumsum(count) - count)[which[order]]
    for repeat in range(int(count.max())):
        yield np.flatnonzero(place == repeat)


def _array(values: ArrayLike) -> NDArray[Any]:
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)

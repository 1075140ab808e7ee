"""Running means and deviations of every cell, without history: Welford's method in float32.

Letters: T tasks, N examples, B batch.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.measure.datamaps.datamap import Levels, to_levels
from cotrain.measure.datamaps.observations import Observations

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_MOST = np.iinfo(np.uint16).max
_AT_ONCE = 1024  # examples turned into levels at a time


@dataclass(kw_only=True)
class Running:
    """What is known of all cells so far; the arrays are changed in place.

    Args:
        mean: ``[N, T]`` mean confidence.
        squares: ``[N, T]`` sum of squared deviations from the mean.
        observed: ``[N, T]`` number of observations.
        correct: ``[N, T]`` how many were correct.
        forgotten: ``[N, T]`` how many followed a correct one and were wrong.
        was_correct: ``[N, T]`` whether the last one was correct.
    """

    mean: FloatArray
    squares: FloatArray
    observed: Levels
    correct: Levels
    forgotten: Levels
    was_correct: BoolArray

    @classmethod
    def start(cls, rows: int, tasks: int) -> Running:
        """Statistics of no observations yet."""
        kinds = {"mean": np.float32, "squares": np.float32, "was_correct": np.bool_}
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.zeros((rows, tasks), kinds.get(name, np.uint16)) for name in names})

    def update(self, batch: Observations) -> None:
        """Take in one observation of distinct rows; cells that are not ``seen`` keep their values.

        Raises:
            InputError: If a cell was observed 65,535 times before.
        """
        rows, seen = batch.rows, np.ascontiguousarray(batch.seen.T)
        observed, mean = self.observed[rows], self.mean[rows]
        if observed.max(initial=0) == _MOST and bool((observed[seen] == _MOST).any()):
            raise InputError(f"an example was recorded more than {_MOST:,} times: start a new map")
        observed += seen
        confidence: FloatArray = np.where(seen, batch.confidence.T, mean)
        change = confidence - mean
        mean += np.divide(change, np.maximum(observed, 1), dtype=np.float32)
        self.mean[rows] = mean
        self.squares[rows] += change * (confidence - mean)
        self.observed[rows] = observed
        self._count(rows, seen & batch.correct.T, seen)

    def _count(self, rows: NDArray[np.intp], right: BoolArray, seen: BoolArray) -> None:
        was = self.was_correct[rows]
        self.correct[rows] += right
        self.forgotten[rows] += was & seen & ~right
        self.was_correct[rows] = right | (was & ~seen)

    def snapshot(self) -> tuple[Levels, ...]:
        """``[T, N]`` levels of μ and s, observed, correct, forgotten, as a data map holds them."""
        shape = self.mean.shape[::-1]
        mean, deviation = np.empty(shape, np.uint16), np.empty(shape, np.uint16)
        for start in range(0, shape[1], _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            count, squares = self.observed[part].T, self.squares[part].T
            variance = np.maximum(squares, 0) / (np.maximum(count, 2) - 1)
            mean[:, part] = to_levels(np.where(count > 0, self.mean[part].T, np.nan))
            deviation[:, part] = to_levels(np.where(count > 1, np.sqrt(variance), np.nan))
        counts = (self.observed, self.correct, self.forgotten)
        return mean, deviation, *(np.ascontiguousarray(array.T) for array in counts)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays by name, not copied."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

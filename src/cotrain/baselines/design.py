"""What linear models read of the tree columns: gaps filled, categories one-hot.

Letters: N rows, F tree columns, E encoded columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cotrain.arrays import Array

_LEAST = 1e-12  # standard deviation of a column that varies, in units of its largest value


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Numbers with medians for missing cells, flags that say where those were, and one-hot categories.

    Args:
        numbers: Which of the F columns are numbers.
        fill: The median of each of them on the training rows; 0 where all are missing.
        gaps: Which of the F columns have missing cells in the training rows.
        levels: ``[L, 2]`` column and code of each category.

    >>> columns = np.array([[1.0, 0.0], [np.nan, 1.0], [3.0, 0.0]])
    >>> encoding = Encoding.fit(columns, categorical=np.array([False, True]))
    >>> encoding.apply(columns).tolist()
    [[1.0, 0.0, 1.0, 0.0], [2.0, 1.0, 0.0, 1.0], [3.0, 0.0, 1.0, 0.0]]
    """

    numbers: NDArray[np.int64]
    fill: NDArray[np.float64]
    gaps: NDArray[np.int64]
    levels: NDArray[np.int64]

    @classmethod
    def fit(cls, columns: Array, categorical: NDArray[np.bool_]) -> Encoding:
        """Of training columns ``[N, F]`` and which of them hold category codes ``[F]``."""
        missing = np.isnan(columns)
        numbers = np.flatnonzero(~categorical)
        levels = [
            (int(f), int(code))
            for f in np.flatnonzero(categorical)
            for code in np.unique(columns[~missing[:, f], f])
        ]
        return cls(
            numbers=numbers,
            fill=_medians(columns, numbers, missing),
            gaps=np.flatnonzero(missing.any(axis=0)),
            levels=np.array(levels, dtype=np.int64).reshape(-1, 2),
        )

    def apply(self, columns: Array) -> NDArray[np.float64]:
        """Encoded rows ``[N, E]``, finite where the columns are finite or missing.

        A category that training lacks has no level; a gap where training had none has no flag.
        """
        numbers = columns[:, self.numbers]
        numbers = np.where(np.isnan(numbers), self.fill, numbers)
        flags = np.isnan(columns[:, self.gaps])
        levels = columns[:, self.levels[:, 0]] == self.levels[:, 1]
        return np.hstack([numbers, flags, levels], dtype=np.float64)


def _medians(
    columns: Array, numbers: NDArray[np.int64], missing: NDArray[np.bool_]
) -> NDArray[np.float64]:
    filled = np.median(columns[:, numbers], axis=0)
    for at in np.flatnonzero(np.isnan(filled)):
        known = columns[~missing[:, numbers[at]], numbers[at]]
        filled[at] = np.median(known) if len(known) else 0.0
    return filled


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """Encoded training rows in standard units, and the way back.

    Columns of zeros and ones have the unit 1/2, however rare the ones are: scaled to unit variance, bits
    that hardly any row has would weigh most.

    Args:
        rows: ``[N, E]``; columns that do not vary are 0.
        scale: ``[E]`` standard deviations; infinite for columns that do not vary.
        center: ``[E]`` means.
    """

    rows: NDArray[np.float64]
    scale: NDArray[np.float64]
    center: NDArray[np.float64]

    @classmethod
    def of(cls, encoded: NDArray[np.float64]) -> Scaled:
        """Centre and scale encoded rows."""
        largest = np.abs(encoded).max(axis=0, initial=0.0)
        unit = np.where(largest > 0, largest, 1.0)  # squares of huge values stay finite
        rows = encoded / unit
        bits = ((rows == 0) | (rows == 1)).all(axis=0) & (unit == 1)
        center = rows.mean(axis=0)
        rows -= center
        spread = np.sqrt((rows**2).mean(axis=0))
        varies = spread > _LEAST
        spread = np.where(varies, np.where(bits, 0.5, spread), np.inf)
        return cls(rows=rows / spread, scale=spread * unit, center=center * unit)

    def unscaled(
        self, weights: NDArray[np.float64], intercept: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights ``[E, K]`` and intercept ``[K]`` for the encoded rows as they were."""
        own = weights / self.scale[:, None]
        return own, intercept - self.center @ own

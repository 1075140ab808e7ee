"""A split that trains on the past and tests on the future."""

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cotrain.data.splits.split import Split, split_column
from cotrain.data.tidy import parse_dates
from cotrain.errors import InputError


@final
@dataclass(frozen=True, kw_only=True)
class TimeSplit(Split):
    """The oldest rows train and the newest test; rows of the same time stay together.

    >>> table = pl.DataFrame({"day": [5, 1, 2, 3, 4, 6, 7, 8, 9, 9]})
    >>> TimeSplit(column="day").assign(table, np.zeros((10, 0), bool), seed=0).tolist()
    [0, 0, 0, 0, 0, 0, 0, 1, 2, 2]
    """

    column: str

    @property
    def reserved(self) -> tuple[str, ...]:
        """The time column."""
        return (self.column,)

    def times(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """The column, as numbers."""
        return as_times(split_column(frame, self.column))

    def assign(self, frame: pl.DataFrame, strata: NDArray[np.bool_], seed: int) -> NDArray[np.int8]:
        """Cut the sorted times at the changes of time nearest to the shares."""
        times = as_times(split_column(frame, self.column))
        order = np.argsort(times, kind="stable")
        changes = np.flatnonzero(np.diff(times[order])) + 1
        if len(changes) < 2:
            raise InputError(
                f"split column {self.column!r} has {len(changes) + 1} different times: three "
                f"splits need at least 3, use another column or --split random"
            )
        first = _nearest(changes[:-1], self.train * len(order))
        second = _nearest(changes[changes > first], (self.train + self.valid) * len(order))
        assignment = np.full(len(order), 2, dtype=np.int8)
        assignment[order[:second]] = 1
        assignment[order[:first]] = 0
        return assignment


def _nearest(cuts: NDArray[np.intp], wanted: float) -> int:
    return int(cuts[np.abs(cuts - wanted).argmin()])


def as_times(column: pl.Series) -> NDArray[np.float64]:
    """Numbers that sort like the times of a column of numbers or dates."""
    if column.dtype == pl.String:
        dates = parse_dates(column)
        if dates.null_count():
            example = column.filter(dates.is_null())[0]
            raise InputError(
                f"split column {column.name!r} holds {example!r}, which is no time: write dates "
                f"as 2024-01-31 or 2024-01-31 10:30:00, or use numbers"
            )
        column = dates
    return column.to_physical().cast(pl.Float64).to_numpy()

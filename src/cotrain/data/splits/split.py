"""How rows are cut into training, validation and test rows."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cotrain.data.splits.stratify import stratify
from cotrain.data.tidy import tidy
from cotrain.errors import InputError, nearest

SPLIT_NAMES = ("train", "valid", "test")
"""What the codes 0, 1, 2 of an assignment mean."""


@dataclass(frozen=True, kw_only=True)
class Split(ABC):
    """A rule that assigns every row to one of the three splits.

    Args:
        train: Share of the training rows.
        valid: Share of the validation rows; the rest is for the test.
    """

    train: float = 0.8
    valid: float = 0.1

    def __post_init__(self) -> None:
        """Refuse shares that leave a split empty."""
        if min(self.train, self.valid) <= 0 or self.train + self.valid >= 1:
            raise InputError(
                f"split shares train={self.train:g}, valid={self.valid:g} leave a split empty: "
                f"both must be above 0 and their sum below 1"
            )

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Shares of the three splits."""
        return self.train, self.valid, 1 - self.train - self.valid

    @property
    def reserved(self) -> tuple[str, ...]:
        """Columns that the rule reads, and that therefore are neither inputs nor targets."""
        return ()

    def units(self, frame: pl.DataFrame) -> NDArray[np.int64] | None:
        """``[N]`` codes of what must stay together, in folds as in splits; None if nothing must."""
        return None

    def times(self, frame: pl.DataFrame) -> NDArray[np.float64] | None:
        """``[N]`` times, if training is to lie before what it is judged on; None if that is no matter."""
        return None

    @abstractmethod
    def assign(self, frame: pl.DataFrame, strata: NDArray[np.bool_], seed: int) -> NDArray[np.int8]:
        """Assign rows ``[N]``: 0 train, 1 validation, 2 test.

        Args:
            frame: The table, N rows.
            strata: ``[N, S]`` from :func:`~cotrain.data.splits.stratify.label_strata`.
            seed: Decides what chance decides.
        """

    def _cut(self, order: NDArray[np.intp]) -> NDArray[np.int8]:
        """First the training rows, then the validation rows, then the test rows."""
        n_train, n_valid = int(self.train * len(order)), int(self.valid * len(order))
        assignment = np.full(len(order), 2, dtype=np.int8)
        assignment[order[: n_train + n_valid]] = 1
        assignment[order[:n_train]] = 0
        return assignment


@final
@dataclass(frozen=True, kw_only=True)
class RandomSplit(Split):
    """Rows by chance.

    >>> table = pl.DataFrame({"a": range(10)})
    >>> RandomSplit().assign(table, np.zeros((10, 0), bool), seed=0).tolist()
    [0, 2, 0, 0, 0, 0, 0, 0, 1, 0]
    """

    def assign(self, frame: pl.DataFrame, strata: NDArray[np.bool_], seed: int) -> NDArray[np.int8]:
        """A permutation of the rows, cut in three."""
        return self._cut(np.random.default_rng(seed).permutation(len(strata)))


@final
@dataclass(frozen=True, kw_only=True)
class StratifiedSplit(Split):
    """Rows by chance, with every class of every task in its proportion in every split."""

    def assign(self, frame: pl.DataFrame, strata: NDArray[np.bool_], seed: int) -> NDArray[np.int8]:
        """Iterative stratification, see :mod:`cotrain.data.splits.stratify`."""
        return stratify(strata, self.fractions, seed)


def split_column(frame: pl.DataFrame, name: str) -> pl.Series:
    """The column of a split, which must exist and have no missing cell."""
    if name not in frame.columns:
        raise InputError(f"split column {name!r} is not a column: {nearest(name, frame.columns)}")
    column = tidy(frame.select(name)).to_series()
    if column.null_count():
        raise InputError(
            f"split column {name!r} is missing in {column.null_count():,} of {len(column):,} rows: "
            f"fill these cells or drop the rows"
        )
    return column

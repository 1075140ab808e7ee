"""A split that keeps groups whole."""

from dataclasses import dataclass
from typing import final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cotrain.data.splits.split import Split, split_column
from cotrain.errors import InputError


@final
@dataclass(frozen=True, kw_only=True)
class GroupSplit(Split):
    """Rows of one group stay together, so the test is on groups that training never saw.

    >>> table = pl.DataFrame({"who": ["a", "a", "b", "c", "d", "e", "f", "g", "h", "i"]})
    >>> GroupSplit(column="who").assign(table, np.zeros((10, 0), bool), seed=0).tolist()
    [0, 0, 2, 0, 0, 0, 0, 0, 1, 0]
    """

    column: str

    @property
    def reserved(self) -> tuple[str, ...]:
        """The group column."""
        return (self.column,)

    def units(self, frame: pl.DataFrame) -> NDArray[np.int64]:
        """The groups."""
        names = split_column(frame, self.column).cast(pl.String).to_numpy()
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    def assign(self, frame: pl.DataFrame, strata: NDArray[np.bool_], seed: int) -> NDArray[np.int8]:
        """Largest group first, each to the split that lacks the most rows."""
        groups = split_column(frame, self.column)
        _, codes, sizes = np.unique(
            groups.cast(pl.String).to_numpy(), return_inverse=True, return_counts=True
        )
        if len(sizes) < 3:
            raise InputError(
                f"split column {self.column!r} has {len(sizes)} groups: three splits need at "
                f"least 3, use another column or --split random"
            )
        shuffled = np.random.default_rng(seed).permutation(len(sizes))
        order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
        return self._fill(order, sizes)[codes]

    def _fill(self, order: NDArray[np.intp], sizes: NDArray[np.intp]) -> NDArray[np.int8]:
        lack = np.array(self.fractions) * sizes.sum()
        split_of = np.full(len(sizes), -1, dtype=np.int8)
        for done, group in enumerate(order):
            empty = np.setdiff1d(np.arange(3), split_of)
            must = len(order) - done == len(empty)  # as many groups left as splits without one
            choice = int(empty[lack[empty].argmax()]) if must else int(lack.argmax())
            split_of[group] = choice
            lack[choice] -= sizes[group]
        return split_of

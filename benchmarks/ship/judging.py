"""What the pairs of table and split say about shipping, as against following one strategy everywhere.

Letters: T tasks of a table. A *strategy* is a contender that every pair has, followed on every task of
every table. Scores are higher-is-better; R² below −1 counts as −1 in every mean and difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from cotrain.results import Interval
from cotrain.stats import finite_mean, student_interval

SHIPPED, EQUAL = "shipped", "equal parts"
FLOOR = -1.0  # of R²: a hopeless task must not decide a mean


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One table, cut in one way.

    Args:
        table: Its name.
        seed: Of the split.
        scores: Contender or ``shipped`` → ``[T]`` test scores, NaN where undefined.
    """

    table: str
    seed: int
    scores: Mapping[str, Array]

    @property
    def contenders(self) -> tuple[str, ...]:
        """All columns but what is shipped."""
        return tuple(name for name in self.scores if name != SHIPPED)

    def mean(self, name: str) -> float:
        """Mean of a column over the tasks."""
        return float(finite_mean(self.scores[name]))

    def gains(self, strategy: str) -> Array:
        """``[T]`` shipped minus the strategy."""
        return np.asarray(self.scores[SHIPPED] - self.scores[strategy])

    @property
    def best(self) -> str:
        """The contender with the best mean test score; equal parts is a mixture of them, and none."""
        held = [name for name in self.contenders if name != EQUAL]
        return max(held, key=lambda name: np.nan_to_num(self.mean(name), nan=-np.inf))

    @property
    def regret(self) -> float:
        """What the best contender, chosen on the test rows, has over what is shipped."""
        return self.mean(self.best) - self.mean(SHIPPED)


def as_pair(trial: Mapping[str, Any]) -> Pair:
    """A pair from what a trial has stored, with R² clipped from below."""
    tasks = trial["tasks"]
    names = [SHIPPED, *tasks[0]["test"]]
    columns = {
        name: [one[SHIPPED] if name == SHIPPED else one["test"][name] for one in tasks]
        for name in names
    }
    floor = np.array([FLOOR if one["metric"] == "R²" else -np.inf for one in tasks])
    scores = {n: np.maximum(np.array(v, dtype=np.float64), floor) for n, v in columns.items()}
    return Pair(table=trial["table"], seed=trial["seed"], scores=scores)


def strategies(pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The contenders that all pairs have, in the order of the first."""
    return tuple(
        name for name in pairs[0].contenders if all(name in pair.contenders for pair in pairs)
    )


def per_table(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Table → mean of its finite values.

    >>> per_table([("a", 1.0), ("b", 5.0), ("a", 2.0)])
    {'a': 1.5, 'b': 5.0}
    """
    values: dict[str, list[float]] = {}
    for table, value in pairs:
        values.setdefault(table, []).append(value)
    return {table: float(finite_mean(np.array(own))) for table, own in values.items()}


def gains(pairs: Sequence[Pair], strategy: str) -> dict[str, float]:
    """Table → shipped minus the strategy, mean over tasks and then over splits."""
    return per_table((pair.table, float(finite_mean(pair.gains(strategy)))) for pair in pairs)


def regrets(pairs: Sequence[Pair]) -> dict[str, float]:
    """Table → regret to the best contender in hand of each split, mean over splits."""
    return per_table((pair.table, pair.regret) for pair in pairs)


def over_tables(values: Mapping[str, float]) -> Interval:
    """Mean over tables with Student's interval over tables: each table is one draw."""
    return student_interval(np.array(list(values.values())))


def within(pairs: Sequence[Pair], strategy: str) -> dict[str, Interval]:
    """Table → shipped minus the strategy with Student's interval over tasks × splits.

    Approximate: tasks share rows, and splits share most of their training rows, so the differences are
    no independent draws and the intervals are too narrow.
    """
    found: dict[str, list[Array]] = {}
    for pair in pairs:
        found.setdefault(pair.table, []).append(pair.gains(strategy))
    return {table: student_interval(np.concatenate(own)) for table, own in found.items()}


def below(pairs: Sequence[Pair], strategy: str) -> tuple[str, ...]:
    """Tables on which what ships is significantly below the strategy, see :func:`within`."""
    return tuple(table for table, own in within(pairs, strategy).items() if own.high < 0)

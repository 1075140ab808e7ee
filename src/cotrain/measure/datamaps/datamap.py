"""Data maps: where every example of every task lies between easy, ambiguous and hard.

Over the epochs of one training, the confidence in an example's true label has a mean μ and a sample
standard deviation s (n − 1), its *variability*; (s, μ) is the example's place on the map (Swayamdipta et
al. 2020, arXiv 2009.10795). The maps of all tasks at chosen epochs are the features that STG-MTL clusters
(arXiv 2307.03374). Forgetting events are those of Toneva et al. 2019, arXiv 1812.05159.

A map measures difficulty, not transfer: a task and its negation have the same map.

μ and s are stored as multiples of 1/65534 (error at most 7.6e-6), which halves the memory and makes
distances sums of whole numbers: exact, and the same in every task order, bit for bit.
Letters: S snapshots, T tasks, N examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.figures.scatter import map_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import shorten
from cotrain.measure.datamaps.difficulty import Difficulty, extremes, table
from cotrain.measure.measurement import Measurement

FloatArray = NDArray[np.float32]
Levels = NDArray[np.uint16]

STEPS, MISSING = 65534, 65535
ARRAYS = ("confidence_levels", "variability_levels", "observed", "correct", "forgotten")
_MOST_DRAWN = 40  # tasks in the figure's menu
_MOST_DOUBTS, _MOST_DOUBTED = 8, 12  # examples and tasks that a print names
_AT_ONCE = 1024  # examples compared at a time


def to_levels(values: FloatArray) -> Levels:
    """Numbers from 0 to 1 as whole multiples of 1/65534; NaN as 65535.

    >>> to_levels(np.array([0.0, 0.5, 1.0, np.nan], dtype=np.float32))
    array([    0, 32767, 65534, 65535], dtype=uint16)
    """
    levels = np.rint(values * STEPS)
    return np.where(np.isfinite(levels), np.clip(levels, 0, STEPS), MISSING).astype(np.uint16)


def from_levels(levels: Levels) -> FloatArray:
    """The inverse of :func:`to_levels`, with an error of at most 7.6e-6."""
    return np.where(levels == MISSING, np.nan, levels / np.float32(STEPS)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class DataMap(Measurement):
    """Where T tasks' N examples lay after S epochs of one training, made by ``DataMaps.result()``.

    Read it through the methods; their ``snapshot`` is a position in ``epochs``, by default the last.

    Args:
        tasks: T names.
        epochs: The S epochs after which the snapshots were taken, counted from 1.
        confidence_levels: ``[S, T, N]`` uint16, μ in steps of 1/65534; 65535 where never observed.
        variability_levels: ``[S, T, N]`` uint16, s likewise; 65535 where observed less than twice.
        observed: ``[S, T, N]`` uint16, observations so far; 0 where the example has no label.
        correct: ``[S, T, N]`` uint16, how many of them were predicted correctly.
        forgotten: ``[S, T, N]`` uint16, how many followed a correct one and were wrong.
        numbers: ``[N]`` int64, what to call the examples: their rows in the user's table, from 0.
    """

    title = "Data map"
    about = (
        "Every labelled example by the mean of the network's confidence in its label over training "
        "(up: easy, down: hard or mislabelled) and its standard deviation (right: ambiguous). A map shows "
        "how difficult a task is, not whom it helps."
    )

    epochs: tuple[int, ...]
    confidence_levels: Levels
    variability_levels: Levels
    observed: Levels
    correct: Levels
    forgotten: Levels
    numbers: NDArray[np.int64]

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        shape = (len(self.epochs), len(self.tasks), *self.observed.shape[2:])
        for name in ARRAYS:
            array: NDArray[Any] = getattr(self, name)
            if array.ndim != 3 or array.shape != shape or array.dtype != np.uint16:
                found = f"{array.dtype} {list(array.shape)}"
                raise InputError(f"{name} must be uint16 [epochs, tasks, examples], found {found}")
        if self.numbers.shape != self.observed.shape[2:]:
            raise InputError(f"numbers must be one an example, found {list(self.numbers.shape)}")
        if not self.epochs or any(a >= b for a, b in pairwise((1, *self.epochs))):
            raise InputError(f"snapshot epochs must grow from 2 on, found {self.epochs}")

    def confidence(self, snapshot: int = -1) -> FloatArray:
        """``[T, N]`` mean confidence μ in the true label; NaN where never observed."""
        return from_levels(self.confidence_levels[snapshot])

    def variability(self, snapshot: int = -1) -> FloatArray:
        """``[T, N]`` sample standard deviation s; NaN where observed less than twice."""
        return from_levels(self.variability_levels[snapshot])

    def correctness(self, snapshot: int = -1) -> FloatArray:
        """``[T, N]`` share of observations predicted correctly; NaN where there are none."""
        seen = self.observed[snapshot]
        return _where(seen > 0, self.correct[snapshot] / np.maximum(seen, 1))

    def forgetting(self, snapshot: int = -1) -> FloatArray:
        """``[T, N]`` times a correct prediction was followed by a wrong one; NaN where never observed.

        An example that was never right has none (Toneva et al. count it as forgotten forever).
        """
        return _where(self.observed[snapshot] > 0, self.forgotten[snapshot])

    def difficulty(self, snapshot: int = -1) -> Difficulty:
        """Each task's averages over its examples, with standard errors."""
        alone = (self.select([t]) for t in range(len(self.tasks)))
        return Difficulty.from_tasks(
            np.concatenate(
                [
                    one.confidence(snapshot),
                    one.variability(snapshot),
                    one.correctness(snapshot),
                    one.forgetting(snapshot),
                ]
            )
            for one in alone
        )

    def doubtful(self, task: int, most: int = 20, snapshot: int = -1) -> NDArray[np.int64]:
        """The examples of a task whose labels the network believed least: look at these labels first.

        Returns:
            At most ``most`` numbers, the least confident first; hard ones only (μ + s < ½).
        """
        mean, spread = self.confidence(snapshot)[task], self.variability(snapshot)[task]
        hard = np.flatnonzero(mean + spread < 0.5)
        return self.numbers[hard[np.argsort(mean[hard], kind="stable")][:most]]

    def select(self, tasks: Sequence[int]) -> DataMap:
        """The map of some tasks, by their positions."""
        arrays = {name: getattr(self, name)[:, list(tasks)] for name in ARRAYS}
        return replace(self, tasks=tuple(self.tasks[t] for t in tasks), **arrays)

    def features(self) -> FloatArray:
        """``[T, 2·S·n]`` all (μ, s) of the n examples that lie on every task's map at every snapshot.

        With partial labels n may be 0: use :meth:`distances`, which compares tasks two by two.
        """
        common = (self.variability_levels != MISSING).all(axis=(0, 1))
        pairs = (self.confidence_levels[..., common], self.variability_levels[..., common])
        both = np.stack([from_levels(levels) for levels in pairs], axis=1)  # [S, 2, T, n]
        return np.moveaxis(both, 2, 0).reshape(len(self.tasks), -1)

    def points(self, task: int) -> FloatArray:
        """``[n, 2·S]`` μ and s at the S snapshots of a task's examples that lie on its map at all."""
        pairs = [
            (self.confidence(at)[task], self.variability(at)[task])
            for at in range(len(self.epochs))
        ]
        both = np.stack([values for pair in pairs for values in pair], axis=1)
        return np.asarray(both[np.isfinite(both).all(axis=1)], dtype=np.float32)

    def distances(self) -> NDArray[np.float64]:
        """``[T, T]`` root of the mean squared difference of μ and s between two tasks.

        The mean runs over both coordinates of all snapshots of the examples on both maps: those with a
        label in both tasks and two observations. NaN where there is none.
        """
        tasks, examples = self.observed.shape[1:]
        squares, count = np.zeros((tasks, tasks)), np.zeros((tasks, tasks))
        for snapshot in range(len(self.epochs)):
            for start in range(0, examples, _AT_ONCE):
                at = (snapshot, slice(None), slice(start, start + _AT_ONCE))
                more, seen = _compared(self.confidence_levels[at], self.variability_levels[at])
                squares += more
                count += seen
        mean = np.where(count > 0, squares / np.maximum(2 * count, 1), np.nan)
        distances: NDArray[np.float64] = np.sqrt(mean) / STEPS
        return distances

    def __str__(self) -> str:
        """A row for each task, the least confident first; of many tasks the extremes."""
        epochs = ", ".join(map(str, self.epochs))
        size = f"{len(self.tasks):,} tasks, {self.observed.shape[2]:,} examples"
        title = f"Data map: {size}, after {'epoch' if len(self.epochs) == 1 else 'epochs'} {epochs}"
        return "\n".join([title, *table(self.tasks, self.difficulty()), *self._doubts()])

    def _doubts(self) -> list[str]:
        """Where to look for wrong labels."""
        found = [(task, self.doubtful(t, _MOST_DOUBTS)) for t, task in enumerate(self.tasks)]
        lines = [
            f"  {shorten(task, 40)}: {', '.join(map(str, rows))}"
            for task, rows in found
            if len(rows)
        ]
        if not lines:
            return []
        heading = (
            "labels believed least (hard; rows of the data, from 0; .doubtful(task) has more):"
        )
        return [heading, *lines[:_MOST_DOUBTED]]

    def figure(self) -> Figure:
        """The last snapshot, one task at a time; of many tasks those with the extreme confidences."""
        low, high = extremes(self.tasks, self.difficulty().confidence.mean, _MOST_DRAWN)
        shown = self.select([*low, *high])
        return map_figure(
            shown.tasks,
            variability=shown.variability(),
            confidence=shown.confidence(),
            correctness=shown.correctness(),
            numbers=shown.numbers,
            left_out=len(self.tasks) - len(shown.tasks),
        )


def _where(seen: NDArray[np.bool_], values: NDArray[Any]) -> FloatArray:
    return np.where(seen, values, np.nan).astype(np.float32)


def _compared(mean: Levels, deviation: Levels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``[T, T]`` squared differences summed over the examples on both maps, and their number.

    Σ (a − b)² = Σ a² + Σ b² − 2 Σ ab as matrix products. All are whole numbers far below 2⁵³, so the
    float64 products are exact: nothing cancels, and the order of summation does not matter.
    """
    seen = deviation != MISSING
    a, b = (np.where(seen, levels, 0).astype(np.float64) for levels in (mean, deviation))
    mask = seen.astype(np.float64)
    own = (a * a + b * b) @ mask.T
    return own + own.T - 2 * (a @ a.T + b @ b.T), mask @ mask.T

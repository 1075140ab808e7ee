"""Measured gains of task sets: what each member of a set gained over training alone.

A row is one set of tasks that was trained together. Singles define the zero: a task's gain alone is 0.
Letters: N sets, T tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.figures.heatmap import matrix_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import shorten
from cotrain.measure.gains.sets import Sets
from cotrain.measure.measurement import Measurement

Table = NDArray[np.float64]

_MOST_LINES = 12  # tasks that a print names


@dataclass(frozen=True, kw_only=True)
class Gains(Measurement):
    """Gains of the members of N trained task sets. A set may appear more than once.

    Args:
        tasks: T names.
        sets: ``[N, T]`` bool, who was trained together; no set is empty.
        gain: ``[N, T]`` score in the set minus score alone, higher is better; NaN outside the set and
            where the score is not defined; 0 for a task alone.
        standard_error: ``[N, T]`` of ``gain``, NaN where it is not known.

    >>> print(Gains.empty(["a", "b", "c"]).extended([[1, 1, 0], [1, 1, 1]], [[2, 1, 0], [3, -1, -2]]))
    2 sets of 3 tasks trained
      a: best +3 with b + c
      b: best +1 with a
      c: best alone, most in company -2 with a + b
    """

    title = "Gains of task sets"
    about = (
        "A task's (row) mean gain in the trained sets of two or more that hold the other task (column) "
        "minus those that do not; blank where one kind was not trained. It shows what was trained, not a "
        "cause: the surrogate tells them apart. Blue helps, red hurts. Similar tasks are neighbours."
    )

    sets: Sets
    gain: Table
    standard_error: Table

    def __post_init__(self) -> None:
        """Refuse tables that do not fit together and gains that cannot be."""
        shape = (len(self.sets), len(self.tasks))
        if self.sets.dtype != np.bool_ or self.sets.shape != shape:
            found = f"{self.sets.dtype} {list(self.sets.shape)}"
            raise InputError(f"sets must be bool [sets, {len(self.tasks)} tasks], found {found}")
        for name in ("gain", "standard_error"):
            size = getattr(self, name).shape
            if size != shape:
                raise InputError(f"{name} must be like sets, {list(shape)}, found {list(size)}")
        if not self.sets.any(axis=1).all():
            raise InputError(f"set {int((~self.sets.any(axis=1)).argmax())} has no task")
        self._check_values()

    def _check_values(self) -> None:
        for name in ("gain", "standard_error"):
            self._refuse(name, np.isinf(getattr(self, name)), "must be finite or NaN")
        self._refuse("standard_error", self.standard_error < 0, "must not be negative")
        self._refuse("gain", np.isfinite(self.gain) & ~self.sets, "must be NaN outside the set")
        alone = (self.sets.sum(axis=1) == 1)[:, None] & np.isfinite(self.gain)
        self._refuse("gain", alone & (self.gain != 0), "of a task alone must be 0")

    def _refuse(self, name: str, wrong: Sets, why: str) -> None:
        if wrong.any():
            row, task = (int(at) for at in np.argwhere(wrong)[0])
            found = f"set {row}, task {self.tasks[task]!r} has {getattr(self, name)[row, task]:g}"
            raise InputError(f"{name} {why}: {found}")

    @classmethod
    def empty(cls, tasks: Sequence[str]) -> Self:
        """Gains before any set was trained."""
        none = np.zeros((0, len(tasks)))
        return cls(tasks=tuple(tasks), sets=none.astype(bool), gain=none, standard_error=none)

    def extended(self, sets: Any, gain: Any, standard_error: Any = None) -> Self:
        """With more sets below; what ``gain`` and ``standard_error`` hold outside a set is ignored."""
        sets, gain = np.asarray(sets, dtype=bool), np.asarray(gain, dtype=np.float64)
        unknown = np.full(gain.shape, np.nan)
        error = unknown if standard_error is None else np.asarray(standard_error, dtype=np.float64)
        if not sets.shape == gain.shape == error.shape or sets.shape[1:] != self.sets.shape[1:]:
            shapes = f"{list(sets.shape)}, {list(gain.shape)}, {list(error.shape)}"
            raise InputError(f"sets, gain and standard_error must be [N, T], found {shapes}")
        return type(self)(
            tasks=self.tasks,
            sets=np.concatenate([self.sets, sets]),
            gain=np.concatenate([self.gain, np.where(sets, gain, np.nan)]),
            standard_error=np.concatenate([self.standard_error, np.where(sets, error, np.nan)]),
        )

    def effects(self) -> tuple[Table, Table]:
        """Worth of company: ``[T, T]`` row task's mean gain with the column task minus without it.

        The second table has the standard errors, from the spread of the gains in both kinds of sets.
        NaN where one kind was not trained. Averages over the sets that happen to be there: it shows what
        was measured, :class:`~cotrain.measure.gains.surrogate.Surrogate` explains it.
        """
        known = np.isfinite(self.gain) & (self.sets.sum(axis=1) > 1)[:, None]
        value = np.where(known, self.gain, 0.0)
        moments = [_moments(known, value, company) for company in (self.sets, ~self.sets)]
        (mean_with, error_with), (mean_without, error_without) = moments
        own = np.eye(len(self.tasks), dtype=bool)
        effect = np.where(own, np.nan, mean_with - mean_without)
        return effect, np.where(own, np.nan, np.sqrt(error_with + error_without))

    def __str__(self) -> str:
        """How many sets were trained, and the best set of each task."""
        lines = [f"{len(self.sets)} sets of {len(self.tasks)} tasks trained"]
        lines += [f"  {self._best(task)}" for task in range(min(len(self.tasks), _MOST_LINES))]
        if len(self.tasks) > _MOST_LINES:
            lines.append(f"  … and {len(self.tasks) - _MOST_LINES} more tasks")
        return "\n".join(lines)

    def _best(self, task: int) -> str:
        name = shorten(self.tasks[task], 30)
        company = np.where(self.sets.sum(axis=1) > 1, self.gain[:, task], np.nan)
        if not np.isfinite(company).any():
            return f"{name}: never in company"
        row = int(np.nanargmax(company))
        others = [shorten(self.tasks[t], 20) for t in np.flatnonzero(self.sets[row]) if t != task]
        shown = " + ".join(others[:6]) + (f" + {len(others) - 6} more" if len(others) > 6 else "")
        prefix = "best" if company[row] > 0 else "best alone, most in company"
        return f"{name}: {prefix} {company[row]:+.3g} with {shown}"

    def figure(self) -> Figure:
        """Heatmap of :meth:`effects`, similar tasks next to each other."""
        return matrix_figure(self.tasks, *self.effects())


def _moments(known: Sets, value: Table, company: Sets) -> tuple[Table, Table]:
    """``[T, T]`` mean gain of the row task over the sets marked for the column task, and its variance."""
    chosen = company.astype(np.float64)
    count = known.T.astype(np.float64) @ chosen
    mean = value.T @ chosen / np.maximum(count, 1)
    square = (value**2).T @ chosen / np.maximum(count, 1)
    spread = np.maximum(square - mean**2, 0.0) * count / np.maximum(count - 1, 1)
    mean = np.where(count > 0, mean, np.nan)
    return mean, np.where(count > 1, spread / np.maximum(count, 1), np.nan)

"""A measured relation between tasks: how much does training on one help the other?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cotrain.figures.heatmap import groups_figure, matrix_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import shorten
from cotrain.measure.measurement import Measurement
from cotrain.measure.probes import mean_and_error
from cotrain.stats import finite_mean, rank_correlation

Matrix = NDArray[np.float64]
STRONGEST = 5  # relations that a print names


@dataclass(frozen=True, kw_only=True)
class Affinity(Measurement):
    """Mean effect of each source task on each recipient task, with standard errors.

    Args:
        tasks: Task names.
        mean: ``[T, T]``, row = recipient, column = source; positive means the source helps. The
            diagonal is NaN: a task's effect on itself says nothing about company.
        standard_error: ``[T, T]`` standard errors of ``mean``.
        first_order: ``[T, T]`` the first-order estimate of ``mean``; NaN where it was not measured.
        halves: ``[2, T, T]`` means over every other probe, to see whether the measurement repeats itself.
        probes: Number of probed steps.
        method: What was measured, and with which step.

    >>> samples = np.array([[[9, 1], [3, 9]], [[9, 3], [4, 9]]], dtype=np.float32)
    >>> print(Affinity.from_samples(["a", "b"], samples, samples / 2, method="lookahead"))
    2 tasks, lookahead, 2 probes
      rank agreement: 1.00 with first order, 1.00 between two halves of the probes (near 0: noise)
      a helps b: +3.5 ± 0.5
      b helps a: +2 ± 1
    """

    title = "Transference"
    about = (
        "What one step for a source task (column) does to the loss of a recipient (row) on the same "
        "batch: blue helps, red hurts. Similar tasks are neighbours."
    )

    mean: Matrix
    standard_error: Matrix
    first_order: Matrix
    halves: Matrix
    probes: int
    method: str

    @classmethod
    def from_samples(
        cls,
        tasks: Sequence[str],
        samples: NDArray[np.float32],
        first_order: NDArray[np.float32],
        *,
        method: str,
    ) -> Self:
        """Average ``[S, T, T]`` probes, NaN where a task had no labels in the probed batch."""
        own = np.eye(len(tasks), dtype=bool)
        mean, error = mean_and_error(samples)
        return cls(
            tasks=tuple(tasks),
            mean=np.where(own, np.nan, mean),
            standard_error=np.where(own, np.nan, error),
            first_order=np.where(own, np.nan, mean_and_error(first_order)[0]),
            halves=np.where(own, np.nan, [finite_mean(samples[half::2]) for half in (0, 1)]),
            probes=len(samples),
            method=method,
        )

    @property
    def agreement(self) -> float:
        """Rank correlation (Spearman) between ``mean`` and ``first_order`` over all pairs."""
        return rank_correlation(self.mean, self.first_order)

    @property
    def reliability(self) -> float:
        """Rank correlation between the two halves of the probes: near 0, the ranking is noise."""
        return rank_correlation(*self.halves)

    def __str__(self) -> str:
        """The strongest relations in both directions."""
        lines = [
            f"{len(self.tasks)} tasks, {self.method}, {self.probes} probes",
            *self._agreements(),
        ]
        order = np.argsort(-np.abs(self.mean), axis=None, kind="stable").tolist()
        pairs = [divmod(at, len(self.tasks)) for at in order]
        known = [pair for pair in pairs if np.isfinite(self.mean[pair])]
        lines += [self._line(*pair) for pair in known[:STRONGEST]]
        if len(known) > STRONGEST:
            lines.append(f"  … and {len(known) - STRONGEST} weaker relations")
        return "\n".join(lines)

    def _agreements(self) -> list[str]:
        named = (
            (self.agreement, "with first order"),
            (self.reliability, "between two halves of the probes (near 0: noise)"),
        )
        known = [f"{value:.2f} {name}" for value, name in named if np.isfinite(value)]
        return [f"  rank agreement: {', '.join(known)}"] if known else []

    def _line(self, recipient: int, source: int) -> str:
        value, error = self.mean[recipient, source], self.standard_error[recipient, source]
        verb = "helps" if value > 0 else "hurts" if value < 0 else "leaves"
        names = (shorten(self.tasks[source], 40), verb, shorten(self.tasks[recipient], 40))
        return f"  {' '.join(names)}: {value:+.3g} ± {error:.2g}"

    def figure(self) -> Figure:
        """Heatmap, similar tasks next to each other."""
        return matrix_figure(self.tasks, self.mean, self.standard_error)


@dataclass(frozen=True, kw_only=True)
class GroupTransference(Measurement):
    """Mean effect of one step for a whole group on each task (higher-order transference).

    Args:
        tasks: Task names.
        groups: G groups of task numbers.
        mean: ``[T, G]``, row = recipient; positive means the group's step helps.
        standard_error: ``[T, G]``.
        first_order: ``[T, G]`` the first-order estimate of ``mean``.
        probes: Number of probed steps.
        method: What was measured, and with which step.
    """

    title = "Transference of groups"
    about = "What one step for a group (column) does to the loss of each task (row): blue helps."

    groups: tuple[tuple[int, ...], ...]
    mean: Matrix
    standard_error: Matrix
    first_order: Matrix
    probes: int
    method: str

    @classmethod
    def from_samples(
        cls,
        tasks: Sequence[str],
        groups: Sequence[Sequence[int]],
        samples: NDArray[np.float32],
        first_order: NDArray[np.float32],
        *,
        method: str,
    ) -> Self:
        """Average ``[S, T, G]`` probes of groups."""
        mean, error = mean_and_error(samples)
        return cls(
            tasks=tuple(tasks),
            groups=tuple(tuple(group) for group in groups),
            mean=mean,
            standard_error=error,
            first_order=mean_and_error(first_order)[0],
            probes=len(samples),
            method=method,
        )

    @property
    def agreement(self) -> float:
        """Rank correlation (Spearman) between ``mean`` and ``first_order``."""
        return rank_correlation(self.mean, self.first_order)

    def __str__(self) -> str:
        """One line a group: whom its step helps most and least."""
        lines = [
            f"{len(self.groups)} groups on {len(self.tasks)} tasks, {self.method}, {self.probes} probes"
        ]
        for group, effect, error in zip(
            self._names(), self.mean.T, self.standard_error.T, strict=True
        ):
            if np.isfinite(effect).any():
                best, worst = int(np.nanargmax(effect)), int(np.nanargmin(effect))
                ends = (self._end(t, effect[t], error[t]) for t in (best, worst))
                lines.append(f"  {group}: most to {', least to '.join(ends)}")
        return "\n".join(lines)

    def _end(self, task: int, effect: float, error: float) -> str:
        spread = f" ± {error:.2g}" if np.isfinite(error) else ""
        return f"{shorten(self.tasks[task], 30)} {effect:+.3g}{spread}"

    def _names(self) -> list[str]:
        return [" + ".join(shorten(self.tasks[t], 20) for t in group) for group in self.groups]

    def figure(self) -> Figure:
        """Heatmap of groups (columns) on tasks (rows)."""
        return groups_figure(self.tasks, self._names(), self.mean, self.standard_error)

"""A measured relation between tasks: how much does training on one help the other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Affinity:
    """Mean effect of each source task on each recipient task, with standard errors.

    Args:
        tasks: Task names.
        mean: ``[T, T]``, row = recipient, column = source; positive means the source helps. The
            diagonal is NaN: a task's effect on itself says nothing about company.
        standard_error: ``[T, T]`` standard errors of ``mean``.
        probes: Number of probed steps.
        step_size: Learning rate of the lookahead step.

    >>> Affinity.from_samples(["a", "b"], np.array([[[9, 1], [3, 9]], [[9, 3], [3, 9]]]), 0.1).mean
    array([[nan,  2.],
           [ 3., nan]])
    """

    tasks: tuple[str, ...]
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    probes: int
    step_size: float

    @classmethod
    def from_samples(
        cls, tasks: list[str] | tuple[str, ...], samples: NDArray[np.float64], step_size: float
    ) -> Affinity:
        """Average ``[S, T, T]`` probes, NaN where a task had no labels in the probed batch.

        Neighbouring probes are correlated, so the standard error comes from the means of about √S
        stretches of the run (batch means), not from the single probes.
        """
        samples = samples.astype(np.float64)
        samples[:, range(len(tasks)), range(len(tasks))] = np.nan
        stretches = np.array_split(samples, max(2, round(len(samples) ** 0.5)))
        with np.errstate(invalid="ignore"):
            blocks = np.stack([_nanmean(stretch) for stretch in stretches])
            count = np.isfinite(blocks).sum(axis=0)
            spread = np.nansum((blocks - _nanmean(blocks)) ** 2, axis=0)
            error = np.sqrt(spread / np.maximum(count - 1, 1) / np.maximum(count, 1))
        return cls(
            tasks=tuple(tasks),
            mean=_nanmean(samples),
            standard_error=np.where(count > 1, error, np.nan),
            probes=len(samples),
            step_size=step_size,
        )


def _nanmean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the first axis without NaN; NaN where all are (numpy warns there)."""
    count = np.isfinite(values).sum(axis=0)
    total = np.where(np.isfinite(values), values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)

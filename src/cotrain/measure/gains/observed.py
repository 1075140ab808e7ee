"""Measured gains as the Gaussian process reads them.

Letters: N sets of two or more tasks, T tasks, K most known gains of a task.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.measure.gains.gains import Gains


@dataclass(frozen=True, kw_only=True)
class Observed:
    """The measured gains as tensors, in units of their root mean square.

    Args:
        sets: ``[N, T]`` 0 and 1.
        rows: ``[T, K]`` the sets in which each task's gain is known, filled up with others.
        known: ``[T, K]`` 1 where the gain is known, 0 where filled up.
        gain: ``[T, K]``, 0 where it is not known.
        variance: ``[T, K]`` squared standard errors, 0 where not known.
        unit: Root mean square of the gains, 1 if all are 0.
        nugget: Share of the unexplained variance that belongs to the set itself: 1 if every gain has a
            standard error, else a half.
    """

    sets: Tensor
    rows: Tensor
    known: Tensor
    gain: Tensor
    variance: Tensor
    unit: float
    nugget: float

    @classmethod
    def from_gains(cls, gains: Gains, most: int | None = None) -> Observed:
        """Leave out the singles, which are 0 by definition, and sets without any known gain.

        Args:
            gains: N' sets.
            most: Keep at most this many sets, evenly spaced in the order of measuring.
        """
        finite = np.isfinite(gains.gain)
        kept = np.flatnonzero((gains.sets.sum(axis=1) > 1) & finite.any(axis=1))
        known = finite[kept]
        unit = _root_mean_square(gains.gain[kept][known])
        replicated = bool(len(kept) and np.isfinite(gains.standard_error[kept][known]).all())
        kept = kept[:: -(-len(kept) // most)] if most and len(kept) > most else kept
        known, error = finite[kept], gains.standard_error[kept]
        gain = np.where(known, gains.gain[kept], 0.0)
        rows = np.argsort(~known.T, axis=1, kind="stable")[:, : known.sum(axis=0).max(initial=0)]
        variance = np.where(known, np.nan_to_num(error / unit) ** 2, 0.0)
        known_t, gain_t, variance_t = (
            torch.from_numpy(np.take_along_axis(table.T.astype(np.float64), rows, axis=1))
            for table in (known, gain / unit, variance)
        )
        return cls(
            sets=torch.from_numpy(gains.sets[kept].astype(np.float64)),
            rows=torch.from_numpy(rows),
            known=known_t,
            gain=gain_t,
            variance=variance_t,
            unit=unit,
            nugget=1.0 if replicated else 0.5,
        )


def _root_mean_square(values: NDArray[np.float64]) -> float:
    """Of any size without overflow; 1 if all are 0."""
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    return largest * math.sqrt(((values / largest) ** 2).mean() if values.size else 0.0) or 1.0

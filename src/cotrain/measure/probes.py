"""Means of repeated probes, with standard errors that know of correlation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.stats import finite_mean

Matrix = NDArray[np.float64]


def mean_and_error(
    samples: NDArray[np.floating[Any]], of: Callable[[Matrix], Matrix] = lambda values: values
) -> tuple[Matrix, Matrix]:
    """Mean over S probes and its standard error, NaN and infinity left out.

    Neighbouring probes are correlated, so the error comes from the means of about √S stretches of the
    run (batch means), not from the single probes.

    Args:
        samples: ``[S, ...]``.
        of: What to average, computed from one stretch ``[s, ...]`` at a time to keep memory small.
    """
    stretches = np.array_split(samples, max(2, round(len(samples) ** 0.5)))
    parts = (of(stretch.astype(np.float64)) for stretch in stretches)
    found = [(finite_mean(part), np.isfinite(part).sum(axis=0)) for part in parts]
    blocks, counts = np.stack([mean for mean, _ in found]), np.stack([n for _, n in found])
    seen, known = counts.sum(axis=0), (counts > 0).sum(axis=0)
    total = np.where(counts > 0, counts * blocks, 0.0).sum(axis=0)
    apart = np.where(counts > 0, blocks - finite_mean(blocks), 0.0)
    error = np.sqrt((apart**2).sum(axis=0) / np.maximum(known - 1, 1) / np.maximum(known, 1))
    mean = np.where(seen > 0, total / np.maximum(seen, 1), np.nan)
    return mean, np.where(known > 1, error, np.nan)

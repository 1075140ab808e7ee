"""Test scores with draws of the test rows, the same draws for everybody who is compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cotrain.arrays import Array
from cotrain.data.dataset import TaskData
from cotrain.engine.models.losses import predictions
from cotrain.stats import draw_rows, redraw
from cotrain.tasks import score

DRAWS = 200  # of the test rows


def row_draws(rows: int, *, seed: int) -> list[NDArray[np.intp]]:
    """``[1 + R][N]`` how often each row counts: once, then as often as it is drawn."""
    rng = np.random.default_rng(seed)
    return [np.ones(rows, dtype=np.intp), *(draw_rows(rng, rows) for _ in range(DRAWS))]


def redrawn_scores(test: TaskData, outputs: Tensor, known: Tensor, *, seed: int) -> Array:
    """``[1 + R, M, T]`` scores on the test rows, then on R draws of them, the same for all members.

    Args:
        test: N rows.
        outputs: ``[M, O, N]``.
        known: ``[M, T]`` bool: the outputs to score.
        seed: Of the draws.
    """
    counts = row_draws(len(test), seed=seed)
    found = np.full((len(counts), *known.shape), np.nan)
    for t, (task, predicted) in enumerate(
        zip(test.tasks, predictions(test.tasks, outputs), strict=True)
    ):
        drawn = [redraw(test.labels(t), count) for count in counts]
        for m in known[:, t].nonzero().flatten().tolist():
            found[:, m, t] = [score(task, predicted[m][rows], target) for rows, target in drawn]
    return found

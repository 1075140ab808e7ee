"""Paired bootstrap: test rows and seeds are drawn again and again, the same draw for every contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cotrain.results import Contender, Interval
from cotrain.run.selection import Choice, blend
from cotrain.stats import Labels, draw_rows, redraw
from cotrain.tasks import Task, score

Array = NDArray[np.float64]
REPLICATES = 1000
LEVEL = 95.0


def contender_scores(
    task: Task, predictions: Mapping[Contender, Array], network: Contender, labels: Labels
) -> dict[Contender, float]:
    """Score of every contender's seed-averaged prediction on the labelled rows, the blend included.

    Args:
        task: The task.
        predictions: Contender → ``[S, N, ...]`` predictions of S seeds.
        network: The network that the blend mixes with the trees.
        labels: Labelled rows and their labels.
    """
    rows, target = labels
    mean = {c: p[:, rows].mean(axis=0) for c, p in predictions.items()}
    mean[Contender.BLEND] = blend(mean[network], mean[Contender.TREES])
    return {c: score(task, p, target) for c, p in mean.items()}


def bootstrap(
    tasks: Sequence[Task],
    predictions: Sequence[Mapping[Contender, Array]],
    choice: Choice,
    labels: Sequence[Labels],
    rows: int,
    seed: int,
) -> dict[Contender, Array]:
    """``[R, T]`` scores of every contender in R replicates.

    A replicate draws the N test rows and the S seeds with replacement. Rows are drawn once for all
    tasks, so the correlation between tasks that share rows is kept in averages over tasks.
    """
    draw = np.random.default_rng(seed)
    seeds = len(next(iter(predictions[0].values())))
    replicates: list[list[dict[Contender, float]]] = []
    for _ in range(REPLICATES):
        count = draw_rows(draw, rows)
        seed_draw = draw.integers(0, seeds, seeds)
        replicates.append(
            [
                contender_scores(
                    task,
                    {c: p[seed_draw] for c, p in predictions[t].items()},
                    choice.network[t],
                    redraw(labels[t], count),
                )
                for t, task in enumerate(tasks)
            ]
        )
    return {
        c: np.array([[scores[c] for scores in replicate] for replicate in replicates])
        for c in replicates[0][0]
    }


def interval(value: float, replicates: Array) -> Interval:
    """A value with the percentile interval of its replicates, moved so that their median is the value.

    Drawing S seeds with replacement keeps about two thirds of them, which costs a contender with noisy
    seeds more than the others: without the move such a contender would lose by construction. NaN
    replicates are left out.
    """
    seen = replicates[np.isfinite(replicates)]
    if not len(seen) or not np.isfinite(value):
        return Interval(value=value, low=float("nan"), high=float("nan"))
    seen = seen - np.median(seen) + value
    low, high = np.percentile(seen, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return Interval(value=value, low=float(low), high=float(high))

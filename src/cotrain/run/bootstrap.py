"""Paired bootstrap: test rows and seeds are drawn again and again, the same draw for every contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cotrain.arrays import Array
from cotrain.run.mixture import Mixture
from cotrain.stats import Labels, draw_rows, redraw
from cotrain.tasks import score

SHIPPED, EQUAL = "shipped", "equal parts"
MOST_REPLICATES, FEWEST_REPLICATES, SCORES = (
    1000,
    200,
    20_000,
)  # of replicates, and of scores of tasks


def contender_scores(
    mixture: Mixture, t: int, predictions: Mapping[str, Array], labels: Labels
) -> dict[str, float]:
    """Score of every contender's mean prediction on the labelled rows, of their mixture and of their mean.

    Args:
        mixture: What ships.
        t: Number of the task.
        predictions: Contender → ``[S, N, ...]`` predictions of S seeds.
        labels: Labelled rows and their labels.
    """
    rows, target = labels
    mean = {c: p[:, rows].mean(axis=0) for c, p in predictions.items()}
    equal = {c: 1 / len(mean) for c in mean}
    mean |= {EQUAL: mixture.by(equal, t, mean), SHIPPED: mixture.predict(t, mean)}
    return {c: score(mixture.tasks[t], p, target) for c, p in mean.items()}


def bootstrap(
    mixture: Mixture,
    predictions: Sequence[Mapping[str, Array]],
    labels: Sequence[Labels],
    rows: int,
    seed: int,
) -> dict[str, Array]:
    """``[R, T]`` scores of every contender in R replicates; fewer for hundreds of tasks.

    A replicate draws the N test rows and the S seeds with replacement. Rows are drawn once for all
    tasks, so the correlation between tasks that share rows is kept in averages over tasks.
    """
    draw = np.random.default_rng(seed)
    seeds = len(next(iter(predictions[0].values())))
    replicates: list[list[dict[str, float]]] = []
    for _ in range(int(np.clip(SCORES // len(mixture.tasks), FEWEST_REPLICATES, MOST_REPLICATES))):
        count = draw_rows(draw, rows)
        seed_draw = draw.integers(0, seeds, seeds)
        replicates.append(
            [
                contender_scores(
                    mixture,
                    t,
                    {c: p[seed_draw] for c, p in predictions[t].items()},
                    redraw(labels[t], count),
                )
                for t in range(len(mixture.tasks))
            ]
        )
    names = dict.fromkeys(c for scores in replicates[0] for c in scores)
    return {
        c: np.array([[scores.get(c, np.nan) for scores in replicate] for replicate in replicates])
        for c in names
    }

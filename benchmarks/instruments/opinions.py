"""What each instrument thinks of every set, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.common.arrays import Array
from benchmarks.instruments.joint_runs import JointRun
from benchmarks.instruments.truth import Truth
from cotrain.grouping import SubsetSearch
from cotrain.grouping.objective import all_scores, clean
from cotrain.measure.gains.sets import every_set
from cotrain.measure.gains.surrogate import Surrogate


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What an instrument thinks: ``[2^T − 1, T]`` score of each task in each set, and what it cost."""

    scores: Array
    trainings: float
    reliability: float = float("nan")  # rank correlation between two halves of what was measured


def joint_run_opinions(run: JointRun) -> dict[str, Opinion]:
    """What the instruments of a joint run think."""
    return {
        instrument: Opinion(
            scores=pairwise_scores(matrix),
            trainings=run.trainings,
            reliability=run.reliability if instrument == "lookahead" else float("nan"),
        )
        for instrument, matrix in run.matrices.items()
    }


def pairwise_scores(matrix: Array) -> Array:
    """``[2^T − 1, T]``: a task in a set scores the mean of its partners, alone 0."""
    return all_scores(clean(matrix), np.zeros(len(matrix)))


def trained_opinions(truth: Truth, seed: int) -> dict[str, Opinion]:
    """Everything that learns from validation scores of trained sets."""
    sets, gains = every_set(len(truth.tasks)), truth.valid[seed]
    sizes = sets.sum(axis=1)
    singles = int((sizes == 1).sum())
    pairs = np.full((len(truth.tasks), len(truth.tasks)), np.nan)
    for row in np.flatnonzero(sizes == 2):
        a, b = np.flatnonzero(sets[row])
        pairs[a, b], pairs[b, a] = gains[row, a], gains[row, b]
    found = {
        "all pairs trained (HOA)": Opinion(
            scores=pairwise_scores(pairs), trainings=singles + (sizes == 2).sum()
        ),
        "all sets trained": Opinion(scores=gains, trainings=len(sets)),
    }
    for more in (5, 10, 20):
        search = SubsetSearch(tasks=truth.tasks, max_groups=3, seed=seed)
        while len(search.gains.sets) < singles + 1 + more:
            asked = search.ask(min(5, singles + 1 + more - len(search.gains.sets)))
            rows = (asked @ (1 << np.arange(len(truth.tasks)))) - 1
            search.tell(asked, gains[rows])
        mean, _ = Surrogate.fit(search.gains).predict(sets)
        found[f"sampled, {more} sets"] = Opinion(
            scores=np.where(sets, mean, -np.inf), trainings=singles + 1 + more
        )
    return found

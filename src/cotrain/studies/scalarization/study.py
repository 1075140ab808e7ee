"""What the study of scalarization trains, from data to its result.

Departures from the paper: networks are the built-in MLP; the learning rate of every pair, weight and size
is chosen on validation from one small grid; gains by size and the regret of weights found at another size
are measured on the sealed test split, opened once; every task of every network speaks from its own best
epoch on validation. Where tasks are domains, weights are the rates at which they are sampled, as in the
paper.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cotrain.data.dataset import Splits
from cotrain.engine.engine import Watch
from cotrain.folder import RunFolder
from cotrain.stats import finite_mean
from cotrain.studies.estimates import with_intervals
from cotrain.studies.scalarization.estimates import (
    Estimates,
    best_weights,
    gains,
    numbers_and_draws,
)
from cotrain.studies.scalarization.pairs import UNIFORM, Grid, draw_pairs
from cotrain.studies.scalarization.result import ScalarizationStudy
from cotrain.studies.scalarization.scores import PairScores, collect
from cotrain.studies.scalarization.trainer import PairTrainer
from cotrain.studies.study import run_study

DEFAULTS = Grid()


def study_scalarization(
    splits: Splits,
    *,
    out: str | Path,
    grid: Grid = DEFAULTS,
    title: str = "tasks",
    watch: Watch = lambda _: None,
) -> ScalarizationStudy:
    """Train pairs of tasks at many weights and sizes, and see which of the three findings hold.

    Args:
        splits: Training and validation rows and the sealed test rows, from :mod:`cotrain.data`.
        out: The run folder; an interrupted study of the same data and grid is continued.
        grid: What is trained.
        title: Name of the data set.
        watch: Called with progress updates.

    Raises:
        InputError: If the folder holds something else, or there is only one task.
    """
    pairs = draw_pairs(splits.development.train, most=grid.most_pairs, seed=grid.seed)

    def study(folder: RunFolder) -> ScalarizationStudy:
        trainer = PairTrainer(splits=splits, folder=folder, grid=grid, watch=watch)
        scores = collect(trainer, splits.tasks, pairs, grid)
        scores.write(folder)
        tasks = len(splits.tasks)
        return ScalarizationStudy(
            title=title,
            sizes=tuple(map(str, scores.sizes)),
            parameters=scores.parameters,
            pairs=scores.pairs,
            of_pairs=tasks * (tasks - 1) // 2,
            weights=scores.weights,
            seeds=grid.seeds,
            estimates=with_intervals(Estimates, numbers_and_draws(scores, seed=grid.seed)),
            engines=trainer.engines,
            cost=trainer.cost(),
            notes=splits.notes,
            **_by_pair(scores),
        )

    return run_study(
        ScalarizationStudy,
        splits,
        study,
        name="scalarization",
        out=out,
        title=title,
        settings=dataclasses.asdict(grid),
    )


def _by_pair(scores: PairScores) -> dict[str, tuple[tuple[float, ...], ...]]:
    """What the pictures show of every size and pair."""
    best = best_weights(scores.valid, scores.weights)
    uniform = gains(scores.valid)[:, :, scores.weights.index(UNIFORM)]
    conflict, gain = finite_mean(scores.conflict, axis=2), finite_mean(uniform, axis=(2, 3))
    return {
        "best": tuple(tuple(scores.weights[at] for at in row) for row in best),
        "conflict": tuple(map(tuple, conflict.tolist())),
        "gain": tuple(map(tuple, gain.tolist())),
    }

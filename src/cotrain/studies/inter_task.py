"""Gradients between tasks against gradients between samples, while networks are trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cotrain.measure.engine_point import EnginePoint
from cotrain.measure.gradients import Gradients
from cotrain.measure.probes import finite_mean
from cotrain.measure.similarity import CONFLICT, COSINE, MAGNITUDE, MEAN
from cotrain.population.engine import Engine
from cotrain.population.member import Member
from cotrain.population.step import TrainingStep
from cotrain.population.training import Progress, start, train_cohort

Array = NDArray[np.float64]
PROBES = 40  # in a run that does not stop early
KEPT = ((COSINE, MEAN), (COSINE, CONFLICT), (MAGNITUDE, MEAN))


def compare_gradients(engine: Engine, members: Sequence[Member]) -> Array:
    """``[P, 2, 3]`` of each member: (between tasks, between samples) by (cosine, conflicts, magnitudes).

    Between two tasks on one sample, and between two samples of one task: mean cosine, share of negative
    cosines and mean magnitude similarity, means over the epochs. NaN with one task, or where no gradient
    reached the shared part.

    Args:
        engine: How the members are trained.
        members: P members of one weighting and optimiser; trained side by side, and forgotten.
    """
    progress = start(members, engine.architecture, engine.development)
    looking = _Looking(engine=engine, progress=progress)
    train_cohort(
        members,
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        before_update=looking.before_update,
        after_round=looking.after_round,
    )
    return np.stack([_summary(watcher) for watcher in looking.watchers])


def _summary(watcher: Gradients) -> Array:
    found = watcher.similarity()
    means = [finite_mean(values) for values in (found.inter_task, found.inter_sample)]
    return np.array([[mean[what, how] for what, how in KEPT] for mean in means])


@dataclass(kw_only=True)
class _Looking:
    """One instrument a member. The very first step is left out: no gradient reaches the encoder there."""

    engine: Engine
    progress: Progress
    watchers: list[Gradients] = field(init=False)

    def __post_init__(self) -> None:
        engine = self.engine
        names = [task.name for task in engine.development.tasks]
        self.watchers = [Gradients(tasks=names) for _ in self.progress.active]
        self.net = engine.architecture.build(seed=0)
        self.every = max(1, engine.recipe.rounds * engine.batches_in_round // PROBES)

    def before_update(self, step: TrainingStep) -> None:
        if step.state.step % self.every or step.state.step == 0:
            return
        for row, member in enumerate(self.progress.active):
            one = replace(step, state=step.state.select([row]))
            self.watchers[member].probe(EnginePoint(self.net, self.engine.executor, one))

    def after_round(self, progress: Progress) -> None:
        for watcher in self.watchers:
            watcher.end_epoch()

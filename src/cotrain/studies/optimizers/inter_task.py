"""Gradients between tasks against gradients between samples, while networks are trained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cotrain.arrays import Array
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.training import Progress
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.gradients.similarity import CONFLICT, COSINE, MAGNITUDE, MEAN
from cotrain.results import Cost
from cotrain.stats import finite_mean
from cotrain.studies.probing import train_probed

PROBES = 40  # in a run that does not stop early
KEPT = ((COSINE, MEAN), (COSINE, CONFLICT), (MAGNITUDE, MEAN))


def compare_gradients(engine: Engine, members: Sequence[Member]) -> tuple[Array, Cost]:
    """``[P, 2, 3]`` of each member: (between tasks, between samples) by (cosine, conflicts, magnitudes).

    Between two tasks on one sample, and between two samples of one task: mean cosine, share of negative
    cosines and mean magnitude similarity, means over the epochs; and what the training took. NaN with one
    task, or where no finite gradient reached the shared part.

    Args:
        engine: How the members are trained.
        members: P members of one weighting and optimizer; trained side by side, and forgotten.
    """
    names = [task.name for task in engine.development.tasks]
    watchers = [Gradients(tasks=names) for _ in members]

    def end_epoch(_: Progress) -> None:
        for watcher in watchers:
            watcher.end_epoch()

    cost = train_probed(
        engine,
        members,
        lambda member, point: watchers[member].probe(point),
        probes=PROBES,
        after_epoch=end_epoch,
    )
    return np.stack([_summary(watcher) for watcher in watchers]), cost


def _summary(watcher: Gradients) -> Array:
    found = watcher.similarity()
    means = [finite_mean(values) for values in (found.inter_task, found.inter_sample)]
    return np.array([[mean[what, how] for what, how in KEPT] for mean in means])

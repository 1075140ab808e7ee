"""How often the gradients of a pair of tasks conflict while both are trained.

Members are trained as the engine trains them, and every few steps each is held still as a
:class:`~cotrain.measure.points.engine_point.EnginePoint`: a conflict is a negative cosine between the two
tasks' gradients of the shared parameters, on the step's own batch and without dropout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.engine.engine import Engine, cohort_size
from cotrain.engine.member import Member
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import start, train_cohort
from cotrain.measure.gradients.similarity import COSINE, compared, conflicts
from cotrain.results import Cost
from cotrain.stats import finite_mean
from cotrain.studies.looking import Looking
from cotrain.studies.scalarization.pairs import Pair

Array = NDArray[np.float64]
PROBES = 100  # in a run that does not stop early


def conflict_shares(
    engine: Engine,
    members: Sequence[Member],
    pairs: Sequence[Pair],
    watch: Callable[[int], None] = lambda _: None,
) -> tuple[Array, Cost]:
    """``[M]`` share of probes at which each member's two tasks conflict, and what it took.

    The share is NaN if no probe could compare the two.

    Args:
        engine: How the members are trained; finished cohorts are read back from its folder.
        members: M members that train a pair each.
        pairs: ``[M]`` their tasks.
        watch: Called with the number of members done.
    """
    size = cohort_size(engine.architecture, engine.recipe)
    shares: list[float] = []
    examples, seconds = 0, 0.0
    for at in range(0, len(members), size):
        name = f"population/conflicts-{at}.json"
        if not engine.folder.has(name):
            found = _look_on(engine, members[at : at + size], pairs[at : at + size])
            engine.folder.write_json(name, found)
        facts = engine.folder.read_json(name)
        shares += map(float, facts["shares"])
        examples, seconds = examples + facts["examples"], seconds + facts["seconds"]
        watch(len(shares))
    return np.array(shares), Cost(trainings=len(members), examples=examples, seconds=seconds)


def _look_on(engine: Engine, cohort: Sequence[Member], pairs: Sequence[Pair]) -> dict[str, Any]:
    """What a cohort's file holds."""
    began = time.monotonic()
    progress = start(cohort, engine.architecture, engine.development)
    looking = Looking(engine=engine, progress=progress, probes=PROBES)
    seen: list[list[float]] = [[] for _ in cohort]

    def look(step: TrainingStep) -> None:
        for member, point in looking.points(step):
            gradients = point.task_gradients()
            gram = gradients.inner(gradients).double().numpy()
            seen[member].append(float(_conflict(gram, pairs[member])))

    train_cohort(
        cohort,
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        before_update=look,
    )
    return {
        "shares": [float(finite_mean(np.array(own))) for own in seen],
        "examples": int(progress.epochs_run.sum()) * engine.examples_in_epoch,
        "seconds": time.monotonic() - began,
    }


def _conflict(gram: Array, pair: Pair) -> np.float64:
    """1 where the pair conflicts, 0 where not, NaN where a gradient is zero, from ``[T, T]``."""
    own = gram[np.ix_(pair, pair)]
    return np.float64(conflicts(compared(own)[..., COSINE])[0, 1])

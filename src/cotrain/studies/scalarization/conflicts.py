"""How often the gradients of a pair of tasks conflict while both are trained.

Members are trained as the engine trains them, and every few steps each is held still as a
:class:`~cotrain.measure.points.engine_point.EnginePoint`: a conflict is a negative cosine between the two
tasks' gradients of the shared parameters, on the step's own batch and without dropout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cotrain.arrays import Array
from cotrain.engine.engine import Engine, cohort_size
from cotrain.engine.member import Member
from cotrain.measure.gradients.similarity import COSINE, compared, conflicts
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.results import Cost
from cotrain.stats import finite_mean
from cotrain.studies.probing import train_probed
from cotrain.studies.scalarization.pairs import Pair

PROBES = 100  # in a run that does not stop early


@dataclass(frozen=True, kw_only=True)
class Conflicts:
    """What a cohort's file holds: the share of conflicts of every member, and what looking took."""

    shares: tuple[float, ...]
    examples: int
    seconds: float


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
            seen = _probe(engine, members[at : at + size], pairs[at : at + size])
            engine.folder.write_json(name, dataclasses.asdict(seen))
        found = engine.folder.read(name, Conflicts)
        shares += found.shares
        examples, seconds = examples + found.examples, seconds + found.seconds
        watch(len(shares))
    return np.array(shares), Cost(trainings=len(members), examples=examples, seconds=seconds)


def _probe(engine: Engine, cohort: Sequence[Member], pairs: Sequence[Pair]) -> Conflicts:
    """Train a cohort and count the conflicts of its members' gradients."""
    seen: list[list[float]] = [[] for _ in cohort]

    def probe(member: int, point: EnginePoint) -> None:
        gradients = point.task_gradients()
        gram = gradients.inner(gradients).double().numpy()
        seen[member].append(float(_conflict(gram, pairs[member])))

    cost = train_probed(engine, cohort, probe, probes=PROBES)
    return Conflicts(
        shares=tuple(float(finite_mean(np.array(own))) for own in seen),
        examples=cost.examples,
        seconds=cost.seconds,
    )


def _conflict(gram: Array, pair: Pair) -> np.float64:
    """1 where the pair conflicts, 0 where not, NaN where a gradient is zero, from ``[T, T]``."""
    own = gram[np.ix_(pair, pair)]
    return np.float64(conflicts(compared(own)[..., COSINE])[0, 1])

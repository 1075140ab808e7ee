"""The deciding stage: from what was measured to the models that are trained, and what else could be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.grouping import (
    Constraints,
    Grouping,
    Membership,
    ScoreTable,
    Stability,
    best_groups,
    cluster_tasks,
    group_table,
    group_tasks,
    stability,
)
from cotrain.grouping.exact import MOST_TASKS
from cotrain.grouping.local import local_search
from cotrain.grouping.objective import Matrix
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.sets import Sets, distinct, every_set, fixed_sets, random_sets
from cotrain.measure.gains.surrogate import Surrogate
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Alternative
from cotrain.run.measured import Measured
from cotrain.run.settings import Instrument, Settings

Found = TypeVar("Found")

PLAN, STABILITY = "plan.json", "stability.safetensors"
MORE = 3  # alternatives with so many models more than allowed
MANY = 100  # tasks; beyond, every alternative takes a minute, and only one model is tried besides
_MOST_SETS = 2000  # candidates for gains under constraints, of more tasks than have all their sets
_ALL_SETS = 12  # tasks that have
_SECONDS = 20.0  # for choosing among them
_MOST_REDRAWN = 100  # tasks whose groups are found anew in seconds


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Which models are trained, why, and what else could have been chosen.

    Args:
        membership: The models.
        by: The instrument that decided.
        objective: Mean over tasks of what a group is worth by it; of data maps the mean silhouette.
        bound: No groups score above; NaN where nothing is proven.
        exact: Whether the objective is proven optimal.
        alternatives: With fewer and more models, in this order.
    """

    membership: Membership
    by: Instrument
    objective: float
    bound: float
    exact: bool
    alternatives: tuple[Alternative, ...]


def demands(tasks: Sequence[str], settings: Settings) -> Constraints:
    """What a run's groups must keep.

    Raises:
        InputError: If that cannot be kept, before anything is trained.
    """
    limits = Constraints.named(
        tasks, max_groups=settings.max_groups, together=settings.together, apart=settings.apart
    )
    limits.check(len(tasks))
    if settings.group_by is Instrument.DATAMAP:
        _refuse_demands(limits)
    return limits


def decide(folder: RunFolder, measured: Measured, by: Instrument, limits: Constraints) -> Decision:
    """The decision of a run, kept in its folder.

    A resumed run reads it back: solvers with a time limit need not find the same groups twice.
    """
    if not folder.has(PLAN):
        decision = propose(measured, by, limits)
        steady = (
            steadiness(_known(measured.affinity, Instrument.LOOKAHEAD), limits)
            if decision.by is Instrument.LOOKAHEAD
            else None
        )
        if steady is not None:
            steady.save(folder.path(STABILITY))
        folder.write_json(PLAN, asdict(decision))
    return folder.read(PLAN, Decision)


def decided_by(folder: RunFolder) -> Instrument | None:
    """The instrument that decided a run; None for a measurement, where nothing was decided."""
    return folder.read(PLAN, Decision).by if folder.has(PLAN) else None


def read_stability(folder: RunFolder) -> tuple[Stability, ...]:
    """How stable the decided groups are, if transference decided."""
    return (Stability.load(folder.path(STABILITY)),) if folder.has(STABILITY) else ()


def propose(measured: Measured, by: Instrument | None, limits: Constraints) -> Decision:
    """The best models by an instrument.

    Args:
        measured: What there is to decide by.
        by: The instrument; unless given, trained task sets where there are some, else transference.
        limits: What the groups must keep; ``max_groups`` is the most models.

    Raises:
        InputError: If the instrument was not used, or cannot keep the limits.
    """
    by = by or (Instrument.LOOKAHEAD if measured.gains is None else Instrument.SAMPLED)
    if by is Instrument.DATAMAP:
        return _by_datamap(_known(measured.datamap, by), limits)
    if by is Instrument.SAMPLED:
        gains = _known(measured.gains, by)
        return _by_objective(by, limits, len(gains.tasks), *[partial(_by_gains, gains)] * 2)
    lookahead = by is Instrument.LOOKAHEAD
    matrix = (
        _known(measured.affinity, by).mean if lookahead else _known(measured.gradients, by).cosine
    )

    def best(own: Constraints) -> Grouping:
        return group_tasks(matrix, constraints=own)

    return _by_objective(by, limits, len(matrix), best, partial(_quickly, matrix))


def steadiness(affinity: Affinity, limits: Constraints) -> Stability | None:
    """How often tasks stay together by transference within its errors; None for many tasks."""
    tasks = len(affinity.tasks)
    if tasks == 1 or tasks > _MOST_REDRAWN:
        return None
    draws = 100 if tasks <= 12 else 20
    return stability(affinity, lambda z: _quickly(z, limits), draws=draws)


def _quickly(matrix: Matrix, limits: Constraints) -> Grouping:
    """Good groups in at most seconds, up to hundreds of tasks."""
    if len(matrix) <= MOST_TASKS or limits.most_groups(len(matrix)) == 1:
        return group_tasks(matrix, constraints=limits)
    return local_search(matrix, constraints=limits)


def _known(found: Found | None, by: Instrument) -> Found:
    if found is None:
        raise InputError(f"{by} was not measured: measure again with --with {by}")
    return found


def _by_objective(
    by: Instrument,
    limits: Constraints,
    tasks: int,
    best: Callable[[Constraints], Grouping],
    quickly: Callable[[Constraints], Grouping],
) -> Decision:
    """The best groups, and what other numbers of models reach as far as a quick search can tell."""
    chosen = best(limits)
    allowed = limits.most_groups(tasks)
    numbers = range(1, min(tasks, allowed + MORE) + 1) if tasks <= MANY else (1, allowed)
    alternatives: list[Alternative] = []
    for models in dict.fromkeys(numbers):
        try:
            own = replace(limits, max_groups=models, budget=None)
            found = chosen if models == allowed else quickly(own)
        except InputError:  # too few models for what must be apart
            continue
        # fewer models are always allowed, too, so a search that found less has found those
        objective = max([found.objective, *(other.objective for other in alternatives)])
        alternatives.append(
            Alternative(models=models, objective=objective, bound=max(found.bound, objective))
        )
        if found.exact and len(found.groups) < models:
            break
    return Decision(
        membership=Membership.hard(chosen),
        by=by,
        objective=chosen.objective,
        bound=chosen.bound,
        exact=chosen.exact,
        alternatives=tuple(alternatives),
    )


def _by_gains(gains: Gains, limits: Constraints) -> Grouping:
    """By predicted gains; under further constraints among the sets that keep them."""
    tasks = len(gains.tasks)
    plain = Constraints(max_groups=limits.max_groups, names=limits.names)
    if limits == plain:
        return best_groups(gains, max_groups=limits.most_groups(tasks))
    sets = every_set(tasks) if tasks <= _ALL_SETS else _some_sets(gains)
    table = ScoreTable.of(sets=sets, scores=Surrogate.fit(gains).mean(sets))
    return group_table(table, constraints=limits, seconds=_SECONDS)


def _some_sets(gains: Gains) -> Sets:
    drawn = random_sets(len(gains.tasks), _MOST_SETS, np.random.default_rng(0))
    return distinct(np.concatenate([fixed_sets(len(gains.tasks)), gains.sets, drawn]))


def _by_datamap(maps: DataMap, limits: Constraints) -> Decision:
    _refuse_demands(limits)
    most = limits.most_groups(len(maps.tasks))
    found = cluster_tasks(maps.distances(), most=most)
    value = found.silhouette.get(found.memberships.shape[1], 0.0)
    nan = float("nan")
    return Decision(
        membership=found.membership(),
        by=Instrument.DATAMAP,
        objective=value,
        bound=nan,
        exact=False,
        alternatives=tuple(
            Alternative(models=models, objective=silhouette, bound=nan)
            for models, silhouette in found.silhouette.items()
        ),
    )


def _refuse_demands(limits: Constraints) -> None:
    if limits.together or limits.apart or limits.max_size is not None or limits.auxiliary:
        raise InputError(
            "clusters of data maps keep no demand but the number of groups: drop the others, or "
            "group by another instrument"
        )

"""Where cohorts are trained, and the loop that keeps every worker busy.

A cohort trains in work items. Between them its progress lies with the workers, as shards that the driver
hands around without looking into them: a cohort that goes on takes its own shard again, and a member that
is copied is one more reference to the same shard. Letters: P members, T tasks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.data.dataset import Development
from cotrain.engine.cohorts.checkpoint import without_training_state
from cotrain.engine.executors.base import Executor
from cotrain.engine.member import Member
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.trained import scores_held
from cotrain.engine.training import Progress, held_outputs, start, train_cohort
from cotrain.errors import InputError

Shard = Any  # what workers make of the progress of one or more members
Result = TypeVar("Result")
ATTEMPTS = 3


class LostError(InputError):
    """Workers have lost the progress of a cohort; what the run folder holds is left."""


@dataclass(frozen=True, kw_only=True)
class WorkerContext:
    """What all cohorts of a run share, and every worker needs.

    Args:
        architecture: Builds a fresh network for a seed.
        development: Training and validation rows.
        executor: Computes on a worker.
    """

    architecture: Architecture
    development: Development
    executor: Executor


@dataclass(frozen=True, kw_only=True)
class WorkItem:
    """What a cohort is to do next.

    Args:
        members: The P members; all with the same weighting.
        recipe: How they train.
        until: Epochs done in all, at the end.
        shards: The members' progress, in their order; none before the first epoch.
        per_member: Give back one shard a member, to be mixed with others, and the members' scores at the
            end.
    """

    members: tuple[Member, ...]
    recipe: Recipe
    until: int
    shards: tuple[Shard, ...] = ()
    per_member: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a cohort stands after a work item.

    Args:
        epoch: Epochs completed.
        active: Members still training.
        loss: Weighted validation loss, averaged over members.
        over: Whether the work item has come to its end, or pauses before.
        seconds: Time of computing.
        scores: ``[P, T]`` validation scores of the members as they are at the end of a work item that is
            ``per_member``; NaN for those that diverged.
        shards: Their progress.
    """

    epoch: int
    active: int
    loss: float
    over: bool
    seconds: float
    scores: NDArray[np.float64] | None
    shards: tuple[Shard, ...] = ()


class Workers(Protocol):
    """Train cohorts of one run; of equal work items they make equal progress, wherever they are."""

    @property
    def slots(self) -> int:
        """Cohorts that train at the same time."""
        ...

    def submit(self, key: int, work_item: WorkItem) -> None:
        """Begin a work item, or go on with it."""
        ...

    def wait(self) -> Sequence[tuple[int, Report]]:
        """Wait for a work item that pauses or ends, and give all that do.

        Raises:
            LostError: If a work item was lost and cannot be repeated.
        """
        ...

    def put(self, progress: Progress, *, per_member: bool) -> tuple[Shard, ...]:
        """Hand the workers a progress, for instance from a checkpoint, and get shards of it."""
        ...

    def fetch(self, shards: Sequence[Shard]) -> Progress:
        """The progress of the shards' members together.

        Raises:
            LostError: If it is lost.
        """
        ...

    def cancel(self) -> None:
        """Stop all work items that were submitted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Partition:
    """How populations are cut into cohorts. Decided once a run, so a resumed run forms the same ones.

    Args:
        memory_budget: Bytes that a cohort may take; the engine's own limit if None.
        parts: Workers that share a population.
    """

    memory_budget: int | None = None
    parts: int = 1


class Cluster(Protocol):
    """Provides the workers of a run."""

    def partition(self) -> Partition:
        """How populations are best cut for these workers.

        Raises:
            InputError: If there are none.
        """
        ...

    def workers(self, context: WorkerContext) -> Workers:
        """The workers that train the cohorts of a run."""
        ...


def advance(
    workers: Workers, keys: Iterable[int], begin: Callable[[int], WorkItem]
) -> Generator[tuple[int, Report]]:
    """Train cohorts to the end of their work items, as many at a time as there are workers.

    Args:
        workers: Train.
        keys: A number for each cohort.
        begin: The work item of a cohort; called when a worker is free for it.

    Yields:
        A cohort's number and how it stands, whenever it pauses or is over.

    Raises:
        LostError: If progress is lost; see :func:`repeated`.
    """
    waiting, work_items = iter(keys), dict[int, WorkItem]()
    try:
        while True:
            while len(work_items) < workers.slots and (key := next(waiting, None)) is not None:
                work_items[key] = begin(key)
                workers.submit(key, work_items[key])
            if not work_items:
                return
            for key, report in workers.wait():
                work_item = work_items.pop(key)
                yield key, report
                if not report.over:
                    work_items[key] = replace(work_item, shards=report.shards)
                    workers.submit(key, work_items[key])
    finally:
        workers.cancel()


def repeated(work: Callable[[], Result]) -> Result:
    """Do work that goes on from the run folder again if workers lose it, up to three times in all."""
    for _ in range(ATTEMPTS - 1):
        with suppress(LostError):
            return work()
    return work()


def run_work_item(
    context: WorkerContext, work_item: WorkItem, progress: Progress | None, *, pause: float
) -> tuple[Progress, Report]:
    """Train the members of a work item until it ends or pauses: what every worker does.

    Args:
        context: Of the run.
        work_item: To take; its shards are not looked at.
        progress: Of the members so far, changed in place; None before the first epoch.
        pause: Come back after the epoch in which so many seconds are over, at the latest at the end of the
            work item.
    """
    began = time.monotonic()
    progress = progress or start(work_item.members, context.architecture, context.development)
    over = _is_over(progress, work_item)
    while not over:
        train_cohort(
            work_item.members,
            progress,
            context.executor,
            context.development,
            work_item.recipe,
            until=progress.epoch + 1,
        )
        over = _is_over(progress, work_item)
        if time.monotonic() - began >= pause:
            break
    active = len(progress.active)
    scores = _scores(progress, context, work_item) if over and work_item.per_member else None
    if over and not work_item.per_member:
        progress = without_training_state(progress)
    return progress, Report(
        epoch=progress.epoch,
        active=active,
        loss=_loss(work_item.members, progress),
        over=over,
        seconds=time.monotonic() - began,
        scores=scores,
    )


def _is_over(progress: Progress, work_item: WorkItem) -> bool:
    return not progress.active or progress.epoch >= work_item.until


def _loss(members: Sequence[Member], progress: Progress) -> float:
    weights = torch.tensor([member.weights for member in members])
    losses = torch.where(weights > 0, progress.loss, 0.0)
    return float(((weights * losses).sum(dim=1) / weights.sum(dim=1)).mean())


def _scores(progress: Progress, context: WorkerContext, work_item: WorkItem) -> NDArray[np.float64]:
    found = np.full(tuple(progress.loss.shape), np.nan)
    if progress.active:
        seeds = [work_item.members[row].seed for row in progress.active]
        outputs = held_outputs(context.executor, progress.state, context.development, seeds)
        found[progress.active] = scores_held(outputs, context.development, seeds)
    return found

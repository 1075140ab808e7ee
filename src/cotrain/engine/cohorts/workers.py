"""Where cohorts are trained, and the loop that keeps every worker busy.

A cohort trains in turns. Between them its progress lies with the workers, as pieces that the driver hands
around without looking into them: a cohort that goes on takes its own piece again, and a member that is
copied is one more hand on the same piece. Letters: P members, T tasks.
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

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.cohorts.checkpoint import finished
from cotrain.engine.executors.base import Executor
from cotrain.engine.member import Member
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.trained import task_scores
from cotrain.engine.training import Progress, predict_outputs, start, train_cohort
from cotrain.errors import InputError

Piece = Any  # what workers make of the progress of one or more members
Result = TypeVar("Result")
ATTEMPTS = 3


class LostError(InputError):
    """Workers have lost the progress of a cohort; what the run folder holds is left."""


@dataclass(frozen=True, kw_only=True)
class Site:
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
class Turn:
    """What a cohort is to do next.

    Args:
        members: The P members; all with the same weighting.
        recipe: How they train.
        until: Epochs done in all, at the end.
        pieces: The members' progress, in their order; none before the first epoch.
        apart: Give back one piece a member, to be mixed with others, and the members' scores at the end.
    """

    members: tuple[Member, ...]
    recipe: Recipe
    until: int
    pieces: tuple[Piece, ...] = ()
    apart: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a cohort stands after a turn.

    Args:
        epoch: Epochs completed.
        active: Members still training.
        loss: Weighted validation loss, averaged over members.
        over: Whether the turn has come to its end, or pauses before.
        seconds: Time of computing.
        scores: ``[P, T]`` validation scores of the members as they are at the end of a turn ``apart``;
            NaN for those that diverged.
        pieces: Their progress.
    """

    epoch: int
    active: int
    loss: float
    over: bool
    seconds: float
    scores: NDArray[np.float64] | None
    pieces: tuple[Piece, ...] = ()


class Workers(Protocol):
    """Train cohorts of one run; of equal turns they make equal progress, wherever they are."""

    @property
    def slots(self) -> int:
        """Cohorts that train at the same time."""
        ...

    def submit(self, key: int, turn: Turn) -> None:
        """Begin a turn, or go on with it."""
        ...

    def done(self) -> Sequence[tuple[int, Report]]:
        """Wait for a turn that pauses or ends, and give all that do.

        Raises:
            LostError: If a turn was lost and cannot be repeated.
        """
        ...

    def hold(self, progress: Progress, *, apart: bool) -> tuple[Piece, ...]:
        """Hand over a progress, for instance from a checkpoint."""
        ...

    def fetch(self, pieces: Sequence[Piece]) -> Progress:
        """The progress of the pieces' members together.

        Raises:
            LostError: If it is lost.
        """
        ...

    def cancel(self) -> None:
        """Stop what is submitted."""
        ...


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How populations are cut into cohorts. Decided once a run, so a resumed run forms the same ones.

    Args:
        room: Bytes that a cohort may take; the engine's own limit if None.
        parts: Workers that share a population.
    """

    room: int | None = None
    parts: int = 1


class Cluster(Protocol):
    """Where workers are found."""

    def cut(self) -> Cut:
        """What suits the workers.

        Raises:
            InputError: If there are none.
        """
        ...

    def workers(self, site: Site) -> Workers:
        """Workers for a run."""
        ...


def advance(
    workers: Workers, keys: Iterable[int], begin: Callable[[int], Turn]
) -> Generator[tuple[int, Report]]:
    """Train cohorts to the end of their turns, as many at a time as there are workers.

    Args:
        workers: Train.
        keys: A number for each cohort.
        begin: The turn of a cohort; called when a worker is free for it.

    Yields:
        A cohort's number and how it stands, whenever it pauses or is over.

    Raises:
        LostError: If progress is lost; see :func:`repeated`.
    """
    waiting, turns = iter(keys), dict[int, Turn]()
    try:
        while True:
            while len(turns) < workers.slots and (key := next(waiting, None)) is not None:
                turns[key] = begin(key)
                workers.submit(key, turns[key])
            if not turns:
                return
            for key, report in workers.done():
                turn = turns.pop(key)
                yield key, report
                if not report.over:
                    turns[key] = replace(turn, pieces=report.pieces)
                    workers.submit(key, turns[key])
    finally:
        workers.cancel()


def repeated(work: Callable[[], Result]) -> Result:
    """Do work that goes on from the run folder again if workers lose it, up to three times in all."""
    for _ in range(ATTEMPTS - 1):
        with suppress(LostError):
            return work()
    return work()


def take_turn(
    site: Site, turn: Turn, progress: Progress | None, *, pause: float
) -> tuple[Progress, Report]:
    """What a worker does.

    Args:
        site: Of the run.
        turn: To take; its pieces are not looked at.
        progress: Of the members so far, changed in place; None before the first epoch.
        pause: Come back after the epoch in which so many seconds are over, at the end of the turn at last.
    """
    began = time.monotonic()
    progress = progress or start(turn.members, site.architecture, site.development)
    over = _is_over(progress, turn)
    while not over:
        train_cohort(
            turn.members,
            progress,
            site.executor,
            site.development,
            turn.recipe,
            until=progress.epoch + 1,
        )
        over = _is_over(progress, turn)
        if time.monotonic() - began >= pause:
            break
    active, valid = len(progress.active), site.development.valid
    scores = _scores(progress, site.executor, valid) if over and turn.apart else None
    if over and not turn.apart:
        progress = finished(progress)
    return progress, Report(
        epoch=progress.epoch,
        active=active,
        loss=_loss(turn.members, progress),
        over=over,
        seconds=time.monotonic() - began,
        scores=scores,
    )


def _is_over(progress: Progress, turn: Turn) -> bool:
    return not progress.active or progress.epoch >= turn.until


def _loss(members: Sequence[Member], progress: Progress) -> float:
    weights = torch.tensor([member.weights for member in members])
    losses = torch.where(weights > 0, progress.loss, 0.0)
    return float(((weights * losses).sum(dim=1) / weights.sum(dim=1)).mean())


def _scores(progress: Progress, executor: Executor, valid: TaskData) -> NDArray[np.float64]:
    found = np.full(tuple(progress.loss.shape), np.nan)
    if progress.active:
        outputs = predict_outputs(executor, progress.state, valid.inputs)
        known = valid.mask.any(dim=0).expand(len(outputs), -1)
        found[progress.active] = task_scores(outputs, valid, known=known)
    return found

"""The contenders as populations: who they are, how they are tuned, what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.data.taskdata import TaskData
from cotrain.grouping import Membership
from cotrain.models.losses import predictions
from cotrain.population.engine import Engine
from cotrain.population.member import Member, indicator, one_hot
from cotrain.population.trained import Trained, mixed, task_scores
from cotrain.result import Contender
from cotrain.tasks import Task, output_slices

Array = NDArray[np.float64]
Weights = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One candidate of the tuning grid: a peak learning rate and a share of the dropout rates."""

    learning_rate: float
    dropout: float


# From middle to strong to no dropout. Chosen on validation splits of Tox21 and seven small tables
# (benchmarks/settings.py); every weight vector picks its own on its own validation rows.
SETTINGS = (
    Setting(learning_rate=3e-3, dropout=0.3),
    Setting(learning_rate=3e-3, dropout=1.0),
    Setting(learning_rate=5e-3, dropout=0.0),
)


def single_and_joint(tasks: int) -> dict[str, Weights]:
    """Names and weight vectors of the network baselines. With one task they are the same vector."""
    vectors = {"joint": indicator(set(range(tasks)), tasks)}
    if tasks > 1:
        vectors |= {f"single/{t}": one_hot(t, tasks) for t in range(tasks)}
    return vectors


def group_vectors(membership: Membership, known: Sequence[Weights]) -> dict[str, Weights]:
    """Names and weight vectors of the groups that are not baselines anyway."""
    vectors = {f"group/{g}": weights for g, weights in enumerate(membership.weights)}
    return {name: vector for name, vector in vectors.items() if vector not in known}


def candidates(vectors: dict[str, Weights], settings: Sequence[Setting]) -> list[Member]:
    """Every weight vector at every setting, from seed 0; members of one setting stand together."""
    return [
        Member(
            name=name,
            weights=weights,
            learning_rate=setting.learning_rate,
            dropout=setting.dropout,
        )
        for setting in settings
        for name, weights in vectors.items()
    ]


def replicas(best: Sequence[Member], seeds: int) -> list[Member]:
    """The chosen members from the remaining seeds."""
    return [
        Member(
            name=member.name,
            weights=member.weights,
            seed=seed,
            learning_rate=member.learning_rate,
            dropout=member.dropout,
        )
        for member in sorted(best, key=lambda m: m.learning_rate)
        for seed in range(1, seeds)
    ]


def tuned(trained: Trained, valid: TaskData) -> tuple[Member, ...]:
    """The member of each weight vector with the best mean validation score, weighted as its tasks are."""
    best: dict[Weights, tuple[float, Member]] = {}
    scores = member_scores(trained, valid)
    for member, own in zip(trained.members, scores, strict=True):
        known = np.isfinite(own)
        value = (
            np.average(own[known], weights=np.array(member.weights)[known])
            if known.any()
            else -np.inf
        )
        if member.weights not in best or value > best[member.weights][0]:
            best[member.weights] = (float(value), member)
    return tuple(member for _, member in best.values())


def member_scores(trained: Trained, valid: TaskData) -> Array:
    """``[P, T]`` validation scores; NaN for tasks of weight 0 or never measured."""
    return task_scores(trained.outputs, valid, known=trained.best_round > 0)


def speakers(
    contender: Contender, task: int, membership: Membership
) -> tuple[tuple[float, Weights], ...]:
    """Share and weight vector of every network by which a contender predicts a task."""
    tasks = len(membership.shares)
    if contender is Contender.SINGLE:
        return ((1.0, one_hot(task, tasks)),)
    if contender is Contender.JOINT:
        return ((1.0, indicator(set(range(tasks)), tasks)),)
    return membership.speakers(task)


def member_shares(
    members: Sequence[Member], contender: Contender, task: int, membership: Membership
) -> torch.Tensor:
    """``[P]`` share of each member in a contender's prediction of a task, the same for every seed."""
    share = {weights: share for share, weights in speakers(contender, task, membership)}
    return torch.tensor([share.get(member.weights, 0.0) for member in members])


def network_predictions(
    tasks: Sequence[Task], trained: Trained, outputs: torch.Tensor, membership: Membership
) -> list[dict[Contender, Array]]:
    """For each task: network contender → ``[S, N, ...]`` predictions of its seeds.

    Args:
        tasks: The T tasks.
        trained: The final population.
        outputs: ``[P, O, N]`` its outputs on the rows asked for.
        membership: Which models share the prediction of which task.
    """
    seeds = [member.seed for member in trained.members]
    found = []
    for t, (task, columns) in enumerate(zip(tasks, output_slices(tasks), strict=True)):
        own = {}
        for contender in (Contender.SINGLE, Contender.JOINT, Contender.GROUPS):
            share = member_shares(trained.members, contender, t, membership)
            own[contender] = predictions([task], mixed(outputs[:, columns], share, seeds))[0]
        found.append(own)
    return found


def train_tuned(
    engine: Engine, stage: str, vectors: dict[str, Weights], settings: Sequence[Setting]
) -> tuple[Trained, tuple[Member, ...]]:
    """Train every candidate and name the best one of each weight vector."""
    trained = engine.train(stage, candidates(vectors, settings))
    return trained, tuned(trained, engine.development.valid)

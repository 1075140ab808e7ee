"""The contenders as populations: who they are, how they are tuned, what they predict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.data.dataset import TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member, indicator, one_hot
from cotrain.engine.models.losses import predictions
from cotrain.engine.trained import Trained, mixed, task_scores
from cotrain.grouping import Membership
from cotrain.results import Contender
from cotrain.tasks import Task, output_slices

Array = NDArray[np.float64]
Weights = tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One candidate of the tuning grid: a peak learning rate and a share of the dropout rates."""

    learning_rate: float
    dropout: float


# From middle to strong to no dropout. Chosen on validation splits of Tox21 and seven small tables
# (benchmarks/settings.py); every weight vector picks its own on its own validation rows. Networks that
# start from an encoder have the same: smaller rates suit them, but on many rows fresh ones as well
# (benchmarks/finetuning_rates.py).
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


START = "encoder"  # the pre-finetuned encoder of a run, among the starts of its architecture


def from_encoder(tasks: int) -> dict[str, Weights]:
    """Names and weight vectors of the networks that start from the pre-finetuned encoder."""
    return {f"pretrained/{t}": one_hot(t, tasks) for t in range(tasks)}


def candidates(
    vectors: dict[str, Weights], settings: Sequence[Setting], start: str = ""
) -> list[Member]:
    """Every weight vector at every setting, from seed 0; members of one setting stand together."""
    return [
        Member(
            name=name,
            weights=weights,
            learning_rate=setting.learning_rate,
            dropout=setting.dropout,
            start=start,
        )
        for setting in settings
        for name, weights in vectors.items()
    ]


def replicas(best: Sequence[Member], seeds: int) -> list[Member]:
    """The chosen members from the remaining seeds; those of one rate and one weighting stand together."""
    return [
        replace(member, seed=seed)
        for member in sorted(best, key=lambda m: (str(m.weighting), m.learning_rate))
        for seed in range(1, seeds)
    ]


def tuned(trained: Trained, valid: TaskData) -> tuple[Member, ...]:
    """The member of each weight vector with the best mean validation score, weighted as its tasks are."""
    best: dict[Hashable, tuple[float, Member]] = {}
    scores = member_scores(trained, valid)
    for member, own in zip(trained.members, scores, strict=True):
        known = np.isfinite(own)
        weights = np.mean([member.weights, *(c.weights for c in member.changes)], axis=0)
        value = float(np.average(own[known], weights=weights[known])) if known.any() else -np.inf
        if member.kind not in best or value > best[member.kind][0]:
            best[member.kind] = (value, member)
    return tuple(member for _, member in best.values())


def member_scores(trained: Trained, valid: TaskData) -> Array:
    """``[P, T]`` validation scores; NaN for tasks of weight 0 or never measured."""
    return task_scores(trained.outputs, valid, known=trained.best_epoch > 0)


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Which trained members stand for which contender.

    Args:
        membership: The groups.
        weighted: A member with weights that change while training, if that is a contender.
        pretrained: Whether networks that start from a pre-finetuned encoder are one.
    """

    membership: Membership
    weighted: Member | None = None
    pretrained: bool = False

    @property
    def networks(self) -> tuple[Contender, ...]:
        """The contenders that are networks, simple ones first."""
        further = (Contender.PRETRAINED,) * self.pretrained
        further += () if self.weighted is None else (Contender.WEIGHTED,)
        return (Contender.SINGLE, Contender.JOINT, Contender.GROUPS, *further)

    def shares(self, members: Sequence[Member], contender: Contender, task: int) -> torch.Tensor:
        """``[P]`` share of each member in a contender's prediction of a task, the same for every seed."""
        share: dict[Hashable, float] = defaultdict(float)
        for own, kind in self._speakers(contender, task):
            share[kind] += own  # two models with the same weights are one
        return torch.tensor([share.get(member.kind, 0.0) for member in members])

    def _speakers(self, contender: Contender, task: int) -> list[tuple[float, Hashable]]:
        tasks = len(self.membership.shares)
        if contender is Contender.WEIGHTED and self.weighted is not None:
            return [(1.0, self.weighted.kind)]
        if contender is Contender.PRETRAINED:
            member = Member(name="", weights=one_hot(task, tasks), start=START)
            return [(1.0, member.kind)]
        if contender is Contender.SINGLE:
            found: tuple[tuple[float, Weights], ...] = ((1.0, one_hot(task, tasks)),)
        elif contender is Contender.JOINT:
            found = ((1.0, indicator(set(range(tasks)), tasks)),)
        else:
            found = self.membership.speakers(task)
        return [(share, Member(name="", weights=weights).kind) for share, weights in found]


def network_predictions(
    tasks: Sequence[Task], trained: Trained, outputs: torch.Tensor, cast: Cast
) -> list[dict[Contender, Array]]:
    """For each task: network contender → ``[S, N, ...]`` predictions of its seeds.

    Args:
        tasks: The T tasks.
        trained: The final population.
        outputs: ``[P, O, N]`` its outputs on the rows asked for.
        cast: Who stands for whom.
    """
    seeds = [member.seed for member in trained.members]
    found = []
    for t, (task, columns) in enumerate(zip(tasks, output_slices(tasks), strict=True)):
        own = {}
        for contender in cast.networks:
            share = cast.shares(trained.members, contender, t)
            own[contender] = predictions([task], mixed(outputs[:, columns], share, seeds))[0]
        found.append(own)
    return found


def train_tuned(
    engine: Engine,
    stage: str,
    vectors: dict[str, Weights],
    settings: Sequence[Setting],
    start: str = "",
) -> tuple[Trained, tuple[Member, ...]]:
    """Train every candidate and name the best one of each weight vector."""
    trained = engine.train(stage, candidates(vectors, settings, start))
    return trained, tuned(trained, engine.development.valid)

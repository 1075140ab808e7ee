"""One network for all tasks whose weights adapt, are searched, or are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cotrain.contenders.base import (
    DECIDING,
    EXAMPLES,
    FRESH,
    Context,
    Exam,
    NetworkContender,
    Terms,
    Tuned,
)
from cotrain.engine.engine import Engine
from cotrain.engine.loss_weighting import LossWeighting
from cotrain.engine.member import Kind, Member, indicator
from cotrain.engine.trained import merge
from cotrain.engine.tuning import Setting
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.weighting import PBT, WeightSchedule, WeightSearch, optimize_weights

SEARCH, SCHEDULE = "weights.safetensors", "weights.json"
INTERVALS = 12  # proposals of a search

Weights = LossWeighting | PBT | WeightSchedule
"""That adapt, are searched, or are given."""


@dataclass(frozen=True, kw_only=True)
class Weighted(NetworkContender):
    """One network for all tasks with other weights than uniform ones.

    Args:
        weights: Adaptive and given weights are tuned like any other contender. A search starts from the
            learning rate and dropout that suit uniform weights and leaves its lineage and a schedule in the
            run folder. The members that it picked among dozens on the validation rows are not the
            contender: their schedule is trained again from fresh seeds, so that validation can judge it
            like the others.
    """

    name = "weighted"
    tuning_purpose = DECIDING
    compared_with = ("joint",)

    weights: Weights

    @property
    def identity(self) -> dict[str, str]:
        """The weights."""
        return {"weights": repr(self.weights)}

    def price(self, terms: Terms) -> float:
        """Tuned as others are, or searched and trained."""
        if isinstance(self.weights, PBT):
            return self.weights.members + terms.seeds
        if isinstance(self.weights, WeightSchedule):  # which trains whole at every setting
            return terms.seeds + min(terms.seeds, EXAMPLES) * (terms.tried - 1)
        return terms.price(1)

    def members(self, context: Context) -> Sequence[Member]:
        """One member, unless it has to be searched."""
        if isinstance(self.weights, PBT):
            return []
        if isinstance(self.weights, WeightSchedule):
            return [self.weights.member(self.name)]
        tasks = len(context.tasks)
        weights = indicator(set(range(tasks)), tasks)
        return [Member(name=self.name, weights=weights, weighting=self.weights)]

    def candidate(self, member: Member, setting: Setting) -> Member:
        """Given weights keep their schedule of learning rates, scaled to the setting's."""
        if isinstance(self.weights, WeightSchedule):
            schedule = self.weights.at_rate(setting.learning_rate)
            return schedule.member(self.name, seed=member.seed, dropout=setting.dropout)
        return super().candidate(member, setting)

    def equip(self, engine: Engine) -> Engine:
        """Refuse given weights that a contender for all tasks cannot have, before anything is trained."""
        if isinstance(self.weights, WeightSchedule):
            _check(self.weights, engine.recipe.epochs)
        return engine

    def search(self, engine: Engine, context: Context) -> Tuned | None:
        """Population-based training, from the setting of the joint network."""
        if not isinstance(self.weights, PBT):
            return None
        joint, every = context.joint, max(1, engine.recipe.epochs // INTERVALS)
        searcher = replace(self.weights, learning_rate=joint.learning_rate)
        history, everyone = optimize_weights(
            engine, searcher, stage="weigh", every=every, dropout=joint.dropout
        )
        history.save(engine.folder.path(SEARCH))
        history.schedule().save(engine.folder.path(SCHEDULE))
        member = history.schedule().member(self.name, seed=FRESH, dropout=joint.dropout)
        trained = engine.train("weigh-again", [member])
        return Tuned(best=member, trained=trained, everyone=merge([everyone, trained]))

    def speakers(self, task: int, context: Context) -> Sequence[tuple[float, Kind]]:
        """The one network."""
        (member,) = context.best[self.name]
        return [(1.0, member.kind)]

    def advice(self, context: Context) -> str:
        """All in one network."""
        return f"Train all {len(context.tasks)} tasks together with changing weights"

    def examine(self, exam: Exam) -> tuple[str, ...]:
        """Whether finding the weights was worth it on the test split."""
        gain = exam.overall[f"{self.name} - joint"]
        runs = sum(
            line.joint_runs
            for line in exam.costs
            if line.contender == self.name and line.purpose == DECIDING
        )
        judged = "worth it" if gain.low > 0 else "not proven to be worth it"
        judged = "not worth it" if gain.high < 0 else judged
        return (
            f"Other than uniform weights took {runs:.1f} joint runs to find or to tune, and bring "
            f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] over uniform weights on the test "
            f"split: {judged} here.",
        )


def read_search(folder: RunFolder) -> tuple[WeightSearch, ...]:
    """The lineage that a search left, if there was one."""
    return (WeightSearch.load(folder.path(SEARCH)),) if folder.has(SEARCH) else ()


def _check(given: WeightSchedule, epochs: int) -> None:
    """Refuse weights that a contender for all tasks cannot have in a run of so many epochs."""
    used = [change.weights for change in given.changes if change.epoch < epochs]
    for task, own in zip(given.tasks, zip(*used, strict=True), strict=True):
        if not any(own):
            raise InputError(
                f"the given weights never train {task!r}: give it a weight above 0, or leave the target out"
            )
    if all(len(set(weights)) == 1 for weights in used):
        raise InputError(
            "the given weights are uniform: that is the contender 'joint' of every run"
        )

"""The weighing stage of a run: one network for all tasks whose weights adapt or are searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cotrain.engine.engine import Engine
from cotrain.engine.loss_weighting import LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.trained import Trained, merge
from cotrain.engine.tuning import Setting, tuned
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.results import Contender
from cotrain.run.evaluation import Proof
from cotrain.run.ledger import Ledger
from cotrain.weighting import PBT, WeightSchedule, WeightSearch, optimize_weights

NAME, STAGE = "weighted", "find weights"
SEARCH, SCHEDULE = "weights.safetensors", "weights.json"
INTERVALS = 12  # proposals of a search
FRESH = 1000  # seed that no search has seen

Weights = LossWeighting | PBT | WeightSchedule
"""That adapt, are searched, or are given."""


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """The contender with changing weights.

    Args:
        member: It, from its first seed.
        trained: It, trained.
        everyone: All that was trained to find it, itself included.
    """

    member: Member
    trained: Trained
    everyone: Trained


def weigh(engine: Engine, weights: Weights, joint: Member, grid: Sequence[Setting]) -> Weighted:
    """Train the contender, or read it back.

    A search starts from the learning rate and dropout that suit uniform weights and leaves its lineage and
    a schedule in the run folder. The members that it picked among dozens on the validation rows are not the
    contender: their schedule is trained again from fresh seeds, so that validation can judge it like the
    others. An adaptive weighting, and given weights, are tuned like any other contender.

    Raises:
        InputError: If given weights leave a task out, or are the uniform ones.
    """
    if isinstance(weights, PBT):
        return _search(engine, weights, joint)
    return _tune(engine, weights, joint, grid)


def read_search(folder: RunFolder) -> tuple[WeightSearch, ...]:
    """The lineage that a search left, if there was one."""
    return (WeightSearch.load(folder.path(SEARCH)),) if folder.has(SEARCH) else ()


def worth_of_weights(proof: Proof, ledger: Ledger) -> tuple[str, ...]:
    """Whether finding the weights was worth it on the test split, in words; nothing if none were found."""
    gain = proof.overall.get(f"{Contender.WEIGHTED} - {Contender.JOINT}")
    if gain is None:
        return ()
    runs = sum(line.joint_runs for line in ledger.lines() if line.stage == STAGE)
    judged = "worth it" if gain.low > 0 else "not proven to be worth it"
    judged = "not worth it" if gain.high < 0 else judged
    return (
        f"Other than uniform weights took {runs:.1f} joint runs to find or to tune, and bring "
        f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] over uniform weights on the test split: "
        f"{judged} here.",
    )


def _tune(
    engine: Engine,
    weights: LossWeighting | WeightSchedule,
    joint: Member,
    grid: Sequence[Setting],
) -> Weighted:
    if isinstance(weights, WeightSchedule):
        _check(weights, engine.recipe.epochs)
    members = [_candidate(weights, joint, setting) for setting in grid]
    everyone = engine.train("weigh", members)
    (best,) = tuned(everyone, engine.development.valid)
    return Weighted(
        member=best, trained=everyone.select(lambda member: member == best), everyone=everyone
    )


def _candidate(weights: LossWeighting | WeightSchedule, joint: Member, setting: Setting) -> Member:
    if isinstance(weights, WeightSchedule):
        return weights.at_rate(setting.learning_rate).member(NAME, dropout=setting.dropout)
    return replace(
        joint,
        name=NAME,
        weighting=weights,
        learning_rate=setting.learning_rate,
        dropout=setting.dropout,
    )


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


def _search(engine: Engine, weights: PBT, joint: Member) -> Weighted:
    every = max(1, engine.recipe.epochs // INTERVALS)
    searcher = replace(weights, learning_rate=joint.learning_rate)
    history, everyone = optimize_weights(
        engine, searcher, stage="weigh", every=every, dropout=joint.dropout
    )
    history.save(engine.folder.path(SEARCH))
    history.schedule().save(engine.folder.path(SCHEDULE))
    member = history.schedule().member(NAME, seed=FRESH, dropout=joint.dropout)
    trained = engine.train("weigh-again", [member])
    return Weighted(member=member, trained=trained, everyone=merge([everyone, trained]))

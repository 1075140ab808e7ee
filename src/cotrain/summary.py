"""The parts of a result that restate what the stages decided, for readers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cotrain.budget import Allowance
from cotrain.data.taskdata import Splits
from cotrain.grouping import Grouping
from cotrain.measure.affinity import Affinity
from cotrain.population.engine import Engine
from cotrain.population.member import Member
from cotrain.result import AffinitySummary, Group, GroupingSummary
from cotrain.settings import Settings
from cotrain.tasks import Task


def grouping_summary(grouping: Grouping, tasks: Sequence[Task], decided_by: str) -> GroupingSummary:
    """Groups by task names."""

    def names(at: Sequence[int]) -> tuple[str, ...]:
        return tuple(tasks[t].name for t in at)

    return GroupingSummary(
        groups=tuple(
            Group(tasks=names(group), serves=names(grouping.serves(g)))
            for g, group in enumerate(grouping.groups)
        ),
        decided_by=decided_by,
        objective=grouping.objective,
        bound=grouping.bound,
        exact=grouping.exact,
    )


def affinity_summary(affinity: Affinity) -> AffinitySummary:
    """The matrices as nested tuples."""
    mean, error = (
        tuple(tuple(float(v) for v in row) for row in np.asarray(matrix))
        for matrix in (affinity.mean, affinity.standard_error)
    )
    return AffinitySummary(
        tasks=affinity.tasks,
        mean=mean,
        standard_error=error,
        probes=affinity.probes,
        method=affinity.method,
        agreement=affinity.agreement,
        reliability=affinity.reliability,
    )


def row_counts(splits: Splits) -> dict[str, int]:
    """Rows of each split."""
    development = splits.development
    return {
        "train": len(development.train),
        "valid": len(development.valid),
        "test": len(splits.test),
        "unlabelled": splits.unlabelled,
    }


def budget_notes(allowance: Allowance) -> tuple[str, ...]:
    """A warning if the budget shortened trainings: single-task networks suffer most."""
    rounds = allowance.recipe.rounds
    if rounds == allowance.full_rounds:
        return ()
    return (
        f"The budget of {allowance.budget:g} joint runs cut every training to {rounds} of "
        f"{allowance.full_rounds} rounds with one setting tried: networks may be under-trained, "
        "and gains over them flattering.",
    )


def settings_summary(
    settings: Settings, allowance: Allowance, engine: Engine, best: Sequence[Member]
) -> dict[str, str]:
    """What a reader needs to repeat the run, and what tuning picked."""
    recipe = allowance.recipe
    picks = {m.name: f"{m.learning_rate:g} / {m.dropout:g}" for m in best}
    return {
        "max groups": str(settings.max_groups),
        "budget (joint runs)": f"{allowance.budget:g}",
        "settings tried per contender": str(allowance.candidates),
        "seeds": str(settings.seeds),
        "seed": str(settings.seed),
        "trees": settings.trees.name,
        "instruments": ", ".join(settings.instruments),
        "lookahead": f"a step of {settings.probe_step:g} every {settings.probe_every} steps",
        "rounds at most": f"{recipe.rounds} of {allowance.full_rounds}",
        "batch size": str(recipe.batch_size),
        "patience (rounds)": str(recipe.patience),
        "weight decay": f"{recipe.weight_decay:g}",
        "engine": str(engine.calibration).removeprefix("engine: "),
        "joint: learning rate / dropout share": picks["joint"],
    }

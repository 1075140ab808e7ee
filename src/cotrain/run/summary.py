"""From what the stages found to the result that readers see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cotrain.data.dataset import Splits
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import AffinitySummary, Group, GroupingSummary, Price, Result
from cotrain.run.answer import answer, details, sentences
from cotrain.run.budget import Allowance
from cotrain.run.contest import Contest
from cotrain.run.decision import Decision
from cotrain.run.evaluation import Evaluation
from cotrain.run.measured import Measured
from cotrain.run.mixture import Mixture
from cotrain.run.settings import Instrument, Settings

WORDS = {
    Instrument.LOOKAHEAD: ("transference", "mean transference in a group"),
    Instrument.GRADIENTS: ("gradient cosine", "mean cosine in a group"),
    Instrument.SAMPLED: ("sampled gains", "predicted mean gain over training alone"),
    Instrument.DATAMAP: ("data maps", "mean silhouette of the clusters"),
}


def summarize(
    *,
    title: str,
    splits: Splits,
    settings: Settings,
    allowance: Allowance,
    contest: Contest,
    measured: Measured,
    decision: Decision,
    mixture: Mixture,
    evaluation: Evaluation,
    prices: dict[str, Price],
    remarks: Sequence[str],
) -> Result:
    """The result of a run, from what its stages found; ``remarks`` are the contenders'."""
    return Result(
        title=title,
        answer=answer(evaluation, mixture, contest.contenders, contest.context, prices),
        sentences=sentences(evaluation, contest.contenders),
        details=(
            *budget_notes(allowance),
            *details(evaluation, measured.affinity),
            *remarks,
            *splits.notes,
        ),
        tasks=evaluation.tasks,
        mean_test=evaluation.mean_test,
        overall=evaluation.overall,
        grouping=grouping_summary(decision, [task.name for task in splits.tasks]),
        affinity=None if measured.affinity is None else affinity_summary(measured.affinity),
        costs=contest.ledger.lines(),
        prices=prices,
        rows=row_counts(splits),
        seeds=settings.seeds,
        budget=allowance.budget,
        settings=settings_summary(settings, allowance, contest),
    )


def grouping_summary(decision: Decision, tasks: Sequence[str]) -> GroupingSummary:
    """Groups by task names."""

    def names(at: Sequence[int]) -> tuple[str, ...]:
        return tuple(tasks[t] for t in at)

    membership = decision.membership
    return GroupingSummary(
        groups=tuple(
            Group(
                tasks=names(group),
                serves=names(membership.serves(g)),
                weights=tuple(membership.weights[g][t] for t in group),
            )
            for g, group in enumerate(membership.groups)
        ),
        decided_by=WORDS[decision.by][0],
        unit=WORDS[decision.by][1],
        objective=decision.objective,
        bound=decision.bound,
        exact=decision.exact,
        alternatives=decision.alternatives,
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
    epochs = allowance.recipe.epochs
    if epochs == allowance.full_epochs:
        return ()
    return (
        f"The budget of {allowance.budget:g} joint runs cut every training to {epochs} of "
        f"{allowance.full_epochs} epochs with one setting tried: networks may be under-trained, "
        "and gains over them flattering.",
    )


def settings_summary(settings: Settings, allowance: Allowance, contest: Contest) -> dict[str, str]:
    """What a reader needs to repeat the run, and what tuning picked."""
    recipe, engine, joint = allowance.recipe, contest.engine, contest.context.joint
    domains = engine.development.train.domains
    wanted = settings.measures(len(engine.development.tasks))
    return {
        **({"weights": "the rates at which batches sample the domains"} if domains else {}),
        "max groups": str(settings.max_groups),
        "budget (joint runs)": f"{allowance.budget:g}",
        "settings tried per contender": str(allowance.candidates),
        "seeds": str(settings.seeds),
        "seed": str(settings.seed),
        "trees": settings.trees.name,
        "instruments": ", ".join(i for i in Instrument if i in wanted),
        "epochs at most": f"{recipe.epochs} of {allowance.full_epochs}",
        "batch size": str(recipe.batch_size),
        "folds": str(len(engine.development.folds) or "one holdout"),
        "weight decay": f"{recipe.weight_decay:g}",
        "engine": str(engine.calibration).removeprefix("engine: "),
        "joint: learning rate, dropout share, epochs": (
            f"{joint.learning_rate:g}, {joint.dropout:g}, {joint.epochs:.0%}"
        ),
    }

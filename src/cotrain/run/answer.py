"""The answer in words, from the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cotrain.contenders.base import Contender, Context, NetworkContender
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Interval, TaskResult
from cotrain.run.bootstrap import SHIPPED
from cotrain.run.evaluation import Evaluation
from cotrain.run.mixture import Mixture
from cotrain.stats import finite_mean
from cotrain.tasks import listed

STRONGEST = 3


def answer(
    evaluation: Evaluation, mixture: Mixture, field: Sequence[Contender], context: Context
) -> str:
    """The first lines: what to do, what it brings, and how sure that is.

    Args:
        evaluation: Test scores with paired intervals.
        mixture: What ships, and the scores that decided.
        field: The contenders, simple ones first.
        context: The tasks and their groups.
    """
    networks = [own for own in field if isinstance(own, NetworkContender)]
    best = max(networks, key=lambda own: _decided_score(mixture, own.name))
    rival = max((own.name for own in field), key=lambda name: _decided_score(mixture, name))
    said = [_advised(best, evaluation, context)] if len(context.tasks) > 1 else []
    shipped = evaluation.overall[f"{SHIPPED} - {rival}"]
    said.append(
        f"Shipped: {mixture.decided}; {evaluation.mean_test[SHIPPED]:.3f}, {_judged(shipped)} over {rival}."
    )
    return " ".join(said)


def _decided_score(mixture: Mixture, name: str) -> float:
    """Mean score on the rows that models left out."""
    return round(float(finite_mean(np.array([own[name] for own in mixture.scores]))), 9)


def _advised(best: NetworkContender, evaluation: Evaluation, context: Context) -> str:
    """What the best networks say about training together."""
    gain = evaluation.overall.get(f"{best.name} - single")
    if gain is None:
        return f"{best.advice(context)}."
    unit = _unit(evaluation)
    if gain.low > 0:
        return f"{best.advice(context)}: {signed(gain)} {unit} over one network each."
    if gain.high < 0:
        return f"Train each task alone: {best.name} lost, {signed(gain)} {unit} against one network each."
    return (
        f"No gain from training together is proven: {signed(gain)} {unit} for {best.name} over one "
        "network each."
    )


def _unit(evaluation: Evaluation) -> str:
    """The metric, if all tasks have the same."""
    metrics = {task.metric for task in evaluation.tasks}
    return metrics.pop() if len(metrics) == 1 else "mean score"


def _judged(gain: Interval) -> str:
    return signed(gain) + ("" if gain.significant else " (not significant)")


def details(evaluation: Evaluation, affinity: Affinity | None) -> tuple[str, ...]:
    """What a careful reader asks next: who helps whom, what is not significant."""
    lines = [] if affinity is None else _helpers(affinity)
    for pair, gain in evaluation.overall.items():
        verdict = "" if gain.significant else ", not significant"
        lines.append(f"{pair}: {signed(gain)} in mean test score{verdict}.")
    unsure = [task.name for task in evaluation.tasks if not task.gain_over_single.significant]
    lines.append(
        f"Gain over single-task not significant for {len(unsure)} of {len(evaluation.tasks)} tasks."
    )
    for rival in ("single", "joint", "trees"):
        lost = [task.name for task in evaluation.tasks if _loses(task, rival)]
        if lost:
            lines.append(f"Shipped is significantly worse than {rival} on: {listed(lost)}.")
    return tuple(lines)


def signed(gain: Interval) -> str:
    """A difference with its interval.

    >>> signed(Interval(value=0.0123, low=-0.001, high=0.02))
    '+0.012 [-0.001, +0.020]'
    """
    return f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def _helpers(affinity: Affinity) -> list[str]:
    """The strongest measured effects, and the tasks that on average help nobody."""
    if len(affinity.tasks) == 1 or not np.isfinite(affinity.mean).any():
        return []
    order = np.argsort(-np.nan_to_num(affinity.mean, nan=-np.inf), axis=None, kind="stable")
    strongest = [divmod(int(at), len(affinity.tasks)) for at in order[:STRONGEST]]
    shown = [
        f"{affinity.tasks[source]} helps {affinity.tasks[recipient]} "
        f"({affinity.mean[recipient, source]:+.4f} ± {affinity.standard_error[recipient, source]:.4f})"
        for recipient, source in strongest
        if affinity.mean[recipient, source] > 0
    ]
    measured = np.isfinite(affinity.mean).any(axis=0)
    idle = np.flatnonzero(measured & (np.nansum(affinity.mean, axis=0) <= 0))
    lines = [f"Largest transference a step: {'; '.join(shown)}."] if shown else []
    if len(idle):
        names = listed([affinity.tasks[source] for source in idle])
        lines.append(f"On average over the other tasks, helps nobody: {names}.")
    return lines


def _loses(task: TaskResult, rival: str) -> bool:
    gains = {
        "single": task.gain_over_single,
        "joint": task.gain_over_joint,
        "trees": task.gain_over_trees,
    }
    return gains[rival].high < 0

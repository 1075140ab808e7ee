"""The answer in words, from the numbers alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cotrain.contenders.base import Contender, Context, NetworkContender
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Interval, Price, TaskResult
from cotrain.run.bootstrap import EQUAL, SHIPPED
from cotrain.run.evaluation import Evaluation
from cotrain.run.mixture import Mixture
from cotrain.stats import finite_mean
from cotrain.tasks import listed

STRONGEST = 3
MOST_LABELS = 10_000_000
SURE = 1.96 + 0.84  # standard errors that a gain must measure to be found in four of five trials


def answer(
    evaluation: Evaluation,
    mixture: Mixture,
    field: Sequence[Contender],
    context: Context,
    prices: Mapping[str, Price],
) -> str:
    """The first lines: what to do, what it brings, how sure that is, what ships, and what is cheapest.

    Who is spoken of was decided on rows that models left out; the test split says what it is worth.

    Args:
        evaluation: Test scores with paired intervals.
        mixture: What ships, and the scores that decided.
        field: The contenders, simple ones first.
        context: The tasks and their groups.
        prices: What predicting with each takes.
    """
    networks = [own for own in field if isinstance(own, NetworkContender)]
    best = max(networks, key=lambda own: _decided(mixture, own.name))
    rival = max((own.name for own in field), key=lambda name: _decided(mixture, name))
    said = [_advised(best, evaluation, context)] if len(context.tasks) > 1 else []
    over = evaluation.overall[f"{SHIPPED} - {rival}"]
    score = evaluation.mean_test[SHIPPED]
    above = "" if _nothing(over) else f", {_judged(over)} over {rival}"
    said.append(f"Shipped: {mixture.decided}; {score:.3f}{above}.")
    return " ".join(said + _cheapest(evaluation, field, prices))


def _decided(mixture: Mixture, name: str) -> float:
    """Mean advantage on the rows that models left out, over the mean of all contenders of a task."""
    advantages = [
        own.get(name, np.nan) - finite_mean(np.array(list(own.values()))) for own in mixture.scores
    ]
    mean = float(finite_mean(np.array(advantages)))
    return -np.inf if np.isnan(mean) else round(mean, 9)


def _advised(best: NetworkContender, evaluation: Evaluation, context: Context) -> str:
    """What the best networks say about training together."""
    gain = evaluation.overall.get(f"{best.name} - single")
    if gain is None:
        return f"{best.advice(context)}: no networks of several tasks did better."
    unit = _unit(evaluation)
    if gain.low > 0:
        return f"{best.advice(context)}: {signed(gain)} {unit} over one network each."
    if gain.high < 0:
        return f"Train each task alone: {best.name} lost, {signed(gain)} {unit} against one network each."
    return (
        f"No gain from training together is proven: {signed(gain)} {unit} for {best.name} over one "
        "network each."
    )


def _cheapest(
    evaluation: Evaluation, field: Sequence[Contender], prices: Mapping[str, Price]
) -> list[str]:
    """The contender of the fewest models of those that are within the noise of what ships."""
    gains = {own.name: evaluation.overall[f"{SHIPPED} - {own.name}"] for own in field}
    near = [name for name, gain in gains.items() if gain.low <= 0]
    near = [name for name in near if prices[name].models < prices[SHIPPED].models]
    near = [name for name in near if np.isfinite(evaluation.mean_test[name])]
    if not near:
        return []
    name = min(near, key=lambda own: prices[own].models)
    score = evaluation.mean_test[name]
    return [f"Nearly as good and the cheapest: {name} ({score:.3f})."]


def _unit(evaluation: Evaluation) -> str:
    """The metric, if all tasks have the same."""
    metrics = {task.metric for task in evaluation.tasks}
    return metrics.pop() if len(metrics) == 1 else "mean score"


def _nothing(gain: Interval) -> bool:
    """Whether nothing differs: the same models ship."""
    return gain.low == gain.high == 0


def _judged(gain: Interval) -> str:
    return signed(gain) + ("" if gain.significant else " (not significant)")


def sentences(evaluation: Evaluation, field: Sequence[Contender]) -> tuple[str, ...]:
    """One a contender: its mean test score, and what ships against it."""
    lines = [_contender(own.name, evaluation) for own in field]
    return (*lines, f"{EQUAL} of all: {evaluation.mean_test[EQUAL]:.3f}.")


def details(evaluation: Evaluation, affinity: Affinity | None) -> tuple[str, ...]:
    """What a careful reader asks next: which tasks gain, which lose, who helps whom.

    Args:
        evaluation: Test scores with paired intervals.
        affinity: Of the lookahead, if it looked on.
    """
    lines = _tasks(evaluation)
    for rival in ("single", "joint", "trees"):
        lost = [task.name for task in evaluation.tasks if _loses(task, rival)]
        if lost:
            lines.append(f"Shipped is significantly worse than {rival} on: {listed(lost)}.")
    return (*lines, *([] if affinity is None else _helpers(affinity)))


def _contender(name: str, evaluation: Evaluation) -> str:
    mean, gain = evaluation.mean_test[name], evaluation.overall[f"{SHIPPED} - {name}"]
    tasks = sum(name in task.test for task in evaluation.tasks)
    if np.isfinite(mean):
        shipped = "it ships" if _nothing(gain) else f"shipped {_judged(gain)}"
        return f"{name}: {mean:.3f}; {shipped}."
    total = len(evaluation.tasks)
    measured = [task.name for task in evaluation.tasks if name in task.test]
    return (
        f"{name}, on {tasks} of {total} tasks drawn at random ({listed(measured)}): shipped "
        f"{_judged(gain)}."
    )


def _tasks(evaluation: Evaluation) -> list[str]:
    """Which tasks gain, which lose, and how many labels would tell for the others."""
    known = [task for task in evaluation.tasks if np.isfinite(task.gain_over_single.low)]
    gain = [task.name for task in known if task.gain_over_single.low > 0]
    lose = [task.name for task in known if task.gain_over_single.high < 0]
    unsure = [task for task in known if not task.gain_over_single.significant]
    lines = [f"Over one network each, shipped gains on: {listed(gain)}."] if gain else []
    lines += [f"It loses on: {listed(lose)}."] if lose else []
    if unsure:
        lines.append(f"Too small to tell on {len(unsure)} of {len(known)} tasks{_power(unsure)}.")
    return lines


def _power(unsure: Sequence[TaskResult]) -> str:
    """How many test labels would tell the largest gains, in four of five trials."""
    said = []
    for task in sorted(unsure, key=lambda own: -abs(own.gain_over_single.value)):
        size, error = task.gain_over_single.value, _error(task.gain_over_single)
        if size and error:
            needed = task.test_labels * (SURE * error / size) ** 2
            said.append(f"{task.name} {size:+.3f} ({_rounded(needed)}, has {task.test_labels:,})")
    if not said:
        return ""
    return f"; test labels that would tell a gain as large: {'; '.join(said[:STRONGEST])}"


def _rounded(count: float) -> str:
    """To two digits, in words where it is beyond reach.

    >>> _rounded(1437.0), _rounded(3e8)
    ('1,400', 'over 10 million')
    """
    if count > MOST_LABELS:
        return "over 10 million"
    return f"{int(float(f'{count:.2g}')):,}"


def _error(gain: Interval) -> float:
    return (gain.high - gain.low) / (2 * 1.96)


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

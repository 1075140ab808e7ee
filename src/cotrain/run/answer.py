"""The answer in words, from the numbers alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from cotrain.grouping import Membership
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Interval, TaskResult
from cotrain.run.evaluation import SHIPPED, Evaluation
from cotrain.run.selection import BLEND

NAMES_SHOWN = 6
STRONGEST = 3


def answer(evaluation: Evaluation, membership: Membership) -> str:
    """One sentence: what to train together, and what that is worth on the test split."""
    names = [task.name for task in evaluation.tasks]
    shipped, together = (
        evaluation.overall["shipped - single"],
        evaluation.overall["networks - single"],
    )
    worth = (
        f"shipped mean test score {evaluation.mean_test[SHIPPED]:.3f}, {_judged(shipped)} "
        "over one network a task"
    )
    if len(names) == 1:
        return f"One task, nothing to train together: {names[0]} is served by {_by(evaluation)}; {worth}."
    advice = _together(evaluation, membership, names)
    if not advice:
        said = f"Train no tasks together: on validation the choice was {_by(evaluation)}; {worth}."
        return said + _missed(evaluation)
    if together.low > 0:
        return f"{advice}: {_judged(together)} over one network a task; with trees, {worth}."
    verdict = (
        "Training together lost" if together.high < 0 else "No gain from training together proven"
    )
    said = f"{verdict}: {_judged(together)} over one network a task; {worth}, by {_by(evaluation)}."
    return said + _missed(evaluation)


def _missed(evaluation: Evaluation) -> str:
    """A joint network that the choice on validation should have taken, as the test split shows."""
    joint = evaluation.overall["joint - single"]
    if joint.low <= 0:
        return ""
    return f" On test one joint network was better, {_judged(joint)}: validation did not show it."


def _judged(gain: Interval) -> str:
    return signed(gain) + ("" if gain.significant else " (not significant)")


def details(evaluation: Evaluation, affinity: Affinity) -> tuple[str, ...]:
    """What a careful reader asks next: who helps whom, who serves, what is not significant."""
    lines = [
        *_helpers(affinity),
        f"Who serves how many tasks: {_by(evaluation)} (chosen on validation, per task).",
    ]
    for pair, gain in evaluation.overall.items():
        if pair not in ("shipped - single", "networks - single"):
            verdict = "" if gain.significant else ", not significant"
            lines.append(f"{pair}: {signed(gain)} in mean test score{verdict}.")
    unsure = [task.name for task in evaluation.tasks if not task.gain_over_single.significant]
    lines.append(
        f"Gain over single-task not significant for {len(unsure)} of {len(evaluation.tasks)} tasks."
    )
    for rival in ("single", "joint", "trees"):
        lost = [task.name for task in evaluation.tasks if _loses(task, rival)]
        if lost:
            lines.append(f"Shipped is significantly worse than {rival} on: {_list(lost)}.")
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
        names = _list([affinity.tasks[source] for source in idle])
        lines.append(f"On average over the other tasks, helps nobody: {names}.")
    return lines


def _together(evaluation: Evaluation, membership: Membership, names: Sequence[str]) -> str:
    """The sets of tasks whose joint training serves somebody, in words; empty if there are none."""
    phrases = []
    for group in membership.groups:
        served = [
            t
            for t in membership.serves(membership.groups.index(group))
            if _uses_group(evaluation, t)
        ]
        if len(group) > 1 and served:
            phrases.append(f"{{{_list([names[t] for t in group])}}}")
    if any(_uses(task, "joint") for task in evaluation.tasks):
        phrases.append(f"all {len(names)} tasks in one network")
    if any(_uses(task, "weighted") for task in evaluation.tasks):
        phrases.append(f"all {len(names)} tasks in one network with changing weights")
    return f"Train together {' and '.join(phrases)}" if phrases else ""


def _uses_group(evaluation: Evaluation, t: int) -> bool:
    return _uses(evaluation.tasks[t], "groups")


def _uses(task: TaskResult, contender: str) -> bool:
    """Whether what serves the task contains the contender, alone or in a blend."""
    return contender in (task.served_by, task.blends if task.served_by == BLEND else None)


def _by(evaluation: Evaluation) -> str:
    counts = Counter(task.served_by for task in evaluation.tasks)
    return ", ".join(f"{contender} {n}" for contender, n in counts.most_common())


def _loses(task: TaskResult, rival: str) -> bool:
    gains = {
        "single": task.gain_over_single,
        "joint": task.gain_over_joint,
        "trees": task.gain_over_trees,
    }
    return gains[rival].high < 0


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more

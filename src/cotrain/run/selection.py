"""Model selection: who serves each task, decided on validation rows alone.

A validation score is noisy, and the best of several noisy scores flatters. So each contender's advantage
on a task is first drawn towards its mean advantage over all tasks, the more the noisier it is (empirical
Bayes, method of moments; Efron & Morris 1975, "Data analysis using Stein's estimator"): with

    d = advantage over the contenders' mean on the task,   m = its mean over tasks,
    s² = its sampling variance (bootstrap over validation rows),   τ² = max(0, var_tasks(d) − mean s²),

the contender with the largest  m + (d − m) · τ² / (τ² + s²)  serves the task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.stats import Labels, draw_rows, redraw
from cotrain.tasks import Task, score

REPLICATES = 200


BLEND, TREES = "blend", "trees"


@dataclass(frozen=True, kw_only=True)
class Selection(FinishedDecision):
    """For each task the contender that serves it, and its best network (for the blend).

    Args:
        served_by: ``[T]`` names of the contenders.
        network: ``[T]`` the network that the blend mixes with the trees.
        valid: ``[T]`` validation score of every contender: what the selection was made on.
    """

    served_by: tuple[str, ...]
    network: tuple[str, ...]
    valid: tuple[dict[str, float], ...]

    @property
    def decided(self) -> str:
        """Who serves how many tasks."""
        counts = Counter(self.served_by)
        return ", ".join(f"{name} {count}" for name, count in counts.most_common())

    def parts(self, task: int) -> tuple[str, ...]:
        """The contenders whose mean prediction serves a task: two in a blend, else one."""
        served_by = self.served_by[task]
        return (self.network[task], TREES) if served_by == BLEND else (served_by,)


def select(
    tasks: Sequence[Task],
    predictions: Sequence[Mapping[str, Array]],
    networks: Collection[str],
    labels: Sequence[Labels],
    seed: int,
) -> Selection:
    """Pick who serves each task; ties go to the simpler contender.

    Args:
        tasks: The T tasks.
        predictions: For each task, contender → ``[S, N, ...]`` validation predictions of its seeds, the
            simplest contender first, trees among them.
        networks: Which of the contenders are networks.
        labels: T pairs of labelled rows and their labels.
        seed: Seeds the bootstrap.
    """
    everyone = {name: [own[name].mean(axis=0) for own in predictions] for name in predictions[0]}
    nets = {name: own for name, own in everyone.items() if name in networks}
    network = _winners(tasks, nets, labels, seed)
    everyone[BLEND] = [
        blend(everyone[best][t], everyone[TREES][t]) for t, best in enumerate(network)
    ]
    scores = _scores(tasks, everyone, labels)
    return Selection(
        tasks=tuple(tasks),
        served_by=_winners(tasks, everyone, labels, seed),
        network=network,
        valid=tuple(dict(zip(everyone, map(float, column), strict=True)) for column in scores.T),
    )


def blend(network: Array, trees: Array) -> Array:
    """Equal parts of both."""
    return (network + trees) / 2


def shrunk(advantage: Array, variance: Array) -> Array:
    """Advantages drawn towards each contender's mean over tasks (see the module's text).

    Args:
        advantage: ``[C, T]`` d.
        variance: ``[C, T]`` s².

    >>> noisy, sharp = np.full((1, 3), 9.0), np.zeros((1, 3))
    >>> shrunk(np.array([[0.0, 1.0, 2.0]]), noisy), shrunk(np.array([[0.0, 1.0, 2.0]]), sharp)
    (array([[1., 1., 1.]]), array([[0., 1., 2.]]))
    """
    tasks = advantage.shape[1]
    if tasks == 1:
        return advantage
    mean = advantage.mean(axis=1, keepdims=True)
    between = advantage.var(axis=1, ddof=1, keepdims=True) - variance.mean(axis=1, keepdims=True)
    between = np.maximum(between, 0.0)
    total = between + variance
    share = np.divide(between, total, out=np.ones_like(variance), where=total > 0)
    return np.asarray(mean + (advantage - mean) * share)


def _winners(
    tasks: Sequence[Task],
    predictions: Mapping[str, Sequence[Array]],
    labels: Sequence[Labels],
    seed: int,
) -> tuple[str, ...]:
    advantage = _advantage(_scores(tasks, predictions, labels))
    draw = np.random.default_rng(seed)
    rows = len(next(iter(predictions.values()))[0])
    redrawn = []
    for _ in range(REPLICATES):
        count = draw_rows(draw, rows)
        again = [redraw(own, count) for own in labels]
        redrawn.append(_advantage(_scores(tasks, predictions, again)))
    best = shrunk(advantage, np.var(redrawn, axis=0, ddof=1)).round(9)
    contenders = list(predictions)
    return tuple(contenders[at] for at in best.argmax(axis=0))


def _scores(
    tasks: Sequence[Task],
    predictions: Mapping[str, Sequence[Array]],
    labels: Sequence[Labels],
) -> Array:
    """``[C, T]`` scores."""
    return np.array(
        [
            [score(task, own[t][labels[t][0]], labels[t][1]) for t, task in enumerate(tasks)]
            for own in predictions.values()
        ]
    )


def _advantage(scores: Array) -> Array:
    """Over the contenders' mean on the task; 0 where the metric is not defined."""
    return np.asarray(np.nan_to_num(scores - scores.mean(axis=0)))

"""Who serves each task, decided on validation alone. Only a finished choice opens the test split.

A validation score is noisy, and the best of several noisy scores flatters. So each contender's advantage
on a task is first drawn towards its mean advantage over all tasks, the more the noisier it is (empirical
Bayes, method of moments; Efron & Morris 1975, "Data analysis using Stein's estimator"): with

    d = advantage over the contenders' mean on the task,   m = its mean over tasks,
    s² = its sampling variance (bootstrap over validation rows),   τ² = max(0, var_tasks(d) − mean s²),

the contender with the largest  m + (d − m) · τ² / (τ² + s²)  serves the task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cotrain.results import Contender
from cotrain.stats import Labels, draw_rows, redraw
from cotrain.tasks import Task, score

Array = NDArray[np.float64]
REPLICATES = 200


@dataclass(frozen=True, kw_only=True)
class Choice:
    """For each task the serving contender and its best network (for the blend).

    Args:
        tasks: ``[T]`` the tasks, in order.
        served_by: ``[T]`` who serves the task.
        network: ``[T]`` the network that the blend mixes with the trees.
        valid: ``[T]`` validation score of every contender: what the choice was made on.
    """

    tasks: tuple[Task, ...]
    served_by: tuple[Contender, ...]
    network: tuple[Contender, ...]
    valid: tuple[dict[Contender, float], ...]

    def check(self, tasks: Sequence[Task]) -> None:
        """Refuse a choice that was made for other tasks."""
        if self.tasks != tuple(tasks):
            raise ValueError(f"the choice was made for other tasks than these {len(tasks)}")


def settled(tasks: Sequence[Task]) -> Choice:
    """The choice of a study: it ships nothing, and all that it judges on test rows is settled before."""
    joint = (Contender.JOINT,) * len(tasks)
    return Choice(tasks=tuple(tasks), served_by=joint, network=joint, valid=({},) * len(tasks))


def choose(
    tasks: Sequence[Task],
    predictions: Mapping[Contender, Sequence[Array]],
    labels: Sequence[Labels],
    seed: int,
) -> Choice:
    """Pick who serves each task; ties go to the simpler contender.

    Args:
        tasks: The T tasks.
        predictions: Contender → T arrays of seed-averaged validation predictions ``[N, ...]``, the simplest
            contender first; all but the trees are networks.
        labels: T pairs of labelled rows and their labels.
        seed: Seeds the bootstrap.
    """
    networks = dict(predictions)
    del networks[Contender.TREES]
    network = _winners(tasks, networks, labels, seed)
    mixed = [
        blend(predictions[best][t], predictions[Contender.TREES][t])
        for t, best in enumerate(network)
    ]
    everyone = {**predictions, Contender.BLEND: mixed}
    scores = _scores(tasks, everyone, labels)
    return Choice(
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
    predictions: Mapping[Contender, Sequence[Array]],
    labels: Sequence[Labels],
    seed: int,
) -> tuple[Contender, ...]:
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
    predictions: Mapping[Contender, Sequence[Array]],
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

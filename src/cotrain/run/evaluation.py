"""Evaluation: the test split, opened once for the finished selection, scores every contender."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cotrain.arrays import Array
from cotrain.contenders.base import Contender
from cotrain.data.dataset import TaskData
from cotrain.grouping import Membership
from cotrain.results import Interval, TaskResult
from cotrain.run.bootstrap import EQUAL, SHIPPED, bootstrap, contender_scores
from cotrain.run.mixture import Mixture, in_words
from cotrain.stats import finite_mean, interval
from cotrain.tasks import score


@dataclass(frozen=True, kw_only=True)
class Table:
    """Scores of the contenders and of what is shipped, for every task.

    Args:
        value: Contender, ``shipped`` or ``equal parts`` → ``[T]`` test scores.
        drawn: The same → ``[R, T]`` scores in R bootstrap replicates.
    """

    value: dict[str, Array]
    drawn: dict[str, Array]

    def gain(self, task: int, a: str, b: str) -> Interval:
        """Difference of two columns on one task."""
        value = float(self.value[a][task] - self.value[b][task])
        return interval(value, self.drawn[a][:, task] - self.drawn[b][:, task])

    def mean(self, name: str, predictions: Sequence[Mapping[str, Array]]) -> float:
        """Mean score over the tasks; NaN of a contender that answers some of them only."""
        partial = any(name in own for own in predictions) and not all(
            name in own for own in predictions
        )
        return float("nan") if partial else float(finite_mean(self.value[name]))

    def mean_gain(self, a: str, b: str) -> Interval:
        """Difference of two columns averaged over the tasks on which the metric is defined."""
        value = float(finite_mean(self.value[a] - self.value[b]))
        return interval(value, finite_mean(self.drawn[a] - self.drawn[b], axis=-1))


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Test scores with paired intervals.

    Args:
        tasks: One row a task.
        mean_test: Contender (and ``shipped``) → mean test score over tasks.
        overall: ``a - b`` → difference of the mean test scores with its interval.
    """

    tasks: tuple[TaskResult, ...]
    mean_test: dict[str, float]
    overall: dict[str, Interval]


def evaluate(
    mixture: Mixture,
    test: TaskData,
    predictions: Sequence[Mapping[str, Array]],
    contenders: Sequence[Contender],
    membership: Membership,
    train_labels: Sequence[int],
    seed: int,
) -> Evaluation:
    """Score all contenders on the test rows, with a paired bootstrap over rows and seeds.

    Args:
        mixture: What ships, decided without the test split.
        test: The opened test split, N rows.
        predictions: For each task, contender → ``[S, N, ...]`` predictions of S seeds.
        contenders: Whose gains are shown, and over whom; ``shipped`` is compared with every baseline.
        membership: For naming each task's partners.
        train_labels: ``[T]`` training labels of each task.
        seed: Seeds the bootstrap.
    """
    table = _score_all(mixture, test, predictions, seed)
    rows = tuple(
        _row(t, table, mixture, test, predictions[t], membership, train_labels[t])
        for t in range(len(test.tasks))
    )
    pairs = [(SHIPPED, own.name) for own in contenders]
    pairs += [(own.name, other) for own in contenders for other in own.compared_with]
    return Evaluation(
        tasks=rows,
        mean_test={name: table.mean(name, predictions) for name in table.value},
        overall={f"{a} - {b}": table.mean_gain(a, b) for a, b in pairs},
    )


def _score_all(
    mixture: Mixture, test: TaskData, predictions: Sequence[Mapping[str, Array]], seed: int
) -> Table:
    labels = [test.labels(t) for t in range(len(test.tasks))]
    scores = [
        contender_scores(mixture, t, predictions[t], labels[t]) for t in range(len(test.tasks))
    ]
    names = dict.fromkeys(c for own in scores for c in own)
    value: dict[str, Array] = {c: np.array([own.get(c, np.nan) for own in scores]) for c in names}
    drawn: dict[str, Array] = dict(bootstrap(mixture, predictions, labels, len(test), seed).items())
    return Table(value=value, drawn=drawn)


def _row(
    t: int,
    table: Table,
    mixture: Mixture,
    test: TaskData,
    predictions: Mapping[str, Array],
    membership: Membership,
    train_labels: int,
) -> TaskResult:
    task = test.tasks[t]
    rows, target = test.labels(t)
    return TaskResult(
        name=task.name,
        kind=task.kind,
        metric=task.metric_name,
        train_labels=train_labels,
        test_labels=len(rows),
        weights=mixture.weights[t],
        served_by=in_words(mixture.weights[t]),
        partners=tuple(test.tasks[b].name for b in membership.group_of(t)),
        valid=mixture.scores[t],
        test={
            name: float(v[t])
            for name, v in table.value.items()
            if name in predictions or name == EQUAL
        },
        seed_std={
            c: float(np.std([score(task, one[rows], target) for one in p], ddof=1))
            for c, p in predictions.items()
        },
        shipped=float(table.value[SHIPPED][t]),
        gain_over_single=table.gain(t, SHIPPED, "single"),
        gain_over_joint=table.gain(t, SHIPPED, "joint"),
        gain_over_trees=table.gain(t, SHIPPED, "trees"),
    )

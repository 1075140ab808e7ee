"""Who serves each task, decided on validation alone. Only a finished choice opens the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cotrain.result import Contender
from cotrain.tasks import Task, score

Array = NDArray[np.float64]
NETWORKS = (Contender.SINGLE, Contender.JOINT, Contender.GROUPS)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """For each task the serving contender and its best network (for the blend).

    Args:
        served_by: ``[T]`` who serves the task.
        network: ``[T]`` the network contender with the best validation score.
        valid: ``[T]`` validation score of every contender: what the choice was made on.
    """

    served_by: tuple[Contender, ...]
    network: tuple[Contender, ...]
    valid: tuple[dict[Contender, float], ...]

    def check(self, tasks: Sequence[Task]) -> None:
        """Refuse a choice that does not cover the tasks."""
        if not len(self.served_by) == len(self.network) == len(tasks):
            raise ValueError(f"the choice covers {len(self.served_by)} of {len(tasks)} tasks")


def choose(
    tasks: Sequence[Task],
    predictions: Mapping[Contender, Sequence[Array]],
    labels: Sequence[Labels],
) -> Choice:
    """Pick the best contender of each task by its validation score; ties go to the simpler one.

    Args:
        tasks: The T tasks.
        predictions: Contender → T arrays of seed-averaged validation predictions ``[N, ...]``.
        labels: T pairs of labelled rows and their labels.
    """
    served_by, network, valid = [], [], []
    for t, task in enumerate(tasks):
        rows, target = labels[t]
        scores = {c: score(task, predictions[c][t][rows], target) for c in predictions}
        best_network = max((c for c in NETWORKS if c in scores), key=lambda c: _rank(scores[c]))
        mixed = blend(predictions[best_network][t], predictions[Contender.TREES][t])
        scores[Contender.BLEND] = score(task, mixed[rows], target)
        served_by.append(max(scores, key=lambda c: _rank(scores[c])))
        network.append(best_network)
        valid.append(scores)
    return Choice(served_by=tuple(served_by), network=tuple(network), valid=tuple(valid))


Labels = tuple[NDArray[np.intp], Array]


def blend(network: Array, trees: Array) -> Array:
    """Equal parts of both."""
    return (network + trees) / 2


def _rank(value: float) -> float:
    return -np.inf if np.isnan(value) else value

"""Evidence: probabilities in a form in which those of sure networks and unsure trees can be added up.

Probabilities p of classes with shares π become q ∝ (p̃ / π)ᵃ with p̃ = (1 − ε) p + ε π, since no forest is as
sure as its empty leaves say: what a prediction says, wherever the classes are rare or frequent. The a of a
contender, the same for all tasks, has the least log loss of q π on out-of-fold predictions (temperature,
Guo et al. 2017). Residuals are those of q, with rows weighted so that classes count alike, as in their
scores; a label is then worth C² / (n Σ 1/n_c) of what it is if C classes are equally frequent. Mixed
evidence times π is probabilities again. Values of regression stay what they are.
Letters: T tasks, N rows, n labels of a task, n_c of a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import optimize, special

from cotrain.arrays import Array
from cotrain.stats import Labels
from cotrain.tasks import Kind, Task

DOUBT = 0.05  # ε


def evidence(prediction: Array, shares: Array, sharpness: float) -> Array:
    """Probabilities as if all classes were equally frequent; values as they are.

    Args:
        prediction: ``[N]`` of the positive class, ``[N, classes]``, or ``[N]`` values.
        shares: ``[classes]``; empty for values.
        sharpness: 1 leaves the evidence as it is, 0 takes all of it away.

    >>> evidence(np.array([0.2, 0.6]), np.array([0.8, 0.2]), 1.0).round(2).tolist()
    [0.5, 0.85]
    """
    if not len(shares):
        return prediction
    found = special.softmax(_log_odds(prediction, shares) * sharpness, axis=-1)
    return np.asarray(found[..., 1] if prediction.ndim == 1 else found)


def probabilities(evidence: Array, shares: Array) -> Array:
    """What evidence says where classes have their shares; values as they are.

    >>> probabilities(np.array([0.5, 0.8]), np.array([0.8, 0.2])).round(2).tolist()
    [0.2, 0.5]
    """
    if not len(shares):
        return evidence
    found = _by_class(evidence) * shares
    found = found / found.sum(axis=-1, keepdims=True)
    return np.asarray(found[..., 1] if evidence.ndim == 1 else found)


def _by_class(prediction: Array) -> Array:
    """``[N, classes]``."""
    if prediction.ndim > 1:
        return prediction
    return np.stack([1 - prediction, prediction], axis=-1)


def _log_odds(prediction: Array, shares: Array) -> Array:
    """``[N, classes]`` logarithms of doubted probabilities over shares."""
    doubted = (1 - DOUBT) * _by_class(prediction) + DOUBT * shares
    return np.asarray(np.log(doubted) - np.log(shares))


def shares_of(task: Task, labels: Labels) -> Array:
    """``[classes]`` shares of the classes among the labels, add-one smoothed; empty for regression."""
    if task.kind is Kind.REGRESSION:
        return np.zeros(0)
    counts = np.bincount(labels[1].astype(int), minlength=max(2, len(task.classes))) + 1.0
    return np.asarray(counts / counts.sum())


def sharpness_of(
    name: str,
    tasks: Sequence[Task],
    predictions: Sequence[Mapping[str, Array]],
    labels: Sequence[Labels],
    shares: Sequence[Array],
) -> float:
    """The one with the least mean log loss over the tasks with classes; 1 if there are none."""
    known = []
    for task, own, (rows, target), prior in zip(tasks, predictions, labels, shares, strict=True):
        if task.kind is not Kind.REGRESSION and len(rows) and name in own:
            known.append((_log_odds(own[name][rows], prior), np.log(prior), target.astype(int)))
    if not known:
        return 1.0

    def loss(logarithm: float) -> float:
        return float(
            np.mean(
                [
                    -special.log_softmax(odds * np.exp(logarithm) + prior, axis=-1)[
                        np.arange(len(target)), target
                    ].mean()
                    for odds, prior, target in known
                ]
            )
        )

    best = optimize.minimize_scalar(loss, bounds=(-4.0, 1.5), method="bounded").x
    return round(float(np.exp(best)), 4)


def residuals_of(prediction: Array, labels: Labels, shares: Array) -> Array:
    """``[n, ...]`` label minus prediction, 1 in root mean square for one that says nothing.

    Values are in standard deviations of the labels; classes are one-hot, and count alike.
    """
    rows, target = labels
    if not len(shares):
        spread = np.std(target) if len(target) else 0.0
        return np.asarray((target - prediction[rows]) / (spread or 1.0))
    classes = len(shares)
    weights = 1 / (classes * shares[target.astype(int)])
    residuals = np.eye(classes)[target.astype(int)] - _by_class(prediction[rows])
    return np.asarray(residuals * np.sqrt(weights / (1 - 1 / classes))[:, None])


def worth(shares: Array) -> float:
    """How much a label is worth if classes count alike, as a share of what it is if they are equal.

    >>> worth(np.array([0.5, 0.5])), round(worth(np.array([0.99, 0.01])), 3)
    (1.0, 0.04)
    """
    return float(len(shares) ** 2 / np.sum(1 / shares)) if len(shares) else 1.0

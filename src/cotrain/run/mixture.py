"""The mixture: how much of every contender ships for a task, decided on rows that its models left out.

The prediction of a task is a weighted mean of the contenders' (weights ≥ 0 with sum 1: stacking, Wolpert
1992, with Breiman's 1996 non-negative weights, here with sum 1). With the residual matrix R ``[n, C]`` of a
task's out-of-fold predictions and the variance v of its labels,

    w = argmin  wᵀ(RᵀR / nv) w + (L / nτ²) ‖w − w̄‖²      over the simplex,

where w̄ are the weights that are best for all tasks together, drawn in the same way towards equal parts,
and L is the loss of equal parts: so τ is how far weights may stray from what they are drawn to, in units of
weight, and fewer labels draw more. τ is the smallest of :data:`REACH` whose loss on rows that the weights
were not fitted to is the least, or no more than a standard error above it.

Probabilities are mixed as evidence, see :mod:`cotrain.run.evidence`, whose rows count by their class.
Letters: T tasks, C contenders, N rows, n labels of a task, K parts of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from cotrain.arrays import Array
from cotrain.data.dataset import FinishedDecision
from cotrain.run.evidence import (
    evidence,
    probabilities,
    residuals_of,
    shares_of,
    sharpness_of,
    worth,
)
from cotrain.stats import Labels
from cotrain.tasks import Task, score

SMALLEST = 0.05  # a weight below is dropped: a model that says so little is not worth its price
REACH = (0.0, 0.03, 0.1, 0.3, 1.0)  # τ
PARTS = 5  # of the rows, each once left out to choose τ
_TOGETHER = 1e3  # how much heavier than anything else it weighs that weights sum to 1


@dataclass(frozen=True, kw_only=True)
class Mixture(FinishedDecision):
    """What ships for each task.

    Args:
        weights: ``[T]`` contender → its weight; only those above 0.
        scores: ``[T]`` contender → its score on the rows that its models left out.
        expected: ``[T]`` score of the mixture on the same rows, which its weights were fitted to.
        shares: ``[T]`` shares of the classes; empty for regression.
        sharpness: Contender → a, see the module's text.
        reach: τ, see the module's text.
    """

    weights: tuple[dict[str, float], ...]
    scores: tuple[dict[str, float], ...]
    expected: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]
    sharpness: dict[str, float]
    reach: float

    @property
    def decided(self) -> str:
        """Mean weights over the tasks."""
        return in_words(self.mean_weights())

    def predict(self, task: int, predictions: Mapping[str, Array]) -> Array:
        """What ships for a task, ``[N]`` or ``[N, classes]``, from its contenders' mean predictions."""
        return self.by(self.weights[task], task, predictions)

    def by(
        self, weights: Mapping[str, float], task: int, predictions: Mapping[str, Array]
    ) -> Array:
        """The same at other weights."""
        shares = np.asarray(self.shares[task])
        parts = [
            own * evidence(predictions[name], shares, self.sharpness[name])
            for name, own in weights.items()
        ]
        return probabilities(np.asarray(sum(parts[1:], parts[0])), shares)

    def mean_weights(self) -> dict[str, float]:
        """Contender → mean weight over the tasks, the largest first."""
        names = dict.fromkeys(name for own in self.weights for name in own)
        mean = {
            name: float(np.mean([own.get(name, 0.0) for own in self.weights])) for name in names
        }
        return dict(sorted(mean.items(), key=lambda item: -round(item[1], 9)))


def in_words(weights: Mapping[str, float]) -> str:
    """Weights as people read them.

    >>> in_words({"joint": 2 / 3, "trees": 1 / 3}), in_words({"trees": 1.0})
    ('joint 67 %, trees 33 %', 'trees')
    """
    if len(weights) == 1:
        return next(iter(weights))
    return ", ".join(f"{name} {100 * own:.0f} %" for name, own in weights.items())


def mix(
    tasks: Sequence[Task],
    predictions: Sequence[Mapping[str, Array]],
    labels: Sequence[Labels],
    seed: int,
    among: Sequence[str] | None = None,
) -> Mixture:
    """The best weights, by predictions of rows that the models left out.

    Args:
        tasks: The T tasks.
        predictions: For each task, contender → ``[N, ...]`` predictions of those that have any. Tasks of
            the same contenders draw each other's weights together.
        labels: T pairs of labelled rows and their labels.
        seed: Parts the rows.
        among: Contenders that may ship; all unless given.
    """
    allowed = [
        _distinct({name: p for name, p in own.items() if among is None or name in among})
        for own in predictions
    ]
    names = tuple(dict.fromkeys(name for own in predictions for name in own))
    shares = [shares_of(task, known) for task, known in zip(tasks, labels, strict=True)]
    sharpness = {name: sharpness_of(name, tasks, predictions, labels, shares) for name in names}
    weights: list[dict[str, float]] = [{}] * len(tasks)
    reach = 0.0
    for field in dict.fromkeys(tuple(own) for own in allowed):
        alike = [t for t, own in enumerate(allowed) if tuple(own) == field]
        residuals = [
            np.stack(
                [
                    residuals_of(
                        evidence(allowed[t][name], shares[t], sharpness[name]), labels[t], shares[t]
                    )
                    for name in field
                ]
            )
            for t in alike
        ]
        worths = np.array([worth(shares[t]) for t in alike])
        found, reach = _fit(residuals, [labels[t] for t in alike], worths, seed)
        for t, own in zip(alike, found, strict=True):
            weights[t] = _kept(dict(zip(field, map(float, own), strict=True)))
    mixture = Mixture(
        tasks=tuple(tasks),
        weights=tuple(weights),
        scores=tuple(
            {name: _score(task, own[name], known) for name in own}
            for task, own, known in zip(tasks, predictions, labels, strict=True)
        ),
        expected=(),
        shares=tuple(tuple(map(float, own)) for own in shares),
        sharpness=sharpness,
        reach=reach,
    )
    expected = tuple(
        _score(task, mixture.predict(t, predictions[t]), labels[t]) for t, task in enumerate(tasks)
    )
    return replace(mixture, expected=expected)


def _distinct(predictions: Mapping[str, Array]) -> dict[str, Array]:
    """Without those that predict what one before them predicts: twins would count twice."""
    found: dict[str, Array] = {}
    for name, own in predictions.items():
        if not any(np.array_equal(own, other) for other in found.values()):
            found[name] = own
    return found


def _kept(weights: Mapping[str, float]) -> dict[str, float]:
    """Without the smallest ones; the others sum to 1 again."""
    kept = {name: own for name, own in weights.items() if own >= SMALLEST}
    total = sum(kept.values())
    return {name: own / total for name, own in sorted(kept.items(), key=lambda item: -item[1])}


def _score(task: Task, prediction: Array, labels: Labels) -> float:
    rows, target = labels
    return score(task, prediction[rows], target)


def _fit(
    residuals: Sequence[Array], labels: Sequence[Labels], worth: Array, seed: int
) -> tuple[Array, float]:
    """``[T, C]`` weights, and τ."""
    rows = 1 + max((int(known[0].max()) for known in labels if len(known[0])), default=0)
    part = np.random.default_rng(seed).permutation(rows) % PARTS
    products = np.stack(
        [
            [_products(own[:, part[known[0]] == k]) for k in range(PARTS)]
            for own, known in zip(residuals, labels, strict=True)
        ]
    )  # [T, K, C, C]
    counts = np.array([np.bincount(part[known[0]], minlength=PARTS) for known in labels])
    losses = np.array([_left_out(products, counts, worth, reach) for reach in REACH])  # [τ, K]
    excess = losses - losses[losses.mean(axis=1).argmin()]
    error = excess.std(axis=1, ddof=1) / np.sqrt(PARTS)
    reach = REACH[int(np.argmax(excess.mean(axis=1) <= error + 1e-12))]
    return _weights(products.sum(axis=1), counts.sum(axis=1), worth, reach), reach


def _products(residuals: Array) -> Array:
    flat = residuals.reshape(len(residuals), -1)
    return np.asarray(flat @ flat.T)


def _left_out(products: Array, counts: Array, worth: Array, reach: float) -> Array:
    """``[K]`` mean loss over tasks on each part of the rows, with weights from the others."""
    found = []
    for k in range(PARTS):
        others = np.arange(PARTS) != k
        known = (products[:, others].sum(axis=1), counts[:, others].sum(axis=1))
        weights = _weights(*known, worth, reach)
        lost = np.einsum("tc,tcd,td->t", weights, products[:, k], weights)
        labelled = counts[:, k] > 0
        found.append((lost[labelled] / counts[labelled, k]).mean() if labelled.any() else 0.0)
    return np.array(found)


def _weights(products: Array, counts: Array, worth: Array, reach: float) -> Array:
    """``[T, C]`` weights of the tasks.

    Args:
        products: ``[T, C, C]`` RᵀR.
        counts: ``[T]`` labels.
        worth: ``[T]`` of a label of the task.
        reach: τ.
    """
    known, contenders = counts > 0, products.shape[-1]
    equal = np.full(contenders, 1 / contenders)
    if reach == 0 or contenders == 1 or not known.any():
        return np.tile(equal, (len(products), 1))
    mean = products / np.maximum(counts, 1)[:, None, None]
    counts = counts * worth
    common = _nearest_best(mean[known].mean(axis=0), float(counts[known].sum()), reach, equal)
    return np.stack(
        [
            _nearest_best(own, float(n), reach, common) if n else common
            for own, n in zip(mean, counts, strict=True)
        ]
    )


def _nearest_best(loss: Array, labels: float, reach: float, centre: Array) -> Array:
    """``[C]`` the weights on the simplex with the least loss, drawn towards ``centre``."""
    equal = np.full(len(loss), 1 / len(loss))
    pull = max(float(equal @ loss @ equal), 1e-12) / (labels * reach**2)
    root = np.linalg.cholesky(loss + (pull + 1e-9 * np.trace(loss)) * np.eye(len(loss)))
    heavy = _TOGETHER * np.sqrt(np.trace(loss) + pull)
    rows = np.concatenate([root.T, np.full((1, len(loss)), heavy)])
    wanted = np.concatenate([np.linalg.solve(root, pull * centre), [heavy]])
    found = optimize.nnls(rows, wanted)[0]
    return np.asarray(found / found.sum())

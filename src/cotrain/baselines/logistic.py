"""Logistic regression, binary and multinomial, with a penalty chosen on inner folds of the training rows.

Letters: N rows, E columns, C classes seen in training, K columns of scores (1 for two classes, else C).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import logsumexp

from cotrain.arrays import Array

Rows = Array | csr_array

STRENGTHS = tuple(float(c) for c in np.logspace(-5, 2, 8))
"""From strong to weak: inverse penalties of standardised columns, beside the sum of log losses."""

INNER = 3  # folds
STEPS = 300  # of L-BFGS at most; the weakest penalties need not be followed to their end


def logistic(rows: Rows, labels: Array) -> tuple[Array, Array]:
    """Scores' weights ``[E, K]`` and intercepts ``[K]`` of the penalty with the least inner log loss.

    Penalties are tried from strong to weak until the loss rises. K is 1 for two classes: the log odds of
    the second.

    Args:
        rows: ``[N, E]`` in standard units.
        labels: ``[N]`` codes; at least two differ.
    """
    folds = inner_folds(labels)
    best, least = STRENGTHS[0], np.inf
    starts: list[Any] = [None] * INNER
    for strength in STRENGTHS:
        losses = []
        for f in range(INNER):
            train, held_out = folds != f, folds == f
            if held_out.any() and len(np.unique(labels[train])) > 1:
                model = starts[f] = _fit(rows[train], labels[train], strength, starts[f])
                losses += _losses(model, rows[held_out], labels[held_out])
        loss = float(np.mean(losses)) if losses else np.inf
        if loss >= least:
            break
        best, least = strength, loss
    model = _fit(rows, labels, best, None)
    return model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64)


def inner_folds(labels: Array) -> NDArray[np.intp]:
    """``[N]`` a fold of each row, drawn so that the classes are spread evenly.

    >>> labels = np.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
    >>> folds = inner_folds(labels)
    >>> [sorted(labels[folds == f].tolist()) for f in range(INNER)]
    [[0, 1, 1], [0, 1, 1], [0, 1, 1]]
    """
    order = np.random.default_rng(0).permutation(len(labels))
    folds = np.empty(len(labels), dtype=np.intp)
    folds[order[np.argsort(labels[order], kind="stable")]] = np.arange(len(labels)) % INNER
    return folds


def _fit(rows: Rows, labels: Array, strength: float, start: Any) -> Any:
    """The model; it starts from the one before, if there is one."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = start or LogisticRegression(warm_start=True, max_iter=STEPS)
    model.set_params(C=strength)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(rows, labels)


def _losses(model: Any, rows: Rows, labels: Array) -> list[float]:
    """Log losses of the rows whose class the model knows."""
    scores = model.decision_function(rows)
    scores = np.stack([0 * scores, scores], axis=1) if scores.ndim == 1 else scores
    known = np.isin(labels, model.classes_)
    place = np.searchsorted(model.classes_, labels[known])
    logs = scores[known] - logsumexp(scores[known], axis=1, keepdims=True)
    return list(-logs[np.arange(len(place)), place])

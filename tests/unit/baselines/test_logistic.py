"""Logistic regression: the optimum, the choice of its penalty, rare classes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit, softmax

from cotrain.baselines import logistic as module
from cotrain.baselines.logistic import STRENGTHS, inner_folds, logistic


def sample(classes: int, rows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(rows, 4))
    latent = x[:, :classes] + 0.7 * rng.normal(size=(rows, classes))
    return x, latent.argmax(axis=1).astype(float)


def one_strength(strength: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRENGTHS", (strength,))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_gradient_vanishes(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one_strength(0.1, monkeypatch)
    x, y = sample(classes)
    weights, intercept = logistic(x, y)
    scores = x @ weights + intercept
    if classes == 2:
        error = expit(scores) - y[:, None]
    else:
        error = softmax(scores, axis=1) - np.eye(3)[y.astype(int)]
    assert weights.shape == (4, 1 if classes == 2 else 3)
    np.testing.assert_allclose(x.T @ error + weights / 0.1, 0.0, atol=0.02)
    np.testing.assert_allclose(error.sum(axis=0), 0.0, atol=0.02)


def test_sparse_rows_give_the_same() -> None:
    x, y = sample(2)
    x = np.where(x > 1, x, 0.0)
    for dense, sparse in zip(logistic(x, y), logistic(csr_array(x), y), strict=True):
        np.testing.assert_allclose(dense, sparse, atol=1e-3)


def test_noise_is_penalised_more_than_signal() -> None:
    x, y = sample(2)
    signal, _ = logistic(x, y)
    noise, _ = logistic(x, np.random.default_rng(0).permutation(y))
    assert np.abs(noise).max() < 0.2 < np.abs(signal).max()


def test_inner_folds_hold_each_class_evenly() -> None:
    labels = np.array([0.0] * 30 + [1.0] * 6 + [2.0])
    folds = inner_folds(labels)
    assert [np.bincount(folds[labels == c], minlength=3).tolist() for c in (0, 1)] == [
        [10, 10, 10],
        [2, 2, 2],
    ]


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_of_one_row(classes: int) -> None:
    x, y = sample(2, rows=40)
    y = np.where(np.arange(40) == 7, classes - 1.0, 0.0 if classes == 2 else y)
    weights, intercept = logistic(x, y)
    assert np.isfinite(weights).all()
    assert np.isfinite(intercept).all()
    rare = expit(x @ weights + intercept) if classes == 2 else softmax(x @ weights + intercept, 1)
    assert 0.0 < rare[:, -1].mean() < 0.1


def test_one_row_of_either_class_takes_the_strongest_penalty() -> None:
    weights, _ = logistic(np.array([[1.0], [-1.0]]), np.array([0.0, 1.0]))
    assert abs(weights[0, 0]) == pytest.approx(STRENGTHS[0], rel=0.01)  # gradient: 2 · 1/2

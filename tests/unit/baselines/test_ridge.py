"""Ridge regression against scikit-learn, against leaving rows out, and against the closed form."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from cotrain.baselines.ridge import PENALTIES, Decomposition, ridge


def sample(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, columns)) + 2.0
    return x, x[:, 0] - x[:, 1] + rng.normal(size=rows) + 5.0


@pytest.mark.parametrize(("rows", "columns"), [(40, 6), (20, 50)])
def test_as_scikit_learn(rows: int, columns: int) -> None:
    x, y = sample(rows, columns)
    weights, intercept, penalty = ridge(Decomposition.of(x), y)
    expected = RidgeCV(PENALTIES).fit(x, y)
    assert penalty == pytest.approx(expected.alpha_)
    np.testing.assert_allclose(weights, expected.coef_, atol=1e-9)
    assert intercept == pytest.approx(expected.intercept_)


def test_the_closed_form() -> None:
    x, y = sample(30, 3)
    weights, intercept, _ = ridge(Decomposition.of(x), y, np.array([2.5]))
    centred = x - x.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + 2.5 * np.eye(3), centred.T @ (y - y.mean()))
    np.testing.assert_allclose(weights, expected, rtol=1e-10)
    assert intercept == pytest.approx(y.mean() - x.mean(axis=0) @ expected)


@pytest.mark.parametrize("columns", [4, 30])
def test_the_penalty_is_that_of_the_least_error_of_rows_left_out(columns: int) -> None:
    x, y = sample(15, columns)
    tried = np.array([0.1, 1.0, 10.0, 100.0])
    errors = []
    for penalty in tried:
        left_out = [
            y[i] - Ridge(penalty).fit(np.delete(x, i, 0), np.delete(y, i)).predict(x[i : i + 1])[0]
            for i in range(15)
        ]
        errors.append(np.mean(np.square(left_out)))
    assert ridge(Decomposition.of(x), y, tried)[2] == tried[np.argmin(errors)]


def test_columns_that_repeat_or_do_not_vary() -> None:
    x, y = sample(25, 3)
    twice = np.hstack([x, x, np.ones((25, 1))])
    weights, _, _ = ridge(Decomposition.of(twice), y, np.array([2.0]))
    once, _, _ = ridge(Decomposition.of(x), y, np.array([1.0]))  # each copy carries half
    np.testing.assert_allclose(weights, np.concatenate([once / 2, once / 2, [0.0]]), atol=1e-12)

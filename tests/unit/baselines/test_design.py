"""What linear models read: medians, flags, one-hot categories, standard units."""

from __future__ import annotations

import numpy as np

from cotrain.baselines.design import Encoding, Scaled

NAN = np.nan


def test_new_rows_by_hand() -> None:
    train = np.array([[1.0, 0.0, 5.0], [NAN, 2.0, 6.0], [4.0, NAN, 7.0], [9.0, 2.0, 8.0]])
    encoding = Encoding.fit(train, np.array([False, True, False]))
    new = np.array([[NAN, 7.0, NAN], [2.0, NAN, 1.0]])
    # two numbers, a flag each of the columns with gaps in training, one-hot of codes 0 and 2
    assert encoding.apply(new).tolist() == [
        [4.0, 6.5, 1.0, 0.0, 0.0, 0.0],
        [2.0, 1.0, 0.0, 1.0, 0.0, 0.0],
    ]
    assert encoding.apply(train)[:, -2:].tolist() == [[1, 0], [0, 1], [0, 0], [0, 1]]


def test_a_column_without_any_value() -> None:
    encoding = Encoding.fit(np.array([[NAN, 1.0], [NAN, 2.0]]), np.array([False, False]))
    assert encoding.apply(np.array([[NAN, 1.0], [3.0, 1.0]])).tolist() == [[0, 1, 1], [3, 1, 0]]


def test_scaling_and_back() -> None:
    rng = np.random.default_rng(0)
    bits = np.arange(50) % 10 == 0
    x = np.column_stack([rng.normal(3, 7, 50), np.full(50, 2.0), bits, rng.normal(size=50) * 1e200])
    scaled = Scaled.of(x)
    np.testing.assert_allclose(scaled.rows.std(axis=0), [1.0, 0.0, 0.6, 1.0])  # bits: .3 / .5
    np.testing.assert_allclose(scaled.rows.mean(axis=0), 0.0, atol=1e-12)
    weights, intercept = rng.normal(size=(4, 2)), np.array([1.0, -2.0])
    own, level = scaled.unscaled(weights, intercept)
    np.testing.assert_allclose(x @ own + level, scaled.rows @ weights + intercept, atol=1e-9)
    assert own[1].tolist() == [0.0, 0.0]

"""Means, intervals, correlations and slopes, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from cotrain.stats import correlation, finite_mean, rank_correlation, slope, student_interval

NAN, INF = np.nan, np.inf


def test_the_mean_of_the_finite_over_several_axes() -> None:
    values = np.array([[[1.0, NAN], [3.0, INF]], [[NAN, NAN], [NAN, -INF]]])
    assert finite_mean(values, axis=(1, 2)).tolist()[0] == 2
    assert np.isnan(finite_mean(values, axis=(1, 2))[1])
    np.testing.assert_array_equal(finite_mean(values, axis=-1), [[1, 3], [NAN, NAN]])
    assert float(finite_mean(np.array([2.0, 4.0]))) == 3
    assert np.isnan(finite_mean(np.array([])))


def test_students_interval_of_two_is_wide() -> None:
    found = student_interval(np.array([0.0, INF, 2.0]))
    assert found.value == 1
    assert found.high == pytest.approx(1 + 12.7062047)  # the quantile of one degree of freedom
    assert found.low == pytest.approx(1 - 12.7062047)


def test_correlations_need_cells_that_vary() -> None:
    a, b = np.array([1.0, 2.0, 4.0, NAN]), np.array([2.0, 4.0, 3.0, 1.0])
    assert correlation(a, b) == pytest.approx(np.corrcoef(a[:3], b[:3])[0, 1])
    assert rank_correlation(a, b) == pytest.approx(0.5)
    assert np.isnan(correlation(a, b, fewest=4))
    assert np.isnan(correlation(a, np.ones(4)))
    assert np.isnan(rank_correlation(a[:1], b[:1]))


def test_a_slope_needs_two_places() -> None:
    assert slope(np.array([0.0, 2.0, 3.0]), np.array([1.0, 5.0, NAN])) == 2
    assert np.isnan(slope(np.array([1.0, 1.0]), np.array([1.0, 5.0])))
    assert np.isnan(slope(np.array([1.0, 2.0]), np.array([1.0, NAN])))

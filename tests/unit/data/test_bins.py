"""Piecewise-linear bins, by hand and by law."""

from __future__ import annotations

import numpy as np

from cotrain.data.features.bins import NearRange, PiecewiseLinearBins, bin_count


def test_by_hand() -> None:
    """Twelve numbers 0 to 11, often: 11 bins of width 1. 2.25 has come through two and a quarter."""
    column = np.tile(np.arange(12.0), 100)[:, None]
    bins = PiecewiseLinearBins().fit(column)
    assert (bins.low_, bins.high_) == (list(range(11)), list(range(1, 12)))
    found = bins.transform(np.array([[2.25]]))[0] + bins.centre_
    assert found.tolist() == [1, 1, 0.25, *[0] * 8]
    centre = [(11 - at) / 12 for at in range(11)]  # share of the numbers beyond each bin
    np.testing.assert_allclose(bins.centre_, centre)


def test_the_sum_is_the_number_where_bins_are_as_wide() -> None:
    column = np.random.default_rng(0).normal(size=(900, 1))
    bins = PiecewiseLinearBins().fit(column)
    assert len(bins.low_) == 24
    widths = np.asarray(bins.high_) - bins.low_
    passed = bins.transform(column) + bins.centre_
    np.testing.assert_allclose(passed @ widths, column[:, 0] - column.min(), atol=1e-12)


def test_outside_the_range_and_monotone() -> None:
    column = np.random.default_rng(0).normal(size=(200, 1))
    bins = PiecewiseLinearBins().fit(column)
    ends = bins.transform(np.array([[-1e300], [1e300]])) + bins.centre_
    assert np.unique(ends[0]).tolist() == [0]
    assert np.unique(ends[1]).tolist() == [1]
    steps = np.diff(bins.transform(np.sort(column, axis=0)), axis=0)
    assert steps.min() >= 0


def test_flags_and_constants_have_none_and_wide_tables_fewer() -> None:
    rng = np.random.default_rng(0)
    flags = np.stack([rng.integers(0, 2, 50), np.ones(50)], axis=1).astype(float)
    assert PiecewiseLinearBins().fit_transform(flags).shape == (50, 0)
    wide = rng.normal(size=(300, 60))
    assert PiecewiseLinearBins().fit_transform(wide).shape == (300, 60 * 8)
    assert PiecewiseLinearBins().fit_transform(rng.normal(size=(300, 129))).shape == (300, 0)
    assert [bin_count(columns, 768) for columns in (0, 21, 22, 128, 129)] == [24, 24, 23, 4, 0]


def test_few_rows_have_few_bins() -> None:
    found = [bin_count(1, rows) for rows in (0, 63, 64, 95, 96, 767, 768, 10**6)]
    assert found == [0, 0, 2, 2, 3, 23, 24, 24]


def test_tied_quantiles_make_no_empty_bin() -> None:
    column = np.repeat([0.0, 1.0, 5.0], [800, 150, 50])[:, None]
    bins = PiecewiseLinearBins().fit(column)
    assert (bins.low_, bins.high_) == ([0.0, 1.0], [1.0, 5.0])


def test_near_range_moves_only_what_is_far_outside() -> None:
    column = np.array([[-1.0], [0.0], [3.0]])
    held = NearRange().fit(column)
    assert held.transform(column).tolist() == column.tolist()
    assert held.transform(np.array([[-9.0], [-5.0], [7.0], [1e12]])).ravel().tolist() == [
        -5,
        -5,
        7,
        7,
    ]

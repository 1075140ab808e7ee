"""Piecewise-linear bins: a number as how far it has come through each of its quantile bins.

Y. Gorishniy, I. Rubachev, A. Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning",
NeurIPS 2022, equation 1, with quantile bins. Departures: the first and the last bin are closed, and every
output is centred. Letters: N rows, F columns, E bins of all columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

MOST_BINS = 24  # of a column
MOST_OUTPUTS = 512  # of all columns; wider tables have fewer bins
FEWEST_BINS = 4  # of wide tables: fewer are not worth their outputs
ROWS_A_BIN = 32  # at least: with fewer, networks learn by heart what is in a bin


def bin_count(columns: int, rows: int) -> int:
    """Bins of each of so many columns; 0 where there are too many columns, or too few rows, for any.

    >>> [bin_count(columns, rows=1000) for columns in (1, 64, 200, 1000)]
    [24, 8, 0, 0]
    >>> [bin_count(1, rows) for rows in (40, 100, 500)]
    [0, 3, 15]
    """
    room = min(MOST_BINS, MOST_OUTPUTS // max(1, columns))
    bins = min(room, rows // ROWS_A_BIN) if room >= FEWEST_BINS else 0
    return bins if bins > 1 else 0


class PiecewiseLinearBins(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers ``[N, F]`` without gaps → ``[N, E]`` numbers between −1 and 1.

    Columns of two values or fewer have no bins.

    >>> column = np.arange(300.0)[:, None]
    >>> found = PiecewiseLinearBins().fit_transform(column)
    >>> found.shape, np.abs(found.mean(axis=0)).max() < 1e-12
    ((300, 9), np.True_)
    """

    def fit(self, values: NDArray[np.float64], y: Any = None) -> PiecewiseLinearBins:
        """Find the edges of the bins, which are quantiles of the values."""
        values = np.asarray(values, dtype=np.float64)
        wide = [at for at, column in enumerate(values.T) if len(np.unique(column)) > 2]
        shares = np.linspace(0, 1, bin_count(len(wide), len(values)) + 1)
        self.columns_, self.low_, self.high_ = [], [], []
        for at in wide if len(shares) > 1 else []:
            own = np.unique(np.quantile(values[:, at], shares, method="inverted_cdf"))
            self.columns_ += [at] * (len(own) - 1)
            self.low_ += own[:-1].tolist()
            self.high_ += own[1:].tolist()
        self.n_features_in_ = values.shape[1]
        self.centre_ = self._passed(values).mean(axis=0).tolist()
        return self

    def transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far each number has come through each of its bins, centred."""
        return np.asarray(self._passed(np.asarray(values, dtype=np.float64)) - self.centre_)

    def get_feature_names_out(self, names: Any = None) -> NDArray[np.object_]:
        """One name a bin."""
        return np.array([f"bin{at}" for at in range(len(self.columns_))], dtype=object)

    def _passed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        low, high = np.asarray(self.low_), np.asarray(self.high_)
        picked = values[:, np.asarray(self.columns_, dtype=np.intp)]
        return np.asarray(np.clip((picked - low) / (high - low), 0.0, 1.0))


class NearRange(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers ``[N, F]`` held within their range in training and as much again on either side.

    Heavy tails keep their length, and a cell that is a million times too large does no harm.

    >>> NearRange().fit(np.array([[0.0], [10.0]])).transform(np.array([[5.0], [1e9]])).tolist()
    [[5.0], [20.0]]
    """

    def fit(self, values: NDArray[np.float64], y: Any = None) -> NearRange:
        """Find the range of every column."""
        low, high = np.min(values, axis=0), np.max(values, axis=0)
        self.low_, self.high_ = (2 * low - high).tolist(), (2 * high - low).tolist()
        self.n_features_in_ = len(low)
        return self

    def transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The numbers, those far outside moved to the nearest end."""
        return np.asarray(np.clip(values, self.low_, self.high_))

    def get_feature_names_out(self, names: Any = None) -> NDArray[np.object_]:
        """One name a column."""
        return np.array([f"number{at}" for at in range(self.n_features_in_)], dtype=object)

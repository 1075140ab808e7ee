"""The scikit-learn parts that turn expanded columns into what networks and trees read."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from cotrain.data.features.bins import NearRange, PiecewiseLinearBins

TRUSTED = (
    "numpy.dtype",
    "cotrain.data.features.bins.PiecewiseLinearBins",
    "cotrain.data.features.bins.NearRange",
)
"""Types outside skops' own list that a saved preparation holds; nothing else is ever loaded."""


def network_encoder(columns: Sequence[str]) -> ColumnTransformer:
    """Numbers standardised, categories one-hot, bits as they are.

    A category that training saw fewer than 5 times, or beyond the 50 most frequent, or never, is
    "infrequent"; a missing category is a category.
    """
    one_hot = OneHotEncoder(
        min_frequency=5,
        max_categories=50,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )
    return ColumnTransformer(
        [
            ("numbers", number_scaler(), _with_prefix(columns, "number")),
            ("categories", one_hot, _with_prefix(columns, "category")),
            ("bits", "passthrough", _with_prefix(columns, "bit")),
        ],
        sparse_threshold=0,
    )


def number_scaler() -> Pipeline:
    """Median for missing cells and a flag that says so; standard scale, and piecewise-linear bins."""
    return make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        FeatureUnion(
            [
                ("scaled", make_pipeline(StandardScaler(), NearRange())),
                ("bins", PiecewiseLinearBins()),
            ]
        ),
    )


def tree_encoder(columns: Sequence[str]) -> ColumnTransformer:
    """Numbers and bits as they are, categories as codes 0 to 254; NaN for an unknown category."""
    ordinal = OrdinalEncoder(
        max_categories=255, handle_unknown="use_encoded_value", unknown_value=np.nan
    )
    return ColumnTransformer(
        [
            ("numbers", "passthrough", _with_prefix(columns, "number")),
            ("categories", ordinal, _with_prefix(columns, "category")),
            ("bits", "passthrough", _with_prefix(columns, "bit")),
        ],
        verbose_feature_names_out=False,
    )


def _with_prefix(columns: Sequence[str], prefix: str) -> list[str]:
    return [name for name in columns if name.startswith(prefix)]


def varies(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which columns are not the same in every row; NaN is a value like any other.

    >>> varies(np.array([[1, 1, np.nan], [1, np.nan, np.nan]])).tolist()
    [False, True, False]
    """
    first = matrix[0]
    same = (matrix == first) | (np.isnan(matrix) & np.isnan(first))
    differs: NDArray[np.bool_] = ~same.all(axis=0)
    return differs

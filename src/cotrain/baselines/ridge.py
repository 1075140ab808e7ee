"""Ridge regression of many targets on the same rows, each with its own penalty.

The decomposition of the rows is made once; a penalty is judged by the exact leave-one-out error.
Letters: N rows, E columns, R rank, A penalties.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cotrain.arrays import Array

PENALTIES = np.logspace(-2, 6, 17)
"""Of standardised columns, beside the sum of squared residuals."""


@dataclass(frozen=True, kw_only=True)
class Decomposition:
    """Thin singular value decomposition of centred rows: ``rows - center = left · diag(values) · rightᵀ``.

    Args:
        left: ``[N, R]``.
        values: ``[R]`` singular values above 0.
        right: ``[E, R]``.
        center: ``[E]`` mean row.
    """

    left: Array
    values: Array
    right: Array
    center: Array

    @classmethod
    def of(cls, rows: Array) -> Decomposition:
        """Of ``[N, E]`` rows, by the eigenvectors of the smaller Gram matrix."""
        center = rows.mean(axis=0)
        centred = rows - center
        wide = rows.shape[1] > rows.shape[0]
        squares, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
        kept = squares > max(squares.max(initial=0.0), 1e-300) * 1e-12
        values, vectors = np.sqrt(squares[kept]), vectors[:, kept]
        if wide:
            return cls(
                left=vectors, values=values, right=centred.T @ vectors / values, center=center
            )
        return cls(left=centred @ vectors / values, values=values, right=vectors, center=center)

    @property
    def coordinates(self) -> Array:
        """``[N, R]`` the centred rows, turned: all that a penalty on squared weights can see of them."""
        return self.left * self.values


def ridge(
    rows: Decomposition, labels: Array, penalties: Array = PENALTIES
) -> tuple[Array, float, float]:
    """Weights ``[E]``, intercept, and the penalty whose leave-one-out error is least.

    With H the matrix that takes labels to fitted values, the error of row i, left out, is its residual
    divided by ``1 - H_ii`` (Allen, 1974, *The relationship between variable selection and data
    augmentation and a method for prediction*). The intercept is not penalised.

    Args:
        rows: The labelled rows, decomposed.
        labels: ``[N]``.
        penalties: ``[A]`` to choose from.
    """
    mean = float(labels.mean())
    residual, aim = labels - mean, rows.left.T @ (labels - mean)
    shares = rows.values[:, None] ** 2 / (rows.values[:, None] ** 2 + penalties)  # [R, A]
    left_over = residual[:, None] - rows.left @ (shares * aim[:, None])
    freedom = 1 - 1 / len(labels) - rows.left**2 @ shares
    errors = ((left_over / np.maximum(freedom, 1e-9)) ** 2).mean(axis=0)
    best = int(np.argmin(errors))
    weights = rows.right @ (shares[:, best] * aim / rows.values)
    return weights, mean - float(rows.center @ weights), float(penalties[best])

"""The bandit of PB2: a Gaussian process over settings whose memory fades with time.

k((x, t), (x', t')) = exp(−‖x − x'‖² / 2ℓ²) · (1 − ε)^{|t − t'| / 2} (Bogunovic et al. 2016, arXiv
1601.06650), ℓ and ε by the highest likelihood on a small grid; regression by scikit-learn.
Letters: n seen settings, M candidates, D coordinates.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from cotrain.arrays import Array

LENGTHSCALES = (0.3, 1.0, 3.0)  # ℓ in units of the root mean squared distance
FADINGS = (0.02, 0.1, 0.3)  # ε an interval
NOISE = 0.1  # variance of the noise, the growth having variance 1
CONFIDENCE = 1.0  # standard deviations added to the mean


class Fading(Kernel):  # type: ignore[misc]
    """The kernel of settings and time; the last coordinate is the time.

    Args:
        lengthscale: ℓ, of the settings.
        fading: ε, the share of memory lost in an interval.
    """

    def __init__(self, lengthscale: float = 1.0, fading: float = 0.1) -> None:
        self.lengthscale = lengthscale
        self.fading = fading

    def __call__(
        self,
        X: Array,
        Y: Array | None = None,
        eval_gradient: bool = False,
    ) -> Array:
        """``[A, B]`` covariances of A points with B others."""
        other = X if Y is None else Y
        squares = ((X[:, None, :-1] - other[None, :, :-1]) ** 2).sum(axis=2)
        late = np.abs(X[:, None, -1] - other[None, :, -1])
        result: Array = np.exp(-squares / (2 * self.lengthscale**2)) * (1 - self.fading) ** (
            late / 2
        )
        return result

    def diag(self, X: Array) -> Array:
        """``[A]`` variances, all one."""
        return np.ones(len(X))

    def is_stationary(self) -> bool:
        """Whether it depends on differences only: it does."""
        return True


def best_candidates(
    seen: Array, when: Array, growth: Array, candidates: Array, *, now: float, count: int
) -> list[int]:
    """Rows of the candidates with the highest upper confidence bounds, each given those before it.

    Args:
        seen: ``[n, D]`` settings that were trained with; with fewer than two all are as good.
        when: ``[n]`` their interval.
        growth: ``[n]`` how much the score grew.
        candidates: ``[M, D]``.
        now: The interval that is coming.
        count: How many.

    >>> seen, growth = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0.0, 1.0, 2.0, 3.0])
    >>> best_candidates(seen, np.ones(4), growth, np.array([[0.2], [2.9]]), now=2, count=1)
    [1]
    """
    if len(growth) < 2 or growth.std() == 0:
        return list(range(count))
    scale = np.sqrt(((seen[:, None] - seen[None]) ** 2).sum(axis=2).mean()) or 1.0
    values = (growth - growth.mean()) / growth.std()
    at = np.column_stack([seen / scale, when])
    asked = np.column_stack([candidates / scale, np.full(len(candidates), now)])
    fitted = max(
        (_fit(at, values, *hyper) for hyper in product(LENGTHSCALES, FADINGS)),
        key=lambda model: float(model.log_marginal_likelihood_value_),
    )
    rows: list[int] = []
    for _ in range(count):
        mean, deviation = fitted.predict(asked, return_std=True)
        bound = mean + CONFIDENCE * deviation
        bound[rows] = -np.inf
        rows.append(int(bound.argmax()))
        at, values = np.vstack([at, asked[rows[-1:]]]), np.append(values, mean[rows[-1]])
        fitted = _fit(at, values, fitted.kernel.lengthscale, fitted.kernel.fading)
    return rows


def _fit(at: Array, values: Array, lengthscale: float, fading: float) -> GaussianProcessRegressor:
    kernel = Fading(lengthscale=lengthscale, fading=fading)
    return GaussianProcessRegressor(kernel=kernel, alpha=NOISE, optimizer=None).fit(at, values)

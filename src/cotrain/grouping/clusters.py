"""Soft groups from distances between tasks: clusters of data maps (STG-MTL, arXiv 2307.03374).

The paper clusters the flattened maps with k-means and then spreads each task over all clusters, once, by

    w_tc = d_tc^(−2/(m−1)) / Σ_j d_tj^(−2/(m−1)),   d_tc the distance of task t to centre c,   m = 1.07,

because in thousands of dimensions all distances are alike and m must be near 1. We cluster places that
have the given distances (classical scaling, Torgerson 1952), which is the same where every label is known
and works with partial labels, too. Memberships below half a percent are set to 0, so a task that belongs to
one cluster trains and predicts in no other.

The number of clusters is the user's in the paper. Unless given, it is the one with the largest mean
silhouette (Rousseeuw 1987) of hard k-means; one cluster if none is above ¼, the rule of thumb of Kaufman
and Rousseeuw (1990) for clusters that mean something.

Maps tell how difficult a task is, not whom it helps: a task and its negation have the same map.
Letters: T tasks, C clusters, D dimensions, n points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from cotrain.errors import InputError
from cotrain.grouping.membership import Membership
from cotrain.grouping.objective import Matrix, own_order, profiles
from cotrain.measure.gains.sets import Numbers

FUZZINESS = 1.07
_STARTS = 20
_STRUCTURE = 0.25  # least silhouette of clusters that mean something
_FAINT = 5e-3  # memberships below are none
_ROUNDS, _STILL = 300, 1e-6  # of fuzzy c-means
_MOST_POINTS = 100_000  # that k-means on points sees


@dataclass(frozen=True, kw_only=True)
class Hard:
    """k-means: every task in one cluster."""

    def spread(self, places: Matrix, centres: Matrix) -> Matrix:
        """``[T, C]`` memberships from ``[T, D]`` places and ``[C, D]`` centres of k-means."""
        return np.asarray(np.eye(len(centres))[_distances(places, centres).argmin(axis=1)])


@dataclass(frozen=True, kw_only=True)
class FuzzyPass:
    """k-means, then one pass of fuzzy memberships: what the paper does.

    Args:
        fuzziness: m > 1; at 1 memberships are hard, and the larger the more alike.
    """

    fuzziness: float = FUZZINESS

    def spread(self, places: Matrix, centres: Matrix) -> Matrix:
        """``[T, C]`` fuzzy memberships at the centres of k-means, ``[T, D]`` places, ``[C, D]`` centres."""
        return fuzzy_memberships(_distances(places, centres), self.fuzziness)


@dataclass(frozen=True, kw_only=True)
class FuzzyCMeans:
    """Fuzzy c-means to convergence (Bezdek 1981), from the centres of k-means.

    Args:
        fuzziness: m > 1.
    """

    fuzziness: float = FUZZINESS

    def spread(self, places: Matrix, centres: Matrix) -> Matrix:
        """``[T, C]`` memberships once they are still; centres ``[C, D]`` move with them."""
        found = fuzzy_memberships(_distances(places, centres), self.fuzziness)
        for _ in range(_ROUNDS):
            weights = found**self.fuzziness
            centres = (weights.T @ places) / weights.sum(axis=0)[:, None]
            before, found = found, fuzzy_memberships(_distances(places, centres), self.fuzziness)
            if np.abs(found - before).max() < _STILL:
                break
        return found


Method = Hard | FuzzyPass | FuzzyCMeans
PUBLISHED = FuzzyPass()


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Tasks spread over clusters.

    Args:
        memberships: ``[T, C]``; rows sum to 1, no column is empty.
        silhouette: Number of clusters → mean silhouette of hard k-means, from −1 to 1; empty if the
            number was given.
    """

    memberships: Matrix
    silhouette: dict[int, float]

    @property
    def labels(self) -> Numbers:
        """``[T]`` each task's main cluster."""
        return np.asarray(self.memberships.argmax(axis=1))

    def membership(self) -> Membership:
        """A specialised model for every cluster; predictions are shared as the tasks are."""
        rows = self.memberships.tolist()
        return Membership(
            weights=tuple(zip(*rows, strict=True)), shares=tuple(tuple(row) for row in rows)
        )


def cluster_tasks(
    distances: Matrix,
    *,
    clusters: int | None = None,
    most: int | None = None,
    method: Method = PUBLISHED,
) -> Clusters:
    """Clusters of tasks that are near each other.

    Args:
        distances: ``[T, T]``, symmetric; NaN where not known, which counts as the mean of the known.
        clusters: C; the rule of the module's text chooses unless given.
        most: The rule chooses at most so many; T unless given.
        method: How tasks are spread over clusters.

    Raises:
        InputError: If no two tasks can be compared, or there are more clusters than distinct tasks.

    >>> line = np.array([0.0, 1.0, 1.2, 9.0])
    >>> found = cluster_tasks(np.abs(line[:, None] - line))
    >>> found.memberships.round(2).T
    array([[1., 1., 1., 0.],
           [0., 0., 0., 1.]])
    """
    square = distances.ndim == 2 and distances.shape[0] == distances.shape[1] and len(distances) > 0
    if not square or np.isinf(distances).any() or not _symmetric(distances):
        raise InputError(
            "distances must be a finite symmetric matrix [tasks, tasks]; NaN where not known"
        )
    order = own_order(profiles(np.nan_to_num(distances, nan=-1.0)))
    known = _filled(distances[np.ix_(order, order)])
    places = _places(known)
    distinct = len(np.unique(places.round(9), axis=0))
    if clusters is not None and not 1 <= clusters <= distinct:
        raise InputError(f"{clusters} clusters: there are {distinct} tasks with different maps")
    found = {}
    if clusters is None:
        limit = min(distinct, len(places) - 1, len(places) if most is None else most)
        found = {c: _silhouette(known, places, c) for c in range(2, limit + 1)}
        clear = max(found.values(), default=0.0) > _STRUCTURE
        clusters = max(found, key=lambda c: found[c]) if clear else 1
    spread = method.spread(places, _k_means(places, clusters).cluster_centers_)
    return Clusters(memberships=_kept(spread)[np.argsort(order)], silhouette=found)


def cluster_points(points: Sequence[Matrix], *, clusters: int) -> Clusters:
    """The paper's point-based variant: clusters of all tasks' points, a task by its points' shares.

    Args:
        points: T times ``[n, D]``: a task's examples on its map, without NaN.
        clusters: C.

    Raises:
        InputError: If a task has no point, or there are more clusters than distinct points.

    >>> easy, hard = np.full((4, 2), 0.9), np.full((4, 2), 0.1)
    >>> cluster_points([easy, np.concatenate([easy[:2], hard[:2]])], clusters=2).memberships.round(2)
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    for task, own in enumerate(points):
        if not len(own):
            raise InputError(f"task {task} has no example on its map")
    each = max(1, _MOST_POINTS // len(points))
    order = sorted(range(len(points)), key=lambda t: points[t].sum(axis=0).tolist())
    some = np.concatenate([points[t][:: -(-len(points[t]) // each)] for t in order])
    distinct = len(np.unique(some, axis=0))
    if not 1 <= clusters <= distinct:
        raise InputError(f"{clusters} clusters: there are {distinct} different points")
    fitted = _k_means(some, clusters)
    shares = [np.bincount(fitted.predict(own), minlength=clusters) / len(own) for own in points]
    return Clusters(memberships=_kept(np.array(shares)), silhouette={})


def fuzzy_memberships(distances: Matrix, fuzziness: float) -> Matrix:
    """``[T, C]`` w from ``[T, C]`` distances d; a task on a centre belongs to it alone.

    >>> fuzzy_memberships(np.array([[1.0, 2.0], [0.0, 5.0]]), 2.0)
    array([[0.8, 0.2],
           [1. , 0. ]])
    """
    if not fuzziness > 1:
        raise InputError(f"fuzziness must be above 1, found {fuzziness}")
    nearest = distances.min(axis=1, keepdims=True)
    ratio = np.divide(
        distances, nearest, out=np.where(distances > 0, np.inf, 1.0), where=nearest > 0
    )
    closeness = ratio ** (-2 / (fuzziness - 1))
    return np.asarray(closeness / closeness.sum(axis=1, keepdims=True))


def _symmetric(distances: Matrix) -> bool:
    return np.allclose(distances, distances.T, equal_nan=True)


def _filled(distances: Matrix) -> Matrix:
    """``[T, T]`` distances with the mean of the known ones for NaN, and 0 on the diagonal."""
    off = ~np.eye(len(distances), dtype=bool)
    known = off & np.isfinite(distances)
    if off.any() and not known.any():
        raise InputError("no two tasks share labelled examples: their data maps cannot be compared")
    mean = distances[known].mean() if known.any() else 0.0
    return np.where(off, np.where(known, distances, mean), 0.0)


def _places(distances: Matrix) -> Matrix:
    """``[T, D]`` with these distances, as far as a space has them (classical scaling)."""
    tasks = len(distances)
    centred = np.eye(tasks) - 1 / tasks
    values, vectors = np.linalg.eigh(-0.5 * centred @ distances**2 @ centred)
    real = values > 1e-12 * max(values.max(), 0.0)
    return (
        np.asarray(vectors[:, real] * np.sqrt(values[real])) if real.any() else np.zeros((tasks, 1))
    )


def _k_means(places: Matrix, clusters: int) -> KMeans:
    return KMeans(clusters, n_init=_STARTS, random_state=0).fit(places)


def _silhouette(distances: Matrix, places: Matrix, clusters: int) -> float:
    labels = _k_means(places, clusters).labels_
    return float(silhouette_score(distances, labels, metric="precomputed"))


def _distances(places: Matrix, centres: Matrix) -> Matrix:
    return np.asarray(np.linalg.norm(places[:, None] - centres, axis=2))


def _kept(spread: Matrix) -> Matrix:
    """Without faint memberships and empty clusters."""
    kept = np.where(spread < _FAINT, 0.0, spread)
    kept = kept / kept.sum(axis=1, keepdims=True)
    kept = kept[:, kept.any(axis=0)]
    return np.asarray(kept)

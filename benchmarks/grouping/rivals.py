"""Solvers that ours is compared with: greedy, beam, spectral and enumeration."""

from __future__ import annotations

import math
import warnings
from itertools import combinations

import numpy as np
from sklearn.cluster import SpectralClustering

from benchmarks.common.arrays import Array, Flags
from cotrain.grouping.objective import all_scores, set_scores

BEAM = 10


def mean_best(z: Array, groups: Flags) -> float:
    return float(set_scores(z, np.zeros(len(z)), groups).max(axis=0).mean())


def greedy(z: Array, k: int, width: int = 1) -> float:
    """Group after group; what no group covers joins the last one."""
    floor = np.full(len(z), float(z.min()))  # the worst that can happen, until served
    chosen = []
    for _ in range(k):
        group = grown(z, floor, width)
        chosen.append(group)
        floor = np.maximum(floor, set_scores(z, np.zeros(len(z)), group[None])[0])
    groups = np.array(chosen)
    groups[-1] |= ~groups.any(axis=0)
    return mean_best(z, groups)


def grown(z: Array, floor: Array, width: int) -> Flags:
    """The best of the groups met while the ``width`` best partial groups of every size grow by one task."""
    tasks, alone = len(z), np.zeros(len(z))
    beam, best, most = np.eye(tasks, dtype=bool), np.ones(tasks, dtype=bool), -np.inf
    stale = 0
    while len(beam) and stale < 10:
        totals = np.maximum(set_scores(z, alone, beam), floor).sum(axis=1)
        beam = beam[np.argsort(-totals, kind="stable")[:width]]
        stale += 1
        if totals.max() > most + 1e-12:
            most, best, stale = float(totals.max()), beam[0], 0
        grown_by_one = (beam[:, None] | np.eye(tasks, dtype=bool)).reshape(-1, tasks)
        grown_by_one = grown_by_one[grown_by_one.sum(axis=1) > beam[0].sum()]
        beam = np.unique(grown_by_one, axis=0)
    return best


def spectral(z: Array, k: int) -> float:
    mutual = (z + z.T) / 2
    similarity = mutual - mutual.min()
    found = []
    for seed in range(5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = SpectralClustering(k, affinity="precomputed", random_state=seed)
            label = model.fit_predict(similarity)
        groups = np.equal.outer(np.arange(k), label)
        found.append(mean_best(z, groups[groups.any(axis=1)]))
    return max(found)


def enumeration(z: Array, k: int) -> float:
    scores = all_scores(z, np.zeros(len(z)))
    best = -np.inf
    for rest in combinations(range(len(scores)), k - 1):
        served = np.maximum(scores[list(rest)].max(axis=0), scores[rest[-1] :])
        best = max(best, float(served.sum(axis=1).max()))
    return best / len(z)


def choices_of(tasks: int, k: int) -> float:
    """How many sets of k groups there are, at most 1e300."""
    return float(min(math.comb(2 ** min(tasks, 50) - 1, k), 10**300))

"""Data maps clustered by every method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array
from cotrain.grouping.clusters import (
    Clusters,
    FuzzyCMeans,
    FuzzyPass,
    Hard,
    Method,
    cluster_points,
    cluster_tasks,
)
from cotrain.measure.datamaps.datamap import ARRAYS, DataMap

METHODS: dict[str, Method] = {
    "fuzzy pass": FuzzyPass(),
    "fuzzy c-means": FuzzyCMeans(),
    "hard": Hard(),
}


def part_of(maps: DataMap, snapshots: slice) -> DataMap:
    arrays = {name: getattr(maps, name)[snapshots] for name in ARRAYS}
    return replace(maps, epochs=maps.epochs[snapshots], **arrays)


def points_of(maps: DataMap) -> list[Array]:
    """For each task ``[n, 2·S]``."""
    return [maps.points(task).astype(np.float64) for task in range(len(maps.tasks))]


def clusterings(maps: DataMap, clusters: int | None) -> dict[str, Clusters]:
    """By every method; points have no rule for the number of clusters and take that of the tasks."""
    distances = maps.distances()
    found = {
        name: cluster_tasks(distances, clusters=clusters, method=method)
        for name, method in METHODS.items()
    }
    count = clusters or found["hard"].memberships.shape[1]
    return {**found, "points": cluster_points(points_of(maps), clusters=count)}


def summary(found: Clusters) -> dict[str, Any]:
    return {
        "labels": found.labels.tolist(),
        "memberships": np.round(found.memberships, 4).tolist(),
        "silhouette": {str(c): round(value, 4) for c, value in found.silhouette.items()},
    }

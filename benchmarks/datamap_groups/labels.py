"""Clusters of the 100 classes by every instrument, beside what people call these classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from benchmarks.common.arrays import Array, Numbers
from benchmarks.datamap_groups.clusterings import clusterings, part_of, summary
from benchmarks.datamap_groups.images import (
    MACHINES,
    NOT_LIVING,
    PLANTS_AND_PEOPLE,
    components,
    images,
)
from benchmarks.datamap_groups.looks import Looks
from cotrain.grouping.clusters import Hard, cluster_tasks

SUPERCLASSES, CHANCE_DRAWS = 20, 200


def spectral(similarity: Array, clusters: int) -> Numbers:
    """``[T]`` labels by a similarity of any sign; the least becomes 0, the diagonal the largest."""
    off = ~np.eye(len(similarity), dtype=bool)
    similarity = (similarity + similarity.T) / 2  # of rounding errors
    shifted = np.where(off, similarity, similarity[off].max()) - similarity[off].min()
    model = SpectralClustering(clusters, affinity="precomputed", n_init=20, random_state=0)
    return np.asarray(model.fit_predict(shifted), dtype=np.int64)


def kernel(distances: Array) -> Array:
    off = ~np.eye(len(distances), dtype=bool)
    found: Array = np.exp(-((distances / np.median(distances[off])) ** 2))
    return found


def chord(cosine: Array) -> Array:
    """Distances between directions."""
    known = np.where(np.eye(len(cosine)) > 0, 1.0, cosine)
    return np.asarray(np.sqrt(np.maximum(0.0, 2 - 2 * known)))


def all_labels(looks: Looks, clusters: int) -> dict[str, Numbers]:
    """Everybody's ``[T]`` labels; the last four cross instrument and clustering."""
    found = {
        f"{which}, {name}": each.labels
        for which, maps in looks.maps.items()
        for name, each in clusterings(maps, clusters).items()
    }
    found |= {
        f"{which} of the last epoch, hard": cluster_tasks(
            part_of(maps, slice(-1, None)).distances(), clusters=clusters, method=Hard()
        ).labels
        for which, maps in looks.maps.items()
    }
    distances = {which: maps.distances() for which, maps in looks.maps.items()}
    return {
        **found,
        **{f"{name}, spectral": spectral(each, clusters) for name, each in looks.relations.items()},
        **{f"{name}, spectral": spectral(kernel(d), clusters) for name, d in distances.items()},
        **{
            f"{name}, hard": cluster_tasks(chord(each), clusters=clusters, method=Hard()).labels
            for name, each in looks.relations.items()
            if name.startswith("gradient")
        },
    }


def similarities(looks: Looks) -> dict[str, Array]:
    maps = {which: -each.distances() for which, each in looks.maps.items()}
    return {**maps, **looks.relations}


def judged(looks: Looks) -> dict[str, Any]:
    """Labels and how well they agree with what people call these classes."""
    known = images()
    living = ~known.of(NOT_LIVING)
    some = np.flatnonzero(~known.of([*set(NOT_LIVING) - set(MACHINES), *PLANTS_AND_PEOPLE]))
    twenty, two = all_labels(looks, SUPERCLASSES), all_labels(looks, 2)
    animals = all_labels(looks.select(some.tolist()), 2)
    machines = known.of(MACHINES)[some]
    off = np.tri(len(known.parent), k=-1, dtype=bool)
    same = np.equal.outer(known.parent, known.parent)[off]
    rules = {which: cluster_tasks(maps.distances()) for which, maps in looks.maps.items()}
    return {
        "labels": {name: labels.tolist() for name, labels in twenty.items()},
        "superclasses": {n: adjusted_rand_score(known.parent, own) for n, own in twenty.items()},
        "living": {name: adjusted_rand_score(living, own) for name, own in two.items()},
        "machines": {name: adjusted_rand_score(machines, own) for name, own in animals.items()},
        "used": {name: len(set(own.tolist())) for name, own in twenty.items()},
        "pairs": {
            name: roc_auc_score(same, matrix[off]) for name, matrix in similarities(looks).items()
        },
        "silhouette": {which: summary(rule)["silhouette"] for which, rule in rules.items()},
        "memberships": np.round(
            cluster_tasks(looks.maps["data map"].distances(), clusters=SUPERCLASSES).memberships, 3
        ).tolist(),
        "reliability": looks.reliability,
        "probes": looks.probes,
        "epochs": list(looks.maps["data map"].epochs),
    }


def chance() -> dict[str, list[float]]:
    """Adjusted Rand index of random labels: mean and 95 % of them."""
    known = images()
    draw = np.random.default_rng(0)
    machines = known.of(MACHINES)[~known.of([*set(NOT_LIVING) - set(MACHINES), *PLANTS_AND_PEOPLE])]
    truths = (
        ("superclasses", known.parent, SUPERCLASSES),
        ("living", ~known.of(NOT_LIVING), 2),
        ("machines", machines, 2),
    )
    found = {}
    for name, truth, clusters in truths:
        indices = [
            adjusted_rand_score(truth, draw.integers(0, clusters, len(truth)))
            for _ in range(CHANCE_DRAWS)
        ]
        found[name] = [float(np.mean(indices)), *np.percentile(indices, [2.5, 97.5]).tolist()]
    return found


def no_training() -> dict[str, float]:
    """The same from class means of the principal components: what needs no network at all."""
    train, _ = components()
    labels = images().labels[0]
    means = np.stack([train.numpy()[labels == each].mean(axis=0) for each in range(100)])
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    own = cluster_tasks(apart, clusters=SUPERCLASSES, method=Hard()).labels
    return {"superclasses": adjusted_rand_score(images().parent, own)}

"""The pages of the two networks on CIFAR-100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.arrays import Array, Numbers
from benchmarks.datamap_groups.classes import ENSEMBLE, MLP_EPOCHS
from benchmarks.datamap_groups.images import COMPONENTS, images
from benchmarks.datamap_groups.labels import CHANCE_DRAWS
from benchmarks.datamap_groups.page_tables import (
    agreement,
    named_clusters,
    silhouette_table,
    verdict_table,
)

SILHOUETTES = ("2", "3", "4", "5", "6", "8", "10", "15", "20", "30", "50", "80")  # shown


def cnn_page(part: Mapping[str, Any]) -> list[str]:
    luck = part["chance"]
    return [
        "A small CNN (three convolutions, 128 features), one joint run a seed (other initial parameters, "
        "order and validation images).",
        "",
        *_cluster_tables(part["seeds"]),
        "",
        f"Chance ({CHANCE_DRAWS} random labellings), 95 % of them: superclasses "
        f"{_span(luck['superclasses'])}; living {_span(luck['living'])}; machines "
        f"{_span(luck['machines'])}. k-means on the classes' mean principal components, no training at "
        f"all: superclasses {part['no training']['superclasses']:+.3f}.",
        "",
        *_recovery(part["seeds"]),
        "",
        *_silhouettes(part["seeds"]),
        "",
        *_by_name(part["seeds"][0], "data map, hard"),
        *_by_name(part["seeds"][0], "data map, fuzzy c-means"),
        *_by_name(part["seeds"][0], "balanced data map, hard"),
        *_by_name(part["seeds"][0], "lookahead (whole batches), spectral"),
        *_by_name(part["seeds"][0], "gradient cosine (whole batches), spectral"),
    ]


def _silhouettes(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["Mean silhouette by number of clusters, each seed:"]
    for which in seeds[0]["silhouette"]:
        found = [seed["silhouette"][which] for seed in seeds]
        largest = ", ".join(max(each, key=lambda c: each[c]) for each in found)
        below = "below a quarter, so the rule keeps one cluster"
        kept = (
            below if max(max(each.values()) for each in found) <= 0.25 else "which the rule takes"
        )
        lines += ["", f"{which} (largest at {largest}, {kept}):", ""]
        lines += silhouette_table(found, SILHOUETTES)
    return lines


def mlp_page(part: Mapping[str, Any]) -> list[str]:
    return [
        f"The built-in MLP on {COMPONENTS} whitened principal components of the pixels; "
        f"{len(part['seeds'])} seeds (other initial parameters, order and validation images).",
        "",
        *_cluster_tables(part["seeds"]),
        "",
        *_silhouettes(part["seeds"]),
        "",
        "### What 20 specialised models are worth",
        "",
        f"{MLP_EPOCHS} epochs for all networks alike; {part['executor']}. Each seed has its own joint run, "
        "clusters and networks. 5,000 test images, 50 positives for each of the 100 tasks, so F1 is small "
        "at this threshold. The networks that train alone are at their best after one to three epochs; "
        f"'{ENSEMBLE}' (other seeds, no clusters) says what asking many networks is worth.",
        "",
        *verdict_table(part["verdicts"]),
    ]


def _cluster_tables(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Adjusted Rand indices, a row for each method."""
    pairs = ", ".join(
        f"{name} {_numbers([seed['pairs'][name] for seed in seeds])}" for name in seeds[0]["pairs"]
    )
    lines = [
        "Adjusted Rand index, each seed: 20 clusters against the superclasses; 2 clusters of all classes "
        "against living or not; 2 clusters of animals and machines (electrical devices, vehicles) alone. "
        "Fuzzy pass and hard have the same centres, and so the same main clusters. Agreement: between the "
        "20 clusters of two seeds.",
        "",
        "| method | clusters used | superclasses | mean | living | machines | agreement |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in seeds[0]["superclasses"]:
        own = [seed["superclasses"][name] for seed in seeds]
        used = ", ".join(str(seed["used"][name]) for seed in seeds)
        labels = [np.array(seed["labels"][name]) for seed in seeds]
        others = [_numbers([seed[key][name] for seed in seeds]) for key in ("living", "machines")]
        lines.append(
            f"| {name} | {used} | {_numbers(own)} | {np.mean(own):+.3f} | {' | '.join(others)} | "
            f"{agreement(labels):.2f} |"
        )
    halves = "; ".join(_numbers(seed["reliability"]) for seed in seeds)
    largest = [np.array(seed["memberships"]).max(axis=1).mean() for seed in seeds]
    return [
        *lines,
        "",
        "Without clustering: how often two classes of one superclass are more alike than two of different "
        f"ones (AUC over pairs of classes, chance .5): {pairs}. Two halves of the lookahead's probes, "
        f"{' and '.join(map(str, seeds[0]['probes']))} of 32 images and of whole batches, agree at rank "
        f"correlation {halves}. A class's largest membership by the fuzzy pass is "
        f"{np.mean(largest):.2f} on average.",
    ]


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:+.3f}" for value in values)


def _span(found: Sequence[float]) -> str:
    return f"{found[1]:+.3f} to {found[2]:+.3f}"


RECOVERED = (
    "data map, hard",
    "data map, fuzzy c-means",
    "balanced data map, hard",
    "lookahead (whole batches), spectral",
    "gradient cosine (whole batches), spectral",
)


def _recovery(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """How well each superclass is found, the best ones first."""
    known = images()
    table = np.array(
        [
            np.mean([_jaccard(seed["labels"][name], known.parent) for seed in seeds], axis=0)
            for name in RECOVERED
        ]
    )
    lines = [
        "Best Jaccard index of each superclass with a cluster, mean over seeds (1: a cluster of these five "
        "classes and no other):",
        "",
        f"| superclass | {' | '.join(RECOVERED)} |",
        "|---" * (len(RECOVERED) + 1) + "|",
    ]
    for at in np.argsort(-table.max(axis=0), kind="stable"):
        cells = [f"{value:.2f}" for value in table[:, at]]
        lines.append(f"| {known.superclasses[at]} | {' | '.join(cells)} |")
    return lines


def _jaccard(labels: Sequence[int], parent: Numbers) -> Array:
    own = np.eye(max(labels) + 1)[list(labels)]  # [T, C]
    true = np.eye(int(parent.max()) + 1)[parent]
    both = true.T @ own
    found: Array = (both / (true.sum(axis=0)[:, None] + own.sum(axis=0) - both)).max(axis=1)
    return found


def _by_name(seed: Mapping[str, Any], method: str) -> list[str]:
    heading = f"The 20 clusters of seed 0, {method}:"
    return ["", heading, "", *named_clusters(seed["labels"][method], images().names)]

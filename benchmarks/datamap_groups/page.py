"""The page: introduction and the digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.common.markdown import table
from benchmarks.datamap_groups.digits import DIGITS_CLUSTERS
from benchmarks.datamap_groups.page_classes import cnn_page, mlp_page
from benchmarks.datamap_groups.page_tables import (
    agreement,
    named_clusters,
    silhouette_table,
    task_table,
    verdict_table,
)
from benchmarks.datamap_groups.trials import JOINT, SINGLE
from cotrain.data import DIGITS_TARGETS
from cotrain.engine.tuning import UNTUNED


def page(parts: Mapping[str, Any]) -> str:
    """Of the parts that there are."""
    lines = ["# Groups from data maps", "", *_introduction()]
    for name, title, write in PAGES:
        if name in parts:
            lines += ["", f"## {title}", "", *write(parts[name])]
    return "\n".join(lines) + "\n"


def _introduction() -> list[str]:
    setting = UNTUNED
    return [
        "`python -m benchmarks datamap_groups`. Every network at the same setting (learning rate "
        f"{setting.learning_rate:g}, dropout × {setting.dropout:g}), nothing tuned. A specialised model "
        "trains on all tasks, weighted by a column of the membership matrix; predictions are the logits "
        "mixed by a task's row. Positive is what lies above the training prevalence. The loss has no "
        "positive weight. [95 % intervals]: paired bootstrap over test rows and training seeds; with "
        "dozens of intervals, one in twenty excludes 0 by luck. In bold: excludes 0.",
    ]


def _digits_page(part: Mapping[str, Any]) -> list[str]:
    seeds = part["clusters"]
    silhouettes = [seed["snapshots"]["hard, rule"]["silhouette"] for seed in seeds]
    clusters = f"{DIGITS_CLUSTERS} clusters"
    shown = (SINGLE, JOINT, "fuzzy pass, rule", f"fuzzy pass, {clusters}", f"points, {clusters}")
    return [
        f"{len(seeds)} data seeds; maps after epochs {seeds[0]['epochs']} of one joint run, or after the "
        "last alone. Company: the largest membership of another task in the cluster of `random`. "
        "Largest: a task's largest membership, mean over tasks; 1 is a hard clustering. Stability: mean "
        "adjusted Rand index between the clusters of two data seeds.",
        "",
        *_digits_clusters(seeds),
        "",
        "Mean silhouette by number of clusters, all snapshots, each data seed:",
        "",
        *silhouette_table(silhouettes, [str(count) for count in range(2, 11)]),
        "",
        f"Clusters of data seed 0, all snapshots, {clusters}, hard:",
        "",
        *named_clusters(seeds[0]["snapshots"][f"hard, {clusters}"]["labels"], DIGITS_TARGETS),
        "",
        f"### What specialised models are worth, {part['test rows'][0]} test rows a data seed",
        "",
        f"{part['trainings']} training seeds for each of {len(seeds)} data seeds.",
        "",
        *verdict_table(part["verdicts"]),
        "",
        "Balanced accuracy of each task; differences to training alone:",
        "",
        *task_table(part["verdicts"], shown, DIGITS_TARGETS),
    ]


def _digits_clusters(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """A row a map and method: is the coin flip alone, and do seeds agree?"""
    coin, rows = DIGITS_TARGETS.index("random"), []
    for which in ("snapshots", "last epoch"):
        for name in seeds[0][which]:
            found = [seed[which][name] for seed in seeds]
            labels = [np.array(each["labels"]) for each in found]
            spread = [np.array(each["memberships"]) for each in found]
            alone = sum(int((own == own[coin]).sum() == 1) for own in labels)
            company = max(
                float(np.delete(each[:, own[coin]], coin).max())
                for each, own in zip(spread, labels, strict=True)
            )
            counts = ", ".join(str(each.shape[1]) for each in spread)
            largest = np.mean([each.max(axis=1) for each in spread])
            shown = (counts, f"{alone} of {len(seeds)}", f"{company:.2f}", f"{largest:.2f}")
            rows.append((which, name, *shown, f"{agreement(labels):.2f}"))
    head = ("map", "method, number", "clusters", "`random` alone", "company", "largest")
    return table((*head, "stability"), rows)


PAGES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], list[str]]], ...] = (
    ("digits", "Digits, 15 tasks", _digits_page),
    ("cifar-cnn", "CIFAR-100, 100 one-vs-rest tasks, CNN", cnn_page),
    ("cifar-mlp", "CIFAR-100, 100 one-vs-rest tasks, MLP on principal components", mlp_page),
)

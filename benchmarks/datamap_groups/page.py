"""The page: introduction and the digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

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
from cotrain.engine.tuning import SETTINGS


def page(parts: Mapping[str, Any]) -> str:
    lines = ["# Groups from data maps", "", *_introduction()]
    for name, title, write in PAGES:
        if name in parts:
            lines += ["", f"## {title}", "", *write(parts[name])]
    return "\n".join(lines) + "\n"


def _introduction() -> list[str]:
    setting = SETTINGS[0]
    return [
        "`python -m benchmarks datamap_groups`. Every network at the same setting (learning rate "
        f"{setting.learning_rate:g}, dropout × {setting.dropout:g}), nothing tuned. A specialised model "
        "trains on all tasks, weighted by a column of the membership matrix; predictions are the logits "
        "mixed by a task's row. Positive is what lies above the training prevalence. The loss has no "
        "positive weight. [95 % intervals]: paired bootstrap over test rows and training seeds; with "
        "dozens of intervals, one in twenty excludes 0 by luck. In bold: excludes 0.",
    ]


def _digits_page(part: Mapping[str, Any]) -> list[str]:
    coin, seeds = DIGITS_TARGETS.index("random"), part["clusters"]
    lines = [
        f"{len(seeds)} data seeds; maps after epochs {seeds[0]['epochs']} of one joint run, or after the "
        "last alone. Company: the largest membership of another task in the cluster of `random`. "
        "Largest: a task's largest membership, mean over tasks; 1 is a hard clustering. Stability: mean "
        "adjusted Rand index between the clusters of two data seeds.",
        "",
        "| map | method, number | clusters | `random` alone | company | largest | stability |",
        "|---|---|---|---|---|---|---|",
    ]
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
            lines.append(
                f"| {which} | {name} | {counts} | {alone} of {len(seeds)} | {company:.2f} | "
                f"{largest:.2f} | {agreement(labels):.2f} |"
            )
    silhouettes = [seed["snapshots"]["hard, rule"]["silhouette"] for seed in seeds]
    lines += ["", "Mean silhouette by number of clusters, all snapshots, each data seed:", ""]
    lines += silhouette_table(silhouettes, [str(c) for c in range(2, 11)])
    lines += ["", f"Clusters of data seed 0, all snapshots, {DIGITS_CLUSTERS} clusters, hard:", ""]
    lines += named_clusters(seeds[0]["snapshots"]["hard, 4 clusters"]["labels"], DIGITS_TARGETS)
    lines += [
        "",
        f"### What specialised models are worth, {part['test rows'][0]} test rows a data seed",
    ]
    lines += ["", f"{part['trainings']} training seeds for each of {len(seeds)} data seeds.", ""]
    lines += verdict_table(part["verdicts"])
    shown = (SINGLE, JOINT, "fuzzy pass, rule", "fuzzy pass, 4 clusters", "points, 4 clusters")
    lines += ["", "Balanced accuracy of each task; differences to training alone:", ""]
    return [*lines, *task_table(part["verdicts"], shown, DIGITS_TARGETS)]


PAGES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], list[str]]], ...] = (
    ("digits", "Digits, 15 tasks", _digits_page),
    ("cifar-cnn", "CIFAR-100, 100 one-vs-rest tasks, CNN", cnn_page),
    ("cifar-mlp", "CIFAR-100, 100 one-vs-rest tasks, MLP on principal components", mlp_page),
)

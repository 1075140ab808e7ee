"""Tables that the digits' and the pictures' pages share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks.common.arrays import Numbers
from benchmarks.common.markdown import bold_interval, table
from benchmarks.datamap_groups.trials import BASES, METRICS, SINGLE


def agreement(labels: Sequence[Numbers]) -> float:
    """Mean adjusted Rand index between two labellings; NaN of a single one."""
    if len(labels) < 2:
        return float("nan")
    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labels, 2)]))


def silhouette_table(
    silhouettes: Sequence[Mapping[str, float]], counts: Sequence[str]
) -> list[str]:
    """A row a seed, a column a number of clusters."""
    shown = [c for c in counts if c in silhouettes[0]]
    rows = [(at, *(f"{each[c]:+.2f}" for c in shown)) for at, each in enumerate(silhouettes)]
    return table(("seed", *shown), rows)


def named_clusters(labels: Sequence[int], names: Sequence[str]) -> list[str]:
    """A line a cluster, the largest first."""
    clusters = [
        [name for name, own in zip(names, labels, strict=True) if own == label]
        for label in sorted(set(labels))
    ]
    return [f"- {', '.join(names)}" for names in sorted(clusters, key=len, reverse=True)]


def verdict_table(found: Mapping[str, Any]) -> list[str]:
    """Scores of every contender, and differences to the baselines."""
    columns = [f"{metric} − {base}" for metric in METRICS for base in BASES]
    rows = []
    for contender, own in found.items():
        means = [f"{own[metric]['mean']:.4f}" for metric in METRICS]
        gains = [
            bold_interval(*own[metric][f"less {base}"]["mean"]) if base != contender else ""
            for metric in METRICS
            for base in BASES
        ]
        rows.append([contender, *means, *gains])
    return [*table(["contender", *METRICS, *columns], rows), "", _undecided(found)]


def _undecided(found: Mapping[str, Any]) -> str:
    """Which differences in balanced accuracy may be luck."""
    texts = []
    for base in BASES:
        gains = {
            name: own["balanced accuracy"][f"less {base}"]["mean"]
            for name, own in found.items()
            if name != base
        }
        names = [name for name, (_, low, high) in gains.items() if low <= 0 <= high]
        texts.append(f"from {base}: {'; '.join(names) or 'none'}")
    return f"Not distinguishable in balanced accuracy {' — '.join(texts)}."


def task_table(found: Mapping[str, Any], shown: Sequence[str], names: Sequence[str]) -> list[str]:
    """Each task alone, and what the other contenders add."""
    metric, rows = METRICS[0], []
    for task, name in enumerate(names):
        cells = [f"{found[SINGLE][metric]['tasks'][task]:.3f}"]
        for contender in shown[1:]:
            value, low, high = found[contender][metric][f"less {SINGLE}"]["tasks"][task]
            cells.append(f"{value:+.3f}" if low <= 0 <= high else f"**{value:+.3f}**")
        rows.append([name, *cells])
    return table(["task", *shown], rows)

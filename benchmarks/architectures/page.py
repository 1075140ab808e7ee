"""What the page of architectures says: a verdict from the numbers, then the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.architectures.contestants import AGAIN, JOINT, MEAN, NETWORKS, ONE, ONE_AGAINST_MEAN
from benchmarks.common.markdown import bold_interval, interval, table
from cotrain.results import Interval
from cotrain.stats import student_interval

Found = Mapping[str, Any]  # table → what `summary` keeps of it


def page(found: Found) -> list[str]:
    """A sentence on what helps, one on what does not, the table over tables, and each table."""
    return [
        *verdict(found),
        "",
        *over_tables(found),
        "",
        "Mean over tables of the out-of-fold score minus that of the joint MLP, with Student's 95 % "
        "interval over tables; on how many tables the paired bootstrap over rows says better or worse; "
        "and processor time of as many trainings in the vectorised executor, by that of the joint MLP. "
        "Time of one against four is that of one network by that of four.",
        "",
        "## By table",
        "",
        *by_table(found, ONE),
        "",
        "## Means of four networks a fold",
        "",
        *by_table(found, MEAN),
    ]


def gaps(found: Found, name: str, kind: str = ONE) -> dict[str, Interval]:
    """Table → difference of a contestant to the joint MLP, where it took part."""
    return {
        t: Interval(
            **dict(zip(("value", "low", "high"), own[kind][name]["difference"], strict=True))
        )
        for t, own in found.items()
        if name in own[kind]
    }


def mean_gap(found: Found, name: str, kind: str = ONE) -> Interval:
    """Over tables."""
    return student_interval(np.array([gap.value for gap in gaps(found, name, kind).values()]))


def mean_size(found: Found, name: str) -> float:
    """Mean over tables of the absolute difference."""
    return float(np.mean([abs(gap.value) for gap in gaps(found, name).values()]))


def counts(found: Found, name: str, kind: str = ONE) -> tuple[int, int, int]:
    """Tables where it is better, where it is worse, and all."""
    own = gaps(found, name, kind).values()
    return sum(gap.low > 0 for gap in own), sum(gap.high < 0 for gap in own), len(own)


def names_of(found: Found, kind: str = ONE) -> list[str]:
    """All contestants of some table but the joint MLP."""
    every = dict.fromkeys(name for own in found.values() for name in own[kind])
    return [name for name in every if name != JOINT]


def verdict(found: Found) -> list[str]:
    """What helps, by how much and on how many tables; what remains of it in means; what does not."""
    rivals = [name for name in names_of(found) if name != AGAIN]
    helps = [name for name in rivals if mean_gap(found, name).low > 0]
    harms = [name for name in rivals if mean_gap(found, name).high < 0]
    rest = [name for name in rivals if name not in helps + harms]
    lines = [
        f"Of {len(rivals)} contestants on {len(found)} tables, "
        + (f"{said(found, helps)} beat the joint MLP" if helps else "none beats the joint MLP")
        + " with an interval over tables that excludes zero"
        + (f"; {said(found, harms)} lose to it" if harms else "")
        + (f"; nothing can be said of {said(found, rest)}." if rest else "."),
    ]
    for name in names_of(found, MEAN):
        better, worse, tables = counts(found, name, MEAN)
        own = mean_gap(found, name, MEAN)
        lines.append(
            f"Where the mean of four networks a fold predicts, as in a run, {name} is "
            f"{interval(own.value, own.low, own.high)} from the joint MLP, better on {better} and worse "
            f"on {worse} of {tables} tables."
        )
        own = mean_gap(found, name, ONE_AGAINST_MEAN)
        lines.append(
            f"One network of {name}, which takes the time of {price(found, name, ONE):.1f} joint MLPs, is "
            f"{interval(own.value, own.low, own.high)} from the mean of four of these."
        )
    lines.append(
        f"Noise: the {AGAIN}, are {mean_size(found, AGAIN):.4f} away on a table (mean of absolute values), "
        "which the intervals of single tables leave out; those over tables hold it."
    )
    return lines


def said(found: Found, names: list[str]) -> str:
    """Names, each with its mean difference."""
    return ", ".join(f"{name} ({mean_gap(found, name).value:+.4f})" for name in names)


def over_tables(found: Found) -> list[str]:
    """A line for each contestant."""
    rows = []
    for kind in (ONE, MEAN, ONE_AGAINST_MEAN):
        for name in names_of(found, kind):
            better, worse, tables = counts(found, name, kind)
            own = mean_gap(found, name, kind)
            rows.append(
                [
                    name if kind == ONE else f"{name}, {kind}",
                    bold_interval(own.value, own.low, own.high),
                    *(better, worse, tables),
                    f"{price(found, name, kind):.1f}",
                ]
            )
    head = ["contestant", "difference", "better", "worse", "tables", "time"]
    return table(head, rows, rules="lrrrrr")


def price(found: Found, name: str, kind: str) -> float:
    """Processor time by that of the joint MLP, over the tables where it took part."""
    if kind == ONE_AGAINST_MEAN:
        return price(found, name, ONE) / NETWORKS
    own = [own[kind] for own in found.values() if name in own[kind]]
    return float(sum(o[name]["seconds"] for o in own) / sum(o[JOINT]["seconds"] for o in own))


def by_table(found: Found, kind: str) -> list[str]:
    """The joint MLP's score, and every contestant's difference to it."""
    names = names_of(found, kind)
    rows = []
    for name, own in found.items():
        gap = {n: own[kind][n]["difference"] for n in names if n in own[kind]}
        cells = [bold_interval(*gap[n], digits=3) if n in gap else "" for n in names]
        rows.append([name, own["tasks"], own["rows"], f"{own[kind][JOINT]['score']:.3f}", *cells])
    return table(["table", "tasks", "rows", JOINT, *names], rows, rules="lrrr" + "r" * len(names))

"""Published tables of every set's gains: MTG-Net's and those of Standley et al."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.common.arrays import Array, Sets
from benchmarks.common.folders import DATA

STANDLEY = ("", "_large", "_small_data", "_alt")


class Table(NamedTuple):
    """``[M, T]`` sets, their gains on validation and test, and published predictions."""

    sets: Sets
    valid: Array
    test: Array
    predictions: dict[str, Array]


def mtgnet(name: str) -> Table:
    """One of MTG-Net's tables."""
    folder = DATA / "gt_mtgnet"
    comma = "," if name == "taskonomy" else None
    sets = np.loadtxt(folder / f"{name}_x.csv", delimiter=comma) > 0
    files = {"HOA": "HOA", "TAG": "TAG_HOA" if name == "ETTm1" else "TAGHOA"}
    valid, test = ("val_y", "y") if name == "ETTm1" else (None, None)
    read = [
        np.where(sets, np.loadtxt(folder / f"{name}{'_' + part if part else ''}.csv"), np.nan)
        for part in (valid, test, *files.values())
    ]
    return Table(sets, read[0], read[1], dict(zip(files, read[2:], strict=True)))


def standley(setting: str) -> Table:
    """One of the four settings of Standley et al."""
    parts = [_losses(f"results{setting}{part}.txt") for part in ("", "_test")]
    valid, test = (1 - part / np.nanmax(_alone(part), axis=0) for part in parts)
    return Table(np.isfinite(valid), valid, test, {})


def _losses(name: str) -> Array:
    lines = (DATA / "gt_taskonomy_standley" / name).read_text().splitlines()
    cells = [(line.split("\t") + [""] * 5)[:5] for line in lines[1:]]  # half-size singles
    return np.array([[float(c) if c.strip() else np.nan for c in row] for row in cells])


def _alone(losses: Array) -> Array:
    single = np.isfinite(losses).sum(axis=1) == 1
    return np.asarray(losses[single])


TABLES: dict[str, Callable[[], Table]] = {
    **{f"Standley {at + 1}": partial(standley, own) for at, own in enumerate(STANDLEY)},
    "ETTm1": partial(mtgnet, "ETTm1"),
    "Taskonomy (MTG-Net)": partial(mtgnet, "taskonomy"),
}

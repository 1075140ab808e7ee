"""Does what `cotrain.plan` ships beat following one strategy everywhere? 25 tables, 3 splits each.

Every pair of a table and a split is stored as soon as it is run, in ``ship/`` of the folder of results;
pairs that are there are not run again. Environment variables: COTRAIN_SHIP_ONLY names the tables to run,
with commas (the page is about all stored pairs); COTRAIN_SHIP_RIVALS is a folder to write the same rows to,
for `rivals.py`, which runs in an environment of its own.

    python -m benchmarks ship        # writes benchmarks/results/ship.{json,md,svg} and ship/
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common.files import read_json, write_json, write_page
from benchmarks.common.options import Options
from benchmarks.ship.judging import as_pair
from benchmarks.ship.page import page, summary, write_figure
from benchmarks.ship.tables import TABLES
from benchmarks.ship.trials import trial
from cotrain import Settings
from cotrain.errors import InputError, nearest

SEEDS = (0, 1, 2)
QUICK = ("slump", "edm", "jura")
QUICK_SETTINGS = Settings(seeds=2, budget=20, trainings=0)


def run(options: Options) -> None:
    """The trials that are wanted, then the page of all that are stored."""
    settings, seeds = (QUICK_SETTINGS, SEEDS[:1]) if options.quick else (Settings(), SEEDS)
    folder = options.out / "ship"
    rivals = os.environ.get("COTRAIN_SHIP_RIVALS")
    for name in QUICK if options.quick else wanted():
        for seed in seeds:
            found = trial(
                name, seed, TABLES[name], settings, folder, Path(rivals) if rivals else None
            )
            print(f"{name} {seed}: {found['seconds']:.0f} s", flush=True)
    trials = list(stored(folder))
    pairs = [as_pair(one) for one in trials]
    write_json(options.out / "ship.json", summary(pairs))
    write_figure(options.out / "ship.svg", pairs)
    write_page(options.out / "ship.md", page(trials, pairs))


def wanted() -> tuple[str, ...]:
    """The tables that the environment asks for; all unless it does."""
    asked = os.environ.get("COTRAIN_SHIP_ONLY", "")
    names = tuple(name.strip() for name in asked.split(",") if name.strip()) or tuple(TABLES)
    for name in names:
        if name not in TABLES:
            raise InputError(f"there is no table {name!r}: {nearest(name, [*TABLES])}")
    return names


def stored(folder: Path) -> Iterator[dict[str, object]]:
    """The pairs in the folder, in the order of the tables."""
    for name in TABLES:
        for seed in SEEDS:
            path = folder / f"{name}-{seed}.json"
            if path.exists():
                yield read_json(path)

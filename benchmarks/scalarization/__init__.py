"""The three findings of Royer et al. (NeurIPS 2023) put to the test on tables and domains.

    python -m benchmarks scalarization   # writes benchmarks/results/scalarization.{json,md,svg}

`cotrain.studies.study_scalarization` on each data set; the test split of each is opened once.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.domain_sets import digits, office
from benchmarks.common.files import write_json, write_page
from benchmarks.common.options import Options
from benchmarks.common.table_sets import SETS
from benchmarks.scalarization.page import POOLED, page, write_figure
from cotrain.data import Splits
from cotrain.folder import RunFolder
from cotrain.results import Interval
from cotrain.studies import Grid, study_scalarization
from cotrain.studies.scalarization.estimates import numbers_and_draws
from cotrain.studies.scalarization.pairs import UNIFORM
from cotrain.studies.scalarization.scores import PairScores

FULL = Grid(shares=(0.1, 0.3, 0.5, 0.7, 0.9), widths=(8, 32, 128), low_precision=False)
LIGHT = replace(FULL, widths=(4, 16, 64), seeds=2, learning_rates=(3e-3, 1e-2), most_pairs=6)


@dataclass(frozen=True, kw_only=True)
class Data:
    """A data set and what is trained on it."""

    load: Callable[[], Splits]
    grid: Grid = FULL


DATA = {
    "emotions": Data(load=SETS["emotions"]),
    "yeast": Data(load=SETS["yeast"], grid=replace(FULL, seeds=2, learning_rates=(3e-3, 1e-2))),
    "atp1d": Data(load=SETS["atp1d"]),
    "tox21": Data(load=SETS["tox21"], grid=replace(LIGHT, shares=(0.25, 0.5, 0.75), depths=(1,))),
    "digits (domains)": Data(load=partial(digits, 600)),
    "office (domains)": Data(load=office, grid=LIGHT),
}
SMALL = replace(LIGHT, shares=(0.25, 0.5, 0.75), widths=(4, 8), depths=(1,), most_pairs=5)
QUICK = {"emotions": Data(load=SETS["emotions"], grid=replace(SMALL, learning_rates=(1e-2,)))}


def run(options: Options) -> None:
    """The study on every data set."""
    found = {}
    for name, data in (QUICK if options.quick else DATA).items():
        found[name] = judge(name, data)
        print(f"{name}: {found[name]['minutes']:.1f} min", flush=True)
        write_json(options.out / "scalarization.json", found, compact=True)
    write_page(options.out / "scalarization.md", page(found))
    write_figure(options.out / "scalarization.svg", found)


def judge(name: str, data: Data) -> dict[str, Any]:
    """One study, with the draws that the mean over the data sets needs."""
    began = time.time()
    splits = data.load()
    with tempfile.TemporaryDirectory() as folder:
        study = study_scalarization(splits, out=folder, grid=data.grid, title=name)
        scores = PairScores.read(RunFolder(Path(folder)))
    draws = numbers_and_draws(scores, seed=data.grid.seed)
    alone = np.stack([scores.test[:, :, -1, :, 0], scores.test[:, :, 0, :, 1]])
    edge = np.isin(study.best, [data.grid.weights[1], data.grid.weights[-2]])
    return {
        "tasks": len(splits.tasks),
        "rows": len(splits.development.train),
        "metric": splits.tasks[0].metric_name,
        "pairs": len(study.pairs),
        "seeds": study.seeds,
        "sizes": study.sizes,
        "parameters": study.parameters,
        "alone": np.nanmean(alone, axis=(0, 2, 3)).tolist(),
        "uniform_gain": [_numbers(one) for one in study.estimates.uniform_gain],
        "best_gain": [_numbers(one) for one in study.estimates.best_gain],
        "conflict": [_numbers(one) for one in study.estimates.conflict],
        "best": study.best,
        "best_is_uniform": float((np.array(study.best) == UNIFORM).mean()),
        "best_is_extreme": float(edge.mean()),
        "points": {"conflict": study.conflict, "gain": study.gain},
        "draws": {key: np.round(draws[key], 5).tolist() for key in POOLED},
        "trainings": study.cost.trainings,
        "minutes": (time.time() - began) / 60,
    }


def _numbers(one: Interval) -> list[float]:
    return [round(one.value, 5), round(one.low, 5), round(one.high, 5)]

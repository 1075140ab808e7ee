"""The three findings of Royer et al. (NeurIPS 2023) put to the test on tables and domains.

    python benchmarks/scalarization.py [NAME ...]   # writes benchmarks/results/scalarization.{json,md,svg}

`cotrain.studies.study_scalarization` on each data set; the test split of each is opened once.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.folders import DATA, RESULTS
from benchmarks.scalarization.page import POOLED, figure, page
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


def judge(name: str) -> dict[str, Any]:
    data, began = DATA[name], time.time()
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


def main() -> None:
    path = RESULTS / "scalarization.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in sys.argv[1:] or DATA:
        found[name] = judge(name)
        found = {key: found[key] for key in DATA if key in found}
        print(f"{name}: {found[name]['minutes']:.1f} min", flush=True)
        path.write_text(json.dumps(found) + "\n")
    found = {name: found[name] for name in DATA if name in found}
    (RESULTS / "scalarization.md").write_text(page(found))
    (RESULTS / "scalarization.svg").write_text(figure(found))
    print(page(found))

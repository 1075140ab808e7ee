"""Optimizers × methods of weighting × learning rates × seeds on a table and on images.

The study is `cotrain.studies.study_optimizers`; the findings are of Elich et al. (2023, arXiv 2311.04698).
`atp1d`: six prices to predict from 370 inputs, all regressions, 337 rows, cut 60/20/20. `two digits`: 4,000
images of 28 × 28 with an MNIST digit on the left and one on the right, each squeezed to half its width, cut
50/20/30; the tasks are both digits and the share of the ink that is on the left, a regression.

    python benchmarks/optimizers.py [NAME ...]     # writes benchmarks/results/optimizers.{json,md}

The finished studies are read back from the folder that COTRAIN_BENCH names, if it does.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.folders import DATA, RESULTS
from benchmarks.common.table_sets import MULTITARGET
from cotrain.data import RandomSplit, from_arrays, from_table, infer_schema, read_table
from cotrain.data.dataset import Splits
from cotrain.engine.engine import Update
from cotrain.engine.member import Recipe
from cotrain.studies import OptimizerGrid, OptimizerStudy, study_optimizers

IMAGES = 4000
SIZE = (28, 28)


def prices() -> Splits:
    """More validation and test rows than `benchmarks/tables.py` has."""
    frame = read_table(DATA / "tab_mulan_multitarget" / "atp1d.arff.gz")
    targets = frame.columns[-MULTITARGET["atp1d"] :]
    schema = infer_schema(frame, targets=targets, kinds=dict.fromkeys(targets, "regression"))
    return from_table(frame, schema, RandomSplit(train=0.6, valid=0.2), 0)


def _idx(name: str, header: int) -> NDArray[np.uint8]:
    with gzip.open(DATA / "img_mnist" / name) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)


def two_digits() -> Splits:
    """See the text above."""
    split = RandomSplit(train=0.5, valid=0.2)
    digits = _idx("train-images-idx3-ubyte.gz", 16).reshape(-1, *SIZE) / 255
    labels = _idx("train-labels-idx1-ubyte.gz", 8)
    rng = np.random.default_rng(0)
    left, right = rng.permutation(len(digits))[: 2 * IMAGES].reshape(2, IMAGES)
    narrow = digits.reshape(-1, 28, 14, 2).mean(axis=3)
    images = np.concatenate([narrow[left], narrow[right]], axis=2)
    ink = narrow.sum(axis=(1, 2))
    share = ink[left] / (ink[left] + ink[right])
    targets = np.stack([labels[left], labels[right], share], axis=1)
    kinds = {"left": "multiclass", "right": "multiclass", "ink": "regression"}
    names = ["left", "right", "ink"]
    return from_arrays(
        images.reshape(IMAGES, -1), targets, names=names, kinds=kinds, split=split, seed=0
    )


PROBLEMS: dict[str, tuple[Callable[[], Splits], Recipe, tuple[int, int] | None]] = {
    "atp1d": (prices, Recipe(epochs=50, batch_size=64, patience=51), None),
    "two digits": (two_digits, Recipe(epochs=15, batch_size=128, patience=16), SIZE),
}


def run(name: str, folder: Path) -> OptimizerStudy:
    if (finished := folder / name / "study.safetensors").exists():
        return OptimizerStudy.load(finished)
    make, recipe, images = PROBLEMS[name]
    last = ""

    def watch(news: Update) -> None:
        nonlocal last
        if news.stage != last:
            last = news.stage
            print(f"  {last}", flush=True)

    grid = OptimizerGrid(recipe=recipe)
    return study_optimizers(
        make(), out=folder / name, grid=grid, title=name, images=images, watch=watch
    )


def summary(study: OptimizerStudy) -> dict[str, Any]:
    return {
        "tasks": study.tasks,
        "findings": [asdict(finding) for finding in study.findings],
        "delta_m": {
            optimizer: {method: asdict(study.delta(optimizer, method)) for method in study.methods}
            for optimizer in study.optimizers
        },
        "rates": {
            name: dict(zip(study.methods, study.rates[o][study.chosen[o]].tolist(), strict=True))
            for o, name in enumerate(study.optimizers)
        },
        "sections": {section.title: str(section).splitlines() for section in study.sections()},
        "trainings": study.trainings,
        "minutes": study.seconds / 60,
        "engine": study.engine,
        "printed": str(study).splitlines(),
    }


def table(found: dict[str, Any]) -> list[str]:
    """Δm, bold where the interval excludes zero."""
    columns = found["delta_m"]
    lines = [f"| method | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for method in next(iter(columns.values())):
        cells = []
        for own in columns.values():
            value, low, high = (own[method][key] for key in ("value", "low", "high"))
            text = f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
            cells.append(f"**{text}**" if low > 0 or high < 0 else text)
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return lines


def page(found: dict[str, Any]) -> str:
    lines = [
        "# Optimizers and methods of weighting",
        "",
        "`python benchmarks/optimizers.py`. Δm on the test split in per cent, against each task alone with",
        "the optimizer and learning rate that validation chose for it: below zero is better. 8 learning",
        "rates for each of 5 optimizers × 8 methods, 3 seeds, chosen on validation; intervals are 95 %,",
        "over test rows and seeds, bold where they exclude zero (a few of 40 do so by chance). UW and",
        "IMTL-L learn the same weights but for the factor ½: nothing to signSGD, to AdamW only through ε.",
        # true of the committed studies; to be dropped once they are trained again
        "Trainings and minutes leave out the 15 networks of each data set that were trained once more to",
        "look at gradients (the study has counted them since), and rates at which a network diverged after",
        "a good epoch could be chosen (since then they count as failed).",
    ]
    for name, one in found.items():
        lines += ["", f"## {name}: {', '.join(one['tasks'])}", "", *table(one), ""]
        lines += [
            f"{one['trainings']:,} trainings in {one['minutes']:.0f} minutes of time on a busy machine "
            f"({one['engine']})."
        ]
        lines += [
            f"\n**{finding['verdict']}**: {finding['claim']}. {finding['evidence']}."
            for finding in one["findings"]
        ]
        methods = len(next(iter(one["delta_m"].values())))
        for at, (title, text) in enumerate(one["sections"].items()):
            shown = text if at else text[methods:]  # the table has them
            lines += ["", f"### {title}", "", *(f"- {line}" for line in shown)]
    return "\n".join(lines) + "\n"


def main() -> None:
    path = RESULTS / "optimizers.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("COTRAIN_BENCH", temporary))
        for name in sys.argv[1:] or PROBLEMS:
            print(name, flush=True)
            found[name] = summary(run(name, folder))
            path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
            (RESULTS / "optimizers.md").write_text(page(found))
    print(page(found))

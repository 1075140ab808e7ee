"""Optimisers × methods of weighting × learning rates × seeds on a table and on images.

The study is `cotrain.studies.study_optimizers`, put to four findings of Elich et al. (2023, arXiv 2311.04698).
`atp1d`: six prices, 370 inputs, 337 rows, all regressions. `two digits`: MNIST digits, one on the left and
one on the right of an image of 28 × 28 (each drawn from 14 columns of means of two), two classifications and
a regression, the share of ink that is on the left; 3,000 images.

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
from tables import DATA, multitarget

from cotrain.data import from_arrays
from cotrain.data.taskdata import Splits
from cotrain.population.engine import Update
from cotrain.population.member import Recipe
from cotrain.studies import OptimizerGrid, OptimizerStudy, study_optimizers

RESULTS = Path(__file__).parent / "results"
IMAGES = 3000
SIZE = (28, 28)


def _idx(name: str, header: int) -> NDArray[np.uint8]:
    with gzip.open(DATA / "img_mnist" / name) as file:
        return np.frombuffer(file.read(), dtype=np.uint8, offset=header)


def two_digits() -> Splits:
    """Two digits side by side, each squeezed to half the width."""
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
    return from_arrays(images.reshape(IMAGES, -1), targets, names=names, kinds=kinds, seed=0)


PROBLEMS: dict[str, tuple[Callable[[], Splits], Recipe, tuple[int, int] | None]] = {
    "atp1d": (lambda: multitarget("atp1d"), Recipe(rounds=50, batch_size=64, patience=51), None),
    "two digits": (two_digits, Recipe(rounds=15, batch_size=128, patience=16), SIZE),
}


def run(name: str, folder: Path) -> OptimizerStudy:
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
            optimiser: {method: asdict(study.delta(optimiser, method)) for method in study.methods}
            for optimiser in study.optimisers
        },
        "rates": {
            name: dict(zip(study.methods, study.rates[o][study.chosen[o]].tolist(), strict=True))
            for o, name in enumerate(study.optimisers)
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
        "# Optimisers and methods of weighting",
        "",
        "`python benchmarks/optimizers.py`. Δm on the test split in per cent, against each task alone with the",
        "optimiser and learning rate that validation chose for it: below zero is better. 8 learning rates",
        "for each of 5 optimisers × 8 methods, 3 seeds, chosen on validation by Δm; intervals are 95 %, over test",
        "rows and seeds, bold where they exclude zero (of 40 cells a few do so by chance). The learned weights of",
        "UW and IMTL-L follow the same rule but for a constant factor, which Adam and signSGD do not see.",
    ]
    for name, one in found.items():
        lines += ["", f"## {name}: {', '.join(one['tasks'])}", "", *table(one), ""]
        lines += [
            f"{one['trainings']:,} trainings in {one['minutes']:.0f} minutes of one core ({one['engine']})."
        ]
        lines += [
            f"\n**{finding['verdict']}**: {finding['claim']}. {finding['evidence']}."
            for finding in one["findings"]
        ]
        for title, text in one["sections"].items():
            lines += ["", f"### {title}", "", *(f"- {line}" for line in text)]
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


if __name__ == "__main__":
    main()

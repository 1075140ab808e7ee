"""Optimizers × methods of weighting × learning rates × seeds on a table and on images.

The study is `cotrain.studies.study_optimizers`; the findings are of Elich et al. (2023, arXiv 2311.04698).
`atp1d`: six prices to predict from 370 inputs, all regressions, 337 rows, cut 60/20/20. `two digits`: 4,000
images of 28 × 28 with an MNIST digit on the left and one on the right, each squeezed to half its width, cut
50/20/30; the tasks are both digits and the share of the ink that is on the left, a regression.

    python -m benchmarks optimizers     # writes benchmarks/results/optimizers.{json,md}
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.domain_sets import mnist
from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import bold_interval, table
from benchmarks.common.options import Options
from benchmarks.common.table_sets import multitarget
from cotrain.data import RandomSplit, from_arrays
from cotrain.data.dataset import Splits
from cotrain.engine.engine import Update
from cotrain.engine.recipe import Recipe
from cotrain.studies import OptimizerGrid, OptimizerStudy, study_optimizers
from cotrain.studies.optimizers.contestants import CONTESTANTS

IMAGES = 4000
SIZE = (28, 28)


def prices() -> Splits:
    """More validation and test rows than the benchmark `tables` has."""
    return multitarget("atp1d", RandomSplit(train=0.6, valid=0.2))


def two_digits() -> Splits:
    """The module's text says what is on the images."""
    split = RandomSplit(train=0.5, valid=0.2)
    digits, labels = mnist()
    rng = np.random.default_rng(0)
    left, right = rng.permutation(len(digits))[: 2 * IMAGES].reshape(2, IMAGES)
    narrow = (digits / 255).reshape(-1, 28, 14, 2).mean(axis=3)
    images = np.concatenate([narrow[left], narrow[right]], axis=2)
    ink = narrow.sum(axis=(1, 2))
    share = ink[left] / (ink[left] + ink[right])
    targets = np.stack([labels[left], labels[right], share], axis=1)
    kinds = {"left": "multiclass", "right": "multiclass", "ink": "regression"}
    names = ["left", "right", "ink"]
    return from_arrays(
        images.reshape(IMAGES, -1), targets, names=names, kinds=kinds, split=split, seed=0
    )


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A data set and what is trained on it.

    Args:
        load: Reads it.
        grid: Optimizers, methods, seeds and epochs.
        images: Height and width, if its inputs are images.
    """

    load: Callable[[], Splits]
    grid: OptimizerGrid
    images: tuple[int, int] | None = None


PROBLEMS = {
    "atp1d": Problem(
        load=prices, grid=OptimizerGrid(recipe=Recipe(epochs=50, batch_size=64, patience=51))
    ),
    "two digits": Problem(
        load=two_digits,
        grid=OptimizerGrid(recipe=Recipe(epochs=15, batch_size=128, patience=16)),
        images=SIZE,
    ),
}
ATP1D = PROBLEMS["atp1d"].grid
QUICK = {
    "atp1d": Problem(
        load=prices,
        grid=replace(
            ATP1D,
            contestants=tuple(
                replace(one, learning_rates=one.learning_rates[3:6]) for one in CONTESTANTS[:2]
            ),
            methods=ATP1D.methods[:2],
            seeds=2,
            recipe=Recipe(epochs=3, batch_size=64, patience=4),
        ),
    )
}


def run(options: Options) -> None:
    """The study on both data sets."""
    found = {}
    for name, problem in (QUICK if options.quick else PROBLEMS).items():
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found[name] = summary(study(name, problem, Path(folder)))
        write_json(options.out / "optimizers.json", found)
    write_page(options.out / "optimizers.md", page(found))


def study(name: str, problem: Problem, folder: Path) -> OptimizerStudy:
    """One study, which says where it is."""
    last = ""

    def watch(news: Update) -> None:
        nonlocal last
        if news.stage != last:
            last = news.stage
            print(f"  {last}", flush=True)

    return study_optimizers(
        problem.load(),
        out=folder,
        grid=problem.grid,
        title=name,
        images=problem.images,
        watch=watch,
    )


def summary(study: OptimizerStudy) -> dict[str, Any]:
    """What is kept of a study."""
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


def deltas(found: dict[str, Any]) -> list[str]:
    """Δm, bold where the interval excludes zero."""
    columns = found["delta_m"]
    rows = []
    for method in next(iter(columns.values())):
        own = [
            [column[method][key] for key in ("value", "low", "high")] for column in columns.values()
        ]
        rows.append([method, *(bold_interval(*one, digits=1) for one in own)])
    return table(["method", *columns], rows)


def page(found: dict[str, Any]) -> str:
    """Δm, findings and sections of every study."""
    lines = [
        "# Optimizers and methods of weighting",
        "",
        "`python -m benchmarks optimizers`. Δm on the test split in per cent, against each task alone with",
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
        lines += ["", f"## {name}: {', '.join(one['tasks'])}", "", *deltas(one), ""]
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

"""How long must pre-finetuning on all sources be? Early stopping against whole schedules of few passes.

Data and stage 2 as in the benchmark `scale`, but other targets: the length and the batches of a brief run
(`Pretraining.brief`) and the rankers of `sources` were settled on these, by their validation
scores. Three seeds of stage 1, five of stage 2.

    python -m benchmarks brief    # writes benchmarks/results/brief.{json,md}
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import table
from benchmarks.common.networks import test_rows
from benchmarks.common.options import Options
from benchmarks.common.source_sets import Problem, assays, pictures, reviews
from benchmarks.scale.grid import GRID
from cotrain.engine.recipe import Recipe
from cotrain.engine.tuning import Setting
from cotrain.folder import RunFolder
from cotrain.transfer import (
    SWEEP,
    Finetuning,
    Pretraining,
    finetune,
    mixture_weights,
    of_target,
    only_target,
    pretrain,
    source_sizes,
)
from cotrain.transfer.rows import of_sources

SEEDS = 3
COLUMNS = ("passes", "valid", "test")
ABOUT = """# How long must pre-finetuning on all sources be?

`python -m benchmarks brief`. Data and stage 2 as in [scale](scale.md), five other targets each; mean scores
over targets, three seeds of stage 1 and five of stage 2. On these targets, by validation, were settled: two
passes in batches of 16 at a rate of .003 without dropout (`Pretraining.brief`), no more than .005 behind
the early stopping of scale (rate .003, dropout × .3) on validation, .001 on test, for a sixth to two fifths
of the examples; against that of `cotrain pretrain` (dropout × 1) .010 and .007 behind at worst, .003 ahead
at best, for a sixteenth to a quarter. So was the linear probe of [sources](sources.md); a reviewer mended
its variances later.
"""
PROBLEMS: dict[str, Callable[[], Problem]] = {
    "reviews": lambda: _others(
        reviews(), "dvd", "magazines", "software", "kitchen_housewares", "apparel"
    ),
    "pictures": lambda: _others(
        pictures(),
        "reptiles",
        "large_omnivores_and_herbivores",
        "trees",
        "household_electrical_devices",
        "vehicles_1",
    ),
    "assays": lambda: assays(("SR-ARE", "NR-ER-LBD", "SR-HSE"), {"ATG": 1, "APR": 1}),
}


@dataclass(frozen=True, kw_only=True)
class InBatches(Pretraining):
    """With batches of a given size.

    Args:
        batch: Rows in one.
    """

    batch: int

    def recipe(self, rows: int) -> Recipe:
        """As usual, but for the batches."""
        return replace(super().recipe(rows), batch_size=self.batch)


def lengths() -> dict[str, Pretraining]:
    """Name → how all sources are pre-finetuned."""
    found: dict[str, Pretraining] = {
        f"early stopping, rate {s.learning_rate:g}, dropout × {s.dropout:g}": Pretraining(setting=s)
        for s in SWEEP
    }
    for passes in (1, 2, 4):
        for batch in (8, 16, 64):
            for rate in (3e-3, 1e-2):
                found[f"{passes} passes, batches of {batch}, rate {rate:g}"] = InBatches(
                    epochs=passes, batch=batch, setting=Setting(learning_rate=rate, dropout=0.0)
                )
    return {name: replace(how, widths=GRID.widths) for name, how in found.items()}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained.

    Args:
        names: Of the data sets.
        lengths: Name → how all sources are pre-finetuned.
        seeds: Of stage 1.
        tunings: Seeds of stage 2.
        targets: At most so many of each data set.
    """

    names: tuple[str, ...] = tuple(PROBLEMS)
    lengths: dict[str, Pretraining] = field(default_factory=lengths)
    seeds: int = SEEDS
    tunings: int = GRID.seeds
    targets: int = 5


QUICK = Plan(
    names=("reviews",),
    lengths={
        "1 passes, batches of 64, rate 0.003": InBatches(
            epochs=1,
            batch=64,
            setting=Setting(learning_rate=3e-3, dropout=0.0),
            widths=GRID.widths,
        )
    },
    seeds=1,
    tunings=2,
    targets=1,
)


def run(options: Options) -> None:
    """All lengths on all data sets."""
    plan = QUICK if options.quick else Plan()
    found = {}
    for name in plan.names:
        found[name] = measure(PROBLEMS[name](), plan)
        print(f"{name} done", flush=True)
        write_json(options.out / "brief.json", found)
    write_page(options.out / "brief.md", page(found))


def measure(problem: Problem, plan: Plan) -> dict[str, Any]:
    """Length → passes, mean validation and test score of each target."""
    tasks = problem.splits.tasks
    names = [task.name for task in tasks]
    own = of_sources(
        problem.splits.development,
        [t for t, name in enumerate(names) if name not in problem.targets],
    )
    sizes = source_sizes(own.train)
    mixture = {"all": mixture_weights(sizes, range(len(sizes)))}
    found: dict[str, dict[str, list[Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        encoders = {}
        for at, (name, pretraining) in enumerate(plan.lengths.items()):
            found[name] = {"passes": [], "valid": [], "test": []}
            for seed in range(plan.seeds):
                out = RunFolder(Path(folder) / f"{at}-{seed}")
                trained = pretrain(out, own, mixture, how=replace(pretraining, seed=seed))
                encoders[f"{at}/{seed}"] = trained.encoders["all"]
                found[name]["passes"].append(int(trained.epochs_run[0]))
        how = Finetuning(
            settings=GRID.settings, rows=problem.rows, widths=GRID.widths, seeds=plan.tunings
        )
        for target in problem.targets[: plan.targets]:
            at = names.index(target)
            tuned = finetune(
                RunFolder(Path(folder) / f"target-{at}"),
                of_target(problem.splits.development, at),
                encoders,
                how=how,
            )
            test = tuned.scores(only_target(test_rows(problem.splits, found), at))
            for scores, which in ((tuned.valid, "valid"), (test, "test")):
                by_length = scores[1:].reshape(len(found), -1).mean(axis=1)
                for own_scores, value in zip(found.values(), by_length, strict=True):
                    own_scores[which].append(float(value))
    return found


def page(results: dict[str, dict[str, Any]]) -> str:
    """A table a data set."""
    lines = [ABOUT]
    for name, found in results.items():
        means = [[np.mean(own[key]) for key in COLUMNS] for own in found.values()]
        rows = [
            (length, f"{passes:.1f}", f"{valid:.4f}", f"{test:.4f}")
            for length, (passes, valid, test) in zip(found, means, strict=True)
        ]
        head = ("length", "passes", "validation", "test")
        lines += [f"\n## {name}\n", *table(head, rows, rules="lrrr")]
    return "\n".join(lines) + "\n"


def _others(problem: Problem, *targets: str) -> Problem:
    names = [task.name for task in problem.splits.tasks]
    full = tuple(next(name for name in names if name.startswith(one)) for one in targets)
    return replace(problem, targets=full)

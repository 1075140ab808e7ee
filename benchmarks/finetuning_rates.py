"""Would fine-tuning in `cotrain run` be better off with smaller learning rates?

Data, split, sources and encoder are those of the benchmark `transfer` (the encoder that counts every label
alike). Four Tox21 assays are trained alone from the encoder and from scratch, on all rows and on 500, at
eleven settings from four seeds; the test split stays closed. A grid of three settings is worth what its
pick scores: picked on one half of the validation rows by one seed, scored on the other half by all seeds.
The mean is over targets and 40 draws of the halves, its interval over the seeds that pick.

    python -m benchmarks finetuning_rates   # writes benchmarks/results/finetuning_rates.md
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.common.arrays import Array, Flags
from benchmarks.common.files import write_page
from benchmarks.common.markdown import interval, table
from benchmarks.common.networks import engine_on, member_at
from benchmarks.common.options import Options
from benchmarks.transfer import chosen_targets
from benchmarks.transfer.problem import data
from cotrain.data.dataset import Development
from cotrain.engine.build import architecture_of
from cotrain.engine.models.losses import predictions
from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.engine.state import Tensors
from cotrain.engine.tuning import SETTINGS, Setting
from cotrain.folder import RunFolder
from cotrain.stats import student_interval
from cotrain.tasks import Task, score
from cotrain.transfer import (
    SCRATCH,
    Pretraining,
    mixture_weights,
    of_target,
    pretrain,
    source_sizes,
    with_rows,
)

ENCODER = "encoder"
SEEDS, HALVINGS = 4, 40
RATES = (1e-4, 3e-4, 1e-3, 3e-3)
TRIED = (
    *(Setting(learning_rate=rate, dropout=dropout) for rate in RATES for dropout in (0.3, 1.0)),
    *(Setting(learning_rate=rate, dropout=0.0) for rate in (5e-3, 1e-3, 3e-4)),
)
GRIDS = {
    "as now: 3e-3/.3, 3e-3/1, 5e-3/0": SETTINGS,
    "3e-3/.3, 1e-3/.3, 3e-4/.3": tuple(
        s for s in TRIED if s.dropout == 0.3 and s.learning_rate > 1e-4
    ),
    "1e-3/.3, 3e-4/.3, 1e-4/.3": tuple(
        s for s in TRIED if s.dropout == 0.3 and s.learning_rate < 3e-3
    ),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained.

    Args:
        seeds: Of stage 2.
        halvings: Draws of the halves.
        rows: Training rows of a target; None for all.
        targets: At most so many.
        sources: At most so many; all, if None.
        pretraining: How.
        recipe: Of stage 2; that of a run, if None.
    """

    seeds: int = SEEDS
    halvings: int = HALVINGS
    rows: tuple[int | None, ...] = (None, 500)
    targets: int = 4
    sources: int | None = None
    pretraining: Pretraining = field(default_factory=Pretraining)
    recipe: Recipe | None = None


QUICK = Plan(
    seeds=2,
    halvings=2,
    rows=(500,),
    targets=1,
    sources=20,
    pretraining=Pretraining(epochs=1),
    recipe=Recipe(epochs=2),
)


def run(options: Options) -> None:
    """All settings from the encoder and from scratch, and the worth of three grids."""
    plan = QUICK if options.quick else Plan()
    targets, sources = data(plan.sources)
    chosen = chosen_targets(targets)[: plan.targets]
    sizes = source_sizes(sources.development.train)
    mixtures = {"by size": mixture_weights(sizes, range(len(sizes)))}
    sections = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stage_1 = RunFolder(folder / "stage-1")
        found = pretrain(stage_1, sources.development, mixtures, how=plan.pretraining)
        encoders = {ENCODER: found.encoders["by size"]}
        for rows, start in product(plan.rows, (ENCODER, SCRATCH)):
            trained = [
                predicted(folder, of_target(targets.development, t), encoders, start, t, rows, plan)
                for t in chosen
            ]
            sections.append(section(rows, start, trained, plan))
            print(sections[-1], flush=True)
    text = PAGE.format(names=", ".join(targets.tasks[t].name for t in chosen))
    page = "\n\n".join([text, *sections]) + "\n"
    write_page(options.out / "finetuning_rates.md", page, show=False)


def predicted(
    folder: Path,
    target: Development,
    encoders: dict[str, Tensors],
    start: str,
    t: int,
    rows: int | None,
    plan: Plan,
) -> tuple[Task, Array, Array]:
    """``[S, P, n]`` predictions for the labelled validation rows, and their labels."""
    whole = engine_on(target, folder / "stage-2")
    places, labels = target.valid.labels(0)
    outputs = []
    for seed in range(plan.seeds):
        own = with_rows(target, rows, seed)
        engine = replace(
            whole,
            architecture=replace(architecture_of(own, None, (256, 256)), starts=encoders),
            development=own,
            recipe=plan.recipe or recipe_for(len(own.train), seed=seed),
        )
        members = [
            replace(
                member_at(setting, (1.0,), name=start, seed=seed),
                start=start if start == ENCODER else "",
            )
            for setting in TRIED
        ]
        trained = engine.train(f"{start}-{t}-{rows}-{seed}", members)
        outputs.append(predictions(target.tasks, trained.outputs)[0][:, places])
    return target.tasks[0], np.stack(outputs), labels


def section(
    rows: int | None, start: str, trained: Sequence[tuple[Task, Array, Array]], plan: Plan
) -> str:
    """The three grids on some rows from one start, and the mean of every setting."""
    found = {name: worth(grid, trained, plan) for name, grid in GRIDS.items()}
    now = next(iter(found.values()))
    cells = []
    for name, values in found.items():
        gain = student_interval(values - now)
        more = "" if values is now else interval(gain.value, gain.low, gain.high)
        cells.append((name, f"{values.mean():.4f}", more))
    head = ("grid (learning rate/dropout)", "validation ROC AUC", "more than now")
    means = [
        np.mean([score(task, own[at], labels) for task, out, labels in trained for own in out])
        for at in range(len(TRIED))
    ]
    single = (
        f"{setting.learning_rate:g}/{setting.dropout:g} {mean:.4f}"
        for setting, mean in zip(TRIED, means, strict=True)
    )
    lines = [
        f"## {rows or 'All'} rows, from {'the encoder' if start == ENCODER else start}",
        "",
        *table(head, cells, rules="lrl"),
        "",
        f"Each setting on all validation rows: {', '.join(single)}.",
    ]
    return "\n".join(lines)


def worth(
    grid: Sequence[Setting], trained: Sequence[tuple[Task, Array, Array]], plan: Plan
) -> Array:
    """``[S]`` what the pick of each seed scores, see the module's text."""
    at = [TRIED.index(setting) for setting in grid]
    values = np.zeros((plan.halvings, len(trained), plan.seeds))
    for h in range(plan.halvings):
        rng = np.random.default_rng(h)
        for place, (task, outputs, labels) in enumerate(trained):
            first = half(labels, rng)
            for seed in range(plan.seeds):
                picks = [score(task, outputs[seed, p, first], labels[first]) for p in at]
                best = at[int(np.argmax(picks))]
                other = [score(task, own[best, ~first], labels[~first]) for own in outputs]
                values[h, place, seed] = np.mean(other)
    return np.asarray(values.mean(axis=(0, 1)))


def half(labels: Array, rng: np.random.Generator) -> Flags:
    """Half of the rows of either class."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in (0, 1):
        own = np.flatnonzero(labels == label)
        chosen[rng.permutation(own)[: len(own) // 2]] = True
    return chosen


PAGE = """# Smaller learning rates for fine-tuning in `cotrain run`?

`python -m benchmarks finetuning_rates`; its text says what is done. Targets: {names}.

From the encoder smaller rates help. On all rows, which is what a run compares, they help fresh networks as
much or more; on 500 rows they cost those. Given to one contender only, they would count for the encoder
what has nothing to do with it, so `cotrain run` tunes both on the same grid. Where only the score of the
network matters, `cotrain.transfer.finetune` tries them (`SWEEP`)."""

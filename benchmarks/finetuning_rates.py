"""Would fine-tuning in `cotrain run` be better off with smaller learning rates?

Data, split, sources and encoder are those of benchmarks/transfer.py (the encoder that counts every label
alike). Four Tox21 assays are trained alone from the encoder and from scratch, on all rows and on 500, at
eleven settings from four seeds; the test split stays closed. A grid of three settings is worth what its
pick scores: picked on one half of the validation rows by one seed, scored on the other half by all seeds.
The mean is over targets and 40 draws of the halves, its interval over the seeds that pick.

    python benchmarks/finetuning_rates.py [FOLDER]   # goes on in FOLDER; writes results/finetuning_rates.md
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from cotrain.run.stages import architecture_of, build_engine
from numpy.typing import NDArray
from transfer import RESULTS, data

from cotrain.data.dataset import Development
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.state import Tensors
from cotrain.engine.tuning import SETTINGS, Setting
from cotrain.folder import RunFolder
from cotrain.results import Interval
from cotrain.run.budget import recipe_for
from cotrain.run.settings import Settings
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

Array = NDArray[np.float64]
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


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    targets, sources = data()
    sizes = source_sizes(sources.development.train)
    mixtures = {"by size": mixture_weights(sizes, range(len(sizes)))}
    stage_1 = RunFolder(folder / "stage-1")
    found = pretrain(stage_1, sources.development, mixtures, how=Pretraining())
    encoders = {ENCODER: found.encoders["by size"]}
    chosen = [t for t, task in enumerate(targets.tasks) if task.name.startswith("NR-")][::2]
    tables = []
    for rows in (None, 500):
        for start in (ENCODER, SCRATCH):
            trained = [
                predicted(folder, of_target(targets.development, t), encoders, start, t, rows)
                for t in chosen
            ]
            tables.append(table(rows, start, trained))
            print(tables[-1], flush=True)
    text = PAGE.format(names=", ".join(targets.tasks[t].name for t in chosen))
    (RESULTS / "finetuning_rates.md").write_text("\n\n".join([text, *tables]) + "\n")


def predicted(
    folder: Path,
    target: Development,
    encoders: dict[str, Tensors],
    start: str,
    t: int,
    rows: int | None,
) -> tuple[Task, Array, Array]:
    """``[S, P, n]`` predictions for the labelled validation rows, and their labels."""
    recipe = recipe_for(len(target.train), seed=0)
    stage_2 = RunFolder(folder / "stage-2")
    whole = build_engine(stage_2, target, None, Settings(), recipe, lambda _: None)
    places, labels = target.valid.labels(0)
    outputs = []
    for seed in range(SEEDS):
        own = with_rows(target, rows, seed)
        engine = replace(
            whole,
            architecture=replace(architecture_of(own, None, (256, 256)), starts=encoders),
            development=own,
            recipe=recipe_for(len(own.train), seed=seed),
        )
        members = [
            Member(
                name=start,
                weights=(1.0,),
                seed=seed,
                learning_rate=setting.learning_rate,
                dropout=setting.dropout,
                start=start if start == ENCODER else "",
            )
            for setting in TRIED
        ]
        trained = engine.train(f"{start}-{t}-{rows}-{seed}", members)
        outputs.append(predictions(target.tasks, trained.outputs)[0][:, places])
    return target.tasks[0], np.stack(outputs), labels


def table(rows: int | None, start: str, trained: Sequence[tuple[Task, Array, Array]]) -> str:
    """The three grids on some rows from one start, and the mean of every setting."""
    found = {name: worth(grid, trained) for name, grid in GRIDS.items()}
    now = next(iter(found.values()))
    lines = [f"## {rows or 'All'} rows, from {'the encoder' if start == ENCODER else start}", ""]
    lines += [
        "| grid (learning rate/dropout) | validation ROC AUC | more than now |",
        "|---|---:|---|",
    ]
    for name, values in found.items():
        more = "" if values is now else written(student_interval(values - now))
        lines.append(f"| {name} | {values.mean():.4f} | {more} |")
    means = [
        np.mean([score(task, own[at], labels) for task, out, labels in trained for own in out])
        for at in range(len(TRIED))
    ]
    single = (
        f"{setting.learning_rate:g}/{setting.dropout:g} {mean:.4f}"
        for setting, mean in zip(TRIED, means, strict=True)
    )
    return "\n".join([*lines, "", f"Each setting on all validation rows: {', '.join(single)}."])


def worth(grid: Sequence[Setting], trained: Sequence[tuple[Task, Array, Array]]) -> Array:
    """``[S]`` what the pick of each seed scores, see the module's text."""
    at = [TRIED.index(setting) for setting in grid]
    values = np.zeros((HALVINGS, len(trained), SEEDS))
    for h in range(HALVINGS):
        rng = np.random.default_rng(h)
        for place, (task, outputs, labels) in enumerate(trained):
            first = half(labels, rng)
            for seed in range(SEEDS):
                picks = [score(task, outputs[seed, p, first], labels[first]) for p in at]
                best = at[int(np.argmax(picks))]
                other = [score(task, own[best, ~first], labels[~first]) for own in outputs]
                values[h, place, seed] = np.mean(other)
    return np.asarray(values.mean(axis=(0, 1)))


def half(labels: Array, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Half of the rows of either class."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in (0, 1):
        own = np.flatnonzero(labels == label)
        chosen[rng.permutation(own)[: len(own) // 2]] = True
    return chosen


def written(gain: Interval) -> str:
    return f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"


PAGE = """# Smaller learning rates for fine-tuning in `cotrain run`?

`python benchmarks/finetuning_rates.py`; its text says what is done. Targets: {names}.

From the encoder smaller rates help. On all rows, which is what a run compares, they help fresh networks as
much or more; on 500 rows they cost those. Given to one contender only, they would count for the encoder
what has nothing to do with it, so `cotrain run` tunes both on the same grid. Where only the score of the
network matters, `cotrain.transfer.finetune` tries them (`SWEEP`)."""


if __name__ == "__main__":
    main()

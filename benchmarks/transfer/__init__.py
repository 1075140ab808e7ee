"""Pre-finetuning on ToxCast, fine-tuning on Tox21: few-shot curves, time and memory of 617 heads.

Sources are ToxCast's assays but those measured for Tox21; targets every second nuclear-receptor assay of
Tox21, cut by scaffold. No source molecule has a scaffold of the targets' validation or test molecules, so
none is one of them (needs the extra chem). One encoder counts every label alike, one every assay, both
trained as one population; each target is then fine-tuned from either and from scratch with the same sweep
and 5 seeds, which also draw the target's rows. The sweep is tuned on validation; test rows are scored once.

    python -m benchmarks transfer   # writes benchmarks/results/transfer.{json,md}
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.files import write_json, write_page
from benchmarks.common.networks import test_rows
from benchmarks.common.options import Options
from benchmarks.transfer.page import page
from benchmarks.transfer.price import TIMED_ROUNDS, peak, price
from benchmarks.transfer.problem import data
from cotrain.baselines.boosted import HistTrees
from cotrain.data import Splits
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.state import Tensors
from cotrain.folder import RunFolder
from cotrain.tasks import score
from cotrain.transfer import (
    SCRATCH,
    UNIFORM,
    Finetuned,
    Finetuning,
    Pretraining,
    finetune,
    mixture_weights,
    of_target,
    only_target,
    pretrain,
    source_sizes,
)
from cotrain.transfer.few_rows import trees_predictions

ROWS = (16, 64, 256, None)
SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained.

    Args:
        rows: Training rows of a target; None for all.
        seeds: Of stage 2.
        targets: At most so many.
        sources: At most so many; all, if None.
        pretraining: How.
        rounds: Epochs that are timed.
    """

    rows: tuple[int | None, ...] = ROWS
    seeds: int = SEEDS
    targets: int = 4
    sources: int | None = None
    pretraining: Pretraining = field(default_factory=Pretraining)
    rounds: int = TIMED_ROUNDS


QUICK = Plan(
    rows=(None,), seeds=2, targets=1, sources=20, pretraining=Pretraining(epochs=1), rounds=1
)


def run(options: Options) -> None:
    """The price of 617 heads, and the curves."""
    plan = QUICK if options.quick else Plan()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {"price": price(folder / "price", plan.rounds)}
        print(found["price"]["seconds an epoch"], flush=True)
        found["price"]["peak memory in GB"] = peak()
        found["curves"] = curves(*data(plan.sources), folder, plan)
        found["peak memory in GB"] = peak()
    write_json(options.out / "transfer.json", found)
    write_page(options.out / "transfer.md", page(found))


def chosen_targets(targets: Splits) -> list[int]:
    """Every second nuclear-receptor assay."""
    names = [task.name for task in targets.tasks]
    return [t for t, name in enumerate(names) if name.startswith("NR-")][::2]


def curves(targets: Splits, sources: Splits, folder: Path, plan: Plan) -> dict[str, Any]:
    """Test scores of every start, target, number of rows and seed."""
    train = sources.development.train
    sizes = source_sizes(train)
    mixtures = {
        "by size": mixture_weights(sizes, range(len(sizes))),
        "uniform": mixture_weights(sizes, range(len(sizes)), temperature=UNIFORM),
    }
    stage_1 = RunFolder(folder / "stage-1")
    found = pretrain(stage_1, sources.development, mixtures, how=plan.pretraining)
    print(f"stage 1: {found.seconds:.0f} s, {found.epochs_run.tolist()} epochs", flush=True)
    chosen = chosen_targets(targets)[: plan.targets]
    starts = (*found.encoders, SCRATCH, "trees")
    test = test_rows(targets, starts)
    scores: dict[str, dict[str, list[list[float]]]] = {}
    settings: dict[str, dict[str, list[str]]] = {}
    for t, rows in product(chosen, plan.rows):
        target, name, known = (
            of_target(targets.development, t),
            targets.tasks[t].name,
            str(rows or "all"),
        )
        tuned, own = fine_tuned(
            target,
            only_target(test, t),
            found.encoders,
            how=Finetuning(rows=rows, seeds=plan.seeds),
            folder=RunFolder(folder / "stage-2"),
            stage=f"{t}-{rows}",
        )
        for start, values in own.items():
            scores.setdefault(start, {}).setdefault(known, []).append(values)
        settings.setdefault(name, {})[known] = [
            f"{s.learning_rate:g}/{s.dropout:g}" for s in tuned.settings
        ]
        means = {start: round(float(np.mean(values)), 3) for start, values in own.items()}
        print(f"{name} {known}: {means}", flush=True)
    return {
        "sources": len(sizes),
        "source rows": len(train),
        "source labels": sum(sizes),
        "seeds": plan.seeds,
        "targets": [targets.tasks[t].name for t in chosen],
        "rows": round(
            statistics.mean(len(of_target(targets.development, t).train) for t in chosen)
        ),
        "stage 1": {
            "seconds": found.seconds,
            "epochs": found.epochs_run.tolist(),
            "best": found.best_epoch.tolist(),
            "mean validation loss": [float(own[own.isfinite()].mean()) for own in found.loss],
        },
        "scores": scores,
        "settings": settings,
    }


def fine_tuned(
    target: Development,
    test: TaskData,
    encoders: dict[str, Tensors],
    *,
    how: Finetuning,
    folder: RunFolder,
    stage: str,
) -> tuple[Finetuned, dict[str, list[float]]]:
    """A target from every start, and start → test score of each seed, trees included."""
    tuned = finetune(folder, target, encoders, how=how, stage=stage)
    found = dict(zip(tuned.starts, tuned.scores(test).tolist(), strict=True))
    return tuned, found | {"trees": trees_scores(target, test, how)}


def trees_scores(target: Development, test: TaskData, how: Finetuning) -> list[float]:
    """Test scores of each seed's trees."""
    _, labels = test.labels(0)
    found = trees_predictions(HistTrees(), target, test, how)
    return [score(test.tasks[0], own, labels) for own in found]

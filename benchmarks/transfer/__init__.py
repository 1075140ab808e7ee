"""Pre-finetuning on ToxCast, fine-tuning on Tox21: few-shot curves, time and memory of 617 heads.

Sources are ToxCast's assays but those measured for Tox21; targets every second nuclear-receptor assay of
Tox21, cut by scaffold. No source molecule has a scaffold of the targets' validation or test molecules, so
none is one of them (needs the extra chem). One encoder counts every label alike, one every assay, both
trained as one population; each target is then fine-tuned from either and from scratch with the same sweep
and 5 seeds, which also draw the target's rows. The sweep is tuned on validation; test rows are scored once.

    python benchmarks/transfer.py [FOLDER]   # goes on in FOLDER; writes results/transfer.{json,md}
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.folders import RESULTS
from benchmarks.transfer.page import page
from benchmarks.transfer.price import peak, price
from benchmarks.transfer.problem import data
from cotrain.baselines.boosted import HistTrees
from cotrain.data import Splits
from cotrain.data.dataset import Development, TaskData
from cotrain.folder import RunFolder
from cotrain.results import Contender
from cotrain.run.selection import Choice
from cotrain.tasks import score
from cotrain.transfer import (
    UNIFORM,
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


def curves(targets: Splits, sources: Splits, folder: Path) -> dict[str, Any]:
    """Test scores of every start, target, number of rows and seed."""
    train = sources.development.train
    sizes = source_sizes(train)
    mixtures = {
        "by size": mixture_weights(sizes, range(len(sizes))),
        "uniform": mixture_weights(sizes, range(len(sizes)), temperature=UNIFORM),
    }
    found = pretrain(
        RunFolder(folder / "stage-1"), sources.development, mixtures, how=Pretraining()
    )
    print(f"stage 1: {found.seconds:.0f} s, {found.epochs_run.tolist()} epochs", flush=True)
    names = [task.name for task in targets.tasks]
    chosen = [t for t, name in enumerate(names) if name.startswith("NR-")][::2]
    served = (Contender.PRETRAINED,) * len(targets.tasks)
    test = targets.test.open_for(
        Choice(tasks=targets.tasks, served_by=served, network=served, valid=())
    )
    scores: dict[str, dict[str, list[list[float]]]] = {}
    settings: dict[str, dict[str, list[float]]] = {}
    whole = []
    for t in chosen:
        name, target = targets.tasks[t].name, of_target(targets.development, t)
        whole.append(len(target.train))
        for rows in ROWS:
            began = time.monotonic()
            how = Finetuning(rows=rows, seeds=SEEDS)
            tuned = finetune(
                RunFolder(folder / "stage-2"), target, found.encoders, how=how, stage=f"{t}-{rows}"
            )
            own = only_target(test, t)
            table_ = dict(zip(tuned.starts, tuned.scores(own).tolist(), strict=True))
            table_["trees"] = kept(
                folder / f"trees-{t}-{rows}.json",
                lambda a=target, b=own, c=how: trees_scores(a, b, c),
            )
            for start_, values in table_.items():
                scores.setdefault(start_, {}).setdefault(str(rows or "all"), []).append(values)
            settings.setdefault(name, {})[str(rows or "all")] = [
                f"{s.learning_rate:g}/{s.dropout:g}" for s in tuned.settings
            ]
            means = {start_: round(float(np.mean(v)), 3) for start_, v in table_.items()}
            print(f"{name} {rows or 'all'}: {means} {time.monotonic() - began:.0f} s", flush=True)
    return {
        "sources": len(sizes),
        "source rows": len(train),
        "source labels": sum(sizes),
        "targets": [targets.tasks[t].name for t in chosen],
        "rows": round(statistics.mean(whole)),
        "stage 1": {
            "seconds": found.seconds,
            "epochs": found.epochs_run.tolist(),
            "best": found.best_epoch.tolist(),
            "mean validation loss": [float(own[own.isfinite()].mean()) for own in found.loss],
        },
        "scores": scores,
        "settings": settings,
    }


def trees_scores(target: Development, test: TaskData, how: Finetuning) -> list[float]:
    """Test scores of each seed's trees."""
    _, labels = test.labels(0)
    found = trees_predictions(HistTrees(), target, test, how)
    return [score(test.tasks[0], own, labels) for own in found]


def kept(path: Path, make: Callable[[], list[float]]) -> list[float]:
    """What the file holds, or what is made and written to it."""
    if not path.exists():
        path.write_text(json.dumps(make()))
    return [float(value) for value in json.loads(path.read_text())]


def main() -> None:
    RESULTS.mkdir(exist_ok=True)
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    folder.mkdir(exist_ok=True)
    found: dict[str, Any] = {"price": price(folder / "price")}
    print(found["price"]["seconds an epoch"], flush=True)
    found["price"]["peak memory in GB"] = peak()
    found["curves"] = curves(*data(), folder)
    found["peak memory in GB"] = peak()
    (RESULTS / "transfer.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "transfer.md").write_text(page(found))

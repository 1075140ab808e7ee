"""The honest results table: `cotrain.plan` on Tox21 and on tables, every baseline beside it.

Each data set is run once with the defaults (5 seeds, 3 settings tried for each contender, split seed 0);
the test split is opened once. Tox21 uses the published 1024-bit fingerprints and the random 80/10/10 cut
of `numpy.random.default_rng(0).permutation`, with LightGBM as the trees.

    python benchmarks/tables.py [NAME ...]      # writes benchmarks/results/tables.{json,md}
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cotrain import Settings, from_arrays, from_table, infer_schema, plan, read_table
from cotrain.baselines.boosted import LightGBMTrees
from cotrain.data import RandomSplit, Splits, StratifiedSplit
from cotrain.results import Result

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
ADULT = [
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education_num",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
]
MULTITARGET = {"atp1d": 6, "jura": 3, "slump": 3, "edm": 2, "enb": 2, "andro": 6, "wq": 14}


def tox21() -> Splits:
    """The rows that parse, in file order; rows without any label stay out by themselves."""
    file = np.load(DATA / "mol_tox21" / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float32)
    labels = np.where(file["y"] < 0, np.nan, file["y"]).astype(np.float32)
    names = [str(name) for name in file["tasks"]]
    return from_arrays(bits, labels, names=names, split=RandomSplit(), seed=0)


def adult() -> Splits:
    """Income and never-married, without the columns that give the second away."""
    married = pl.col("marital_status") == "Never-married"
    frame = read_table(DATA / "tab_adult" / "adult.data.gz", ADULT)
    frame = frame.with_columns(never_married=married.cast(pl.Int64))
    schema = infer_schema(
        frame, targets=["income", "never_married"], ignore=["marital_status", "relationship"]
    )
    return from_table(frame, schema, RandomSplit(), 0)


def multitarget(name: str) -> Splits:
    frame = read_table(DATA / "tab_mulan_multitarget" / f"{name}.arff.gz")
    targets = frame.columns[-MULTITARGET[name] :]
    schema = infer_schema(frame, targets=targets, kinds=dict.fromkeys(targets, "regression"))
    return from_table(frame, schema, RandomSplit(), 0)


def multilabel(name: str) -> Splits:
    """The training file; labels with fewer than 40 positives are left out."""
    folder = DATA / "tab_mulan_multilabel"
    frame = read_table(folder / f"{name}-train.arff.gz")
    names = [label.attrib["name"] for label in ElementTree.parse(folder / f"{name}.xml").getroot()]
    targets = [n for n in names if frame[n].cast(pl.Float64).sum() >= 40]
    schema = infer_schema(frame, targets=targets, ignore=[n for n in names if n not in targets])
    return from_table(frame, schema, StratifiedSplit(), 0)


SETS: dict[str, Callable[[], Splits]] = {
    "tox21": tox21,
    "adult": adult,
    "emotions": lambda: multilabel("emotions"),
    "yeast": lambda: multilabel("yeast"),
    **{name: (lambda name=name: multitarget(name)) for name in MULTITARGET},  # type: ignore[misc]
}


def run(name: str) -> dict[str, Any]:
    folder = tempfile.mkdtemp()
    learner = {"trees": LightGBMTrees()} if name == "tox21" else {}
    began = time.time()
    result, _ = plan(SETS[name](), out=folder, settings=Settings(**learner), title=name)
    shutil.rmtree(folder)
    return summary(result) | {"minutes": (time.time() - began) / 60}


def summary(result: Result) -> dict[str, Any]:
    return {
        "tasks": len(result.tasks),
        "rows": result.rows,
        "metric": result.tasks[0].metric,
        "trees": result.settings["trees"],
        "mean_test": result.mean_test,
        "overall": {k: [v.value, v.low, v.high] for k, v in result.overall.items()},
        "served_by": [str(task.served_by) for task in result.tasks],
        "per_task": {task.name: dict(task.test) for task in result.tasks},
        "answer": result.answer,
        "groups": [group.tasks for group in result.grouping.groups],
        "engine": result.settings["engine"],
    }


def table(found: dict[str, Any]) -> str:
    head = "| data | tasks | rows | metric | single | joint | groups | trees | blend | shipped "
    lines = [head + "| joint − trees | shipped − single | shipped − trees |", "|---" * 13 + "|"]
    for name, one in found.items():
        mean = one["mean_test"]
        shown = [
            f"{mean[c]:.3f}" for c in ("single", "joint", "groups", "trees", "blend", "shipped")
        ]
        gains = [
            "{:+.3f} [{:+.3f}, {:+.3f}]".format(*one["overall"][pair])
            for pair in ("joint - trees", "shipped - single", "shipped - trees")
        ]
        rows = sum(one["rows"][part] for part in ("train", "valid", "test"))
        cells = [name, str(one["tasks"]), str(rows), one["metric"], *shown, *gains]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    names = sys.argv[1:] or list(SETS)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "tables.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in names:
        found[name] = run(name)
        ordered = {key: found[key] for key in SETS if key in found}
        path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False))
        (RESULTS / "tables.md").write_text(table(ordered))
        print(f"{name}: {found[name]['answer']} ({found[name]['minutes']:.1f} min)", flush=True)
    print(table(ordered))


if __name__ == "__main__":
    main()

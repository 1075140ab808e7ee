"""Is it worth changing the weights while training? Every method against uniform weights, at equal compute.

Each contender is one network for all tasks, found with twelve trainings: uniform weights and the adaptive
weightings try twelve settings of learning rate and dropout on validation; the searches try three and then
train a population of nine. Then each is trained from four more seeds (searched weights along their
schedule), and the test split is scored once: the five seeds' ensemble, differences to uniform weights with
95 % paired bootstrap intervals over test rows and seeds.

    python benchmarks/weights.py [TABLE ...]    # writes benchmarks/results/weights.{json,md}

The tables and splits are those of `benchmarks/tables.py`; in the domains of `benchmarks/domain_sets.py`
weights are sampling rates. Below the table stands the processor time of a search over that of nine plain
members of the same engine in the same process, medians of interleaved runs, nobody stopping early; and the
same with its schedule trained once more.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from cotrain.run.stages import build_engine
from domain_sets import digits, office, reviews
from numpy.typing import NDArray
from tables import SETS

from cotrain.contenders.weighted import INTERVALS, weigh
from cotrain.data.dataset import Splits, TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.trained import Trained, merge
from cotrain.engine.tuning import Setting, replicas, tuned
from cotrain.folder import RunFolder
from cotrain.run.budget import recipe_for
from cotrain.run.selection import settled
from cotrain.run.settings import Settings
from cotrain.stats import draw_rows, redraw
from cotrain.tasks import score
from cotrain.weighting import (
    FAMO,
    IMTLL,
    PB2,
    PBT,
    DynamicAverage,
    Fixed,
    GeometricMean,
    LossWeighting,
    OptimalUncertainty,
    Random,
    Uncertainty,
    optimize_weights,
)

RESULTS = Path(__file__).parent / "results"
DOMAINS: dict[str, Callable[[], Splits]] = {
    "digits (domains)": partial(digits, 600),
    "office (domains)": office,
    "reviews (domains)": partial(reviews, 600),
}
NAMES = ("tox21", "yeast", "emotions", "atp1d", *DOMAINS)
GRID = tuple(
    Setting(learning_rate=rate, dropout=dropout)
    for rate, dropout in product((1e-3, 2e-3, 3e-3, 5e-3), (0.0, 0.3, 1.0))
)
FIRST, MEMBERS, SEEDS, DRAWS, TIMED = 3, 9, 5, 300, 3
ADAPTIVE: dict[str, LossWeighting] = {
    "uniform": Fixed(),
    "random (RLW)": Random(),
    "uncertainty (UW)": Uncertainty(),
    "optimal uncertainty": OptimalUncertainty(),
    "IMTL-L": IMTLL(),
    "dynamic average (DWA)": DynamicAverage(),
    "geometric mean": GeometricMean(),
    "FAMO": FAMO(),
}
SEARCHES: dict[str, PBT] = {"PBT": PBT(members=MEMBERS), "PB2": PB2(members=MEMBERS)}
Array = NDArray[np.float64]
Counts = NDArray[np.integer[Any]]


def make_engine(splits: Splits, folder: str) -> Engine:
    recipe = recipe_for(len(splits.development.train), seed=0)
    settings = Settings()
    return build_engine(
        RunFolder(Path(folder)), splits.development, None, settings, recipe, lambda _: None
    )


def settings_of(method: LossWeighting, tasks: int, grid: tuple[Setting, ...]) -> list[Member]:
    return [
        Member(
            name=str(row),
            weights=(1.0,) * tasks,
            learning_rate=setting.learning_rate,
            dropout=setting.dropout,
            weighting=method,
        )
        for row, setting in enumerate(grid)
    ]


def best_of(engine: Engine, stage: str, members: list[Member]) -> Trained:
    """The member with the best mean validation score."""
    trained = engine.train(stage, members)
    (best,) = tuned(trained, engine.development.valid)
    return trained.select(lambda member: member == best)


def contenders(engine: Engine) -> dict[str, Trained]:
    """Seed 0 of each, found with twelve trainings."""
    tasks = len(engine.development.tasks)
    found = {}
    for name, method in ADAPTIVE.items():
        found[name] = best_of(engine, f"tune {name}", settings_of(method, tasks, GRID))
        print(f"  {name}", flush=True)
    start = best_of(engine, "first", settings_of(Fixed(), tasks, GRID[-FIRST:])).members[0]
    for name, searcher in SEARCHES.items():
        with tempfile.TemporaryDirectory() as folder:
            own = replace(engine, folder=RunFolder(Path(folder)))
            found[name] = weigh(own, searcher, start, ()).trained
        print(f"  {name}", flush=True)
    return found


def cost_of_search(engine: Engine) -> dict[str, list[float]]:
    """Processor time of a search, and of it with its schedule trained once more, over plain members."""
    tasks, recipe = len(engine.development.tasks), engine.recipe
    patient = replace(engine, recipe=replace(recipe, patience=recipe.epochs + 1))
    (start,) = settings_of(Fixed(), tasks, GRID[-1:])
    times: dict[str, list[list[float]]] = {name: [] for name in ("plain", *SEARCHES)}
    for _ in range(TIMED):
        for name, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                own = replace(patient, folder=RunFolder(Path(folder)))
                began = time.process_time()
                if name == "plain":
                    own.train("plain", [start] * MEMBERS)
                    found.append([time.process_time() - began])
                    continue
                searcher = replace(SEARCHES[name], learning_rate=start.learning_rate)
                every = max(1, recipe.epochs // INTERVALS)
                search, _ = optimize_weights(
                    own, searcher, stage="w", every=every, dropout=start.dropout
                )
                alone = time.process_time() - began
                own.train("again", [search.schedule().member("again", seed=1)])
                found.append([alone, time.process_time() - began])
    plain = float(np.median(times.pop("plain")))
    return {n: (np.median(own, axis=0) / plain).tolist() for n, own in times.items()}


def test_predictions(engine: Engine, trained: Trained, test: TaskData) -> list[Array]:
    """Per task ``[S, N, ...]``."""
    return predictions(test.tasks, engine.predict(trained, test.inputs))


def scores(test: TaskData, found: list[Array], rows: Counts | None, seeds: Counts) -> Array:
    """``[T]`` scores of the ensemble of some seeds on some rows."""
    own = []
    for t, task in enumerate(test.tasks):
        labels = test.labels(t) if rows is None else redraw(test.labels(t), rows)
        own.append(score(task, found[t][seeds][:, labels[0]].mean(axis=0), labels[1]))
    return np.array(own)


def judge(name: str) -> dict[str, Any]:
    splits = (SETS | DOMAINS)[name]()
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(splits, folder)
        ratio = cost_of_search(engine)
        first = contenders(engine)
        everyone = {
            contender: merge(
                [own, engine.train(f"seeds {contender}", replicas(own.members, SEEDS))]
            )
            for contender, own in first.items()
        }
        test = splits.test.open_for(settled(splits.tasks))
        found = {c: test_predictions(engine, own, test) for c, own in everyone.items()}
    every = np.arange(SEEDS)
    mean = {c: float(np.nanmean(scores(test, own, None, every))) for c, own in found.items()}
    rng = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {c: [] for c in found}
    for _ in range(DRAWS):
        rows, seeds = draw_rows(rng, len(test)), rng.integers(0, SEEDS, SEEDS)
        for c, own in found.items():
            drawn[c].append(float(np.nanmean(scores(test, own, rows, seeds))))
    return {
        "tasks": len(splits.tasks),
        "contenders": {
            c: {
                "mean": mean[c],
                "gain": _interval(mean[c] - mean["uniform"], drawn[c], drawn["uniform"]),
                "search": ratio.get(c),
            }
            for c in found
        },
    }


def _interval(value: float, a: list[float], b: list[float]) -> list[float]:
    """The difference with its 95 % interval, moved so that the median is the value."""
    apart = np.array(a) - np.array(b)
    low, high = np.percentile(apart - np.median(apart) + value, [2.5, 97.5])
    return [value, float(low), float(high)]


def page(found: dict[str, Any]) -> str:
    lines = [
        "# Weights that change against uniform weights, at equal compute",
        "",
        "`python benchmarks/weights.py`. Mean test score over the tasks; in brackets the difference to",
        "uniform weights with its 95 % interval, bold where it excludes zero. With ten contenders, one",
        "interval in twenty excludes zero by chance.",
        "",
        f"| contender | {' | '.join(found)} |",
        f"|---|{'---|' * len(found)}",
    ]
    for contender in next(iter(found.values()))["contenders"]:
        cells = []
        for table in found.values():
            one = table["contenders"][contender]
            value, low, high = one["gain"]
            text = f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
            sure = low > 0 or high < 0
            cells.append(f"{one['mean']:.4f} ({f'**{text}**' if sure else text})")
        lines.append(f"| {contender} | {' | '.join(cells)} |")
    lines += ["", f"Processor time of a search over that of {MEMBERS} plain members:", ""]
    lines += [f"| search | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for name in SEARCHES:
        for at, suffix in enumerate(("", ", and its schedule once more")):
            ratios = [f"{table['contenders'][name]['search'][at]:.2f}×" for table in found.values()]
            lines.append(f"| {name}{suffix} | {' | '.join(ratios)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    path = RESULTS / "weights.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    for name in sys.argv[1:] or NAMES:
        print(name, flush=True)
        found[name] = judge(name)
        path.write_text(json.dumps(found, indent=1) + "\n")
        (RESULTS / "weights.md").write_text(page(found))
    print(page(found))


if __name__ == "__main__":
    main()

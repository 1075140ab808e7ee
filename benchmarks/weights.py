"""Is it worth changing the weights while training? Every method against uniform weights, at equal compute.

Each contender is one network for all tasks, found with twelve trainings: uniform weights and the adaptive
weightings try twelve settings of learning rate and dropout on validation; the searches try three and then
train a population of nine. Then each is trained from four more seeds (searched weights along their
schedule), and the test split is scored once: the five seeds' ensemble, differences to uniform weights with
95 % paired bootstrap intervals over test rows and seeds.

    python -m benchmarks weights    # writes benchmarks/results/weights.{json,md}

The tables and splits are those of the benchmark `tables`; in the domains of `common/domain_sets.py`
weights are sampling rates. Below the table stands the processor time of a search over that of nine plain
members of the same engine in the same process, medians of interleaved runs, nobody stopping early; and the
same with its schedule trained once more.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arrays import Array
from benchmarks.common.domain_sets import digits, office, reviews
from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import bold_interval, table
from benchmarks.common.networks import engine_on, member_at, test_rows
from benchmarks.common.options import Options
from benchmarks.common.table_sets import SETS
from cotrain.contenders.base import Context
from cotrain.contenders.weighted import INTERVALS, Weighted
from cotrain.data.dataset import Splits, TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.recipe import Recipe
from cotrain.engine.trained import Trained, merge
from cotrain.engine.tuning import Setting, tuned
from cotrain.folder import RunFolder
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
Counts = NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is trained.

    Args:
        names: Of the data sets.
        grid: Settings that are tried.
        adaptive: Name → weighting; the first are uniform weights.
        seeds: Of every contender.
        draws: Of the bootstrap.
        timed: Runs whose time is taken.
        recipe: Epochs and batches; those of a run, if None.
    """

    names: tuple[str, ...] = NAMES
    grid: tuple[Setting, ...] = GRID
    adaptive: dict[str, LossWeighting] = field(default_factory=lambda: ADAPTIVE)
    seeds: int = SEEDS
    draws: int = DRAWS
    timed: int = TIMED
    recipe: Recipe | None = None


QUICK = Plan(
    names=("emotions",),
    grid=GRID[-1:],
    adaptive={"uniform": Fixed(), "geometric mean": GeometricMean()},
    seeds=2,
    draws=10,
    timed=1,
    recipe=Recipe(epochs=8),
)


def run(options: Options) -> None:
    """All contenders on all data sets."""
    plan, found = QUICK if options.quick else Plan(), {}
    for name in plan.names:
        print(name, flush=True)
        found[name] = judge(name, plan)
        write_json(options.out / "weights.json", found)
    write_page(options.out / "weights.md", page(found))


def settings_of(method: LossWeighting, tasks: int, grid: tuple[Setting, ...]) -> list[Member]:
    """A joint member for every setting."""
    return [
        replace(member_at(setting, (1.0,) * tasks, name=str(row)), weighting=method)
        for row, setting in enumerate(grid)
    ]


def best_of(engine: Engine, stage: str, members: list[Member]) -> Trained:
    """The member with the best mean validation score."""
    trained = engine.train(stage, members)
    (best,) = tuned(trained, engine.development, 1)
    return trained.select(lambda member: member == best)


def contenders(engine: Engine, plan: Plan) -> dict[str, Trained]:
    """Seed 0 of each, found with twelve trainings."""
    tasks = len(engine.development.tasks)
    found = {}
    for name, method in plan.adaptive.items():
        found[name] = best_of(engine, f"tune {name}", settings_of(method, tasks, plan.grid))
        print(f"  {name}", flush=True)
    start = best_of(engine, "first", settings_of(Fixed(), tasks, plan.grid[-FIRST:])).members[0]
    for name, searcher in SEARCHES.items():
        with tempfile.TemporaryDirectory() as folder:
            own = replace(engine, folder=RunFolder(Path(folder)))
            found[name] = searched(own, searcher, start)
        print(f"  {name}", flush=True)
    return found


def searched(engine: Engine, searcher: PBT, start: Member) -> Trained:
    """Seed 0 of searched weights, from the setting of the joint network."""
    joint = Member(name="joint", weights=start.weights)
    tasks = engine.development.tasks
    context = Context(
        tasks=tasks, drawn=tuple(range(len(tasks))), alone=len(tasks), tuned={joint.kind: start}
    )
    found = Weighted(weights=searcher).search(engine, context)
    assert found is not None
    return found.trained


def cost_of_search(engine: Engine, rounds: int) -> dict[str, list[float]]:
    """Processor time of a search, and of it with its schedule trained once more, over plain members."""
    tasks, recipe = len(engine.development.tasks), engine.recipe
    patient = replace(engine, recipe=replace(recipe, patience=recipe.epochs + 1))
    (start,) = settings_of(Fixed(), tasks, GRID[-1:])
    times: dict[str, list[list[float]]] = {name: [] for name in ("plain", *SEARCHES)}
    for _ in range(rounds):
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


def judge(name: str, plan: Plan) -> dict[str, Any]:
    """Scores of all contenders on one data set, and what a search costs."""
    splits = (SETS | DOMAINS)[name]()
    with tempfile.TemporaryDirectory() as folder:
        engine = engine_on(splits.development, folder, recipe=plan.recipe)
        ratio = cost_of_search(engine, plan.timed)
        first = contenders(engine, plan)
        everyone = {
            contender: merge(
                [own, engine.train(f"seeds {contender}", replicas(own.members, plan.seeds))]
            )
            for contender, own in first.items()
        }
        test = test_rows(splits, everyone)
        found = {c: test_predictions(engine, own, test) for c, own in everyone.items()}
    every = np.arange(plan.seeds)
    mean = {c: float(np.nanmean(scores(test, own, None, every))) for c, own in found.items()}
    rng = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {c: [] for c in found}
    for _ in range(plan.draws):
        rows, seeds = draw_rows(rng, len(test)), rng.integers(0, plan.seeds, plan.seeds)
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
    """Scores with differences to uniform weights, and what searches cost."""
    lines = [
        "# Weights that change against uniform weights, at equal compute",
        "",
        "`python -m benchmarks weights`. Mean test score over the tasks; in brackets the difference to",
        "uniform weights with its 95 % interval, bold where it excludes zero. With ten contenders, one",
        "interval in twenty excludes zero by chance.",
        "",
    ]
    rows = []
    for contender in next(iter(found.values()))["contenders"]:
        own = [data["contenders"][contender] for data in found.values()]
        rows.append([contender, *(f"{o['mean']:.4f} ({bold_interval(*o['gain'])})" for o in own)])
    lines += table(["contender", *found], rows)
    lines += ["", f"Processor time of a search over that of {MEMBERS} plain members:", ""]
    rows = []
    for name in SEARCHES:
        for at, suffix in enumerate(("", ", and its schedule once more")):
            own = [data["contenders"][name]["search"][at] for data in found.values()]
            rows.append([f"{name}{suffix}", *(f"{ratio:.2f}×" for ratio in own)])
    lines += table(["search", *found], rows)
    return "\n".join(lines) + "\n"


def replicas(best: Sequence[Member], seeds: int) -> list[Member]:
    """The chosen members from the remaining seeds; those of one rate and one weighting stand together."""
    return [
        replace(member, seed=seed)
        for member in sorted(best, key=lambda m: (str(m.weighting), m.learning_rate))
        for seed in range(1, seeds)
    ]

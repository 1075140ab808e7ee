"""Judges every instrument on real data by the exhaustive truth: who predicts which tasks help each other?

Truth: every set of tasks trained (2^T − 1 sets, 5 seeds); the true gain of a task in a set is its mean
test score there minus its mean test score alone. Instruments see training and validation rows only. For
each one: rank correlation between what it predicts for a task in a set and the true gain, over all sets of
two or more; the true mean gain of the plan it leads to (at most k groups, each task served by the group the
instrument scores best); its share of the oracle's; its cost in trainings of one network from one seed.

    python benchmarks/instruments.py       # writes benchmarks/results/instruments.{json,md}

Tox21: six assays (NR-AhR, NR-Aromatase, NR-ER, SR-ARE, SR-MMP, SR-p53), 1024-bit fingerprints. ETTh1: the
seven channels a day ahead from the last two days, a window every three hours, rows in order of time
(70 / 10 / 20 %).
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from cotrain.run.stages import build_engine
from numpy.typing import NDArray

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member, indicator
from cotrain.engine.tuning import SETTINGS, member_scores
from cotrain.folder import RunFolder
from cotrain.grouping import SubsetSearch, best_cover
from cotrain.grouping.objective import all_scores, clean
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gains.sets import every_set
from cotrain.measure.gains.surrogate import Surrogate
from cotrain.measure.gradients.instrument import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.run.budget import recipe_for
from cotrain.run.settings import Settings
from cotrain.stats import rank_correlation
from cotrain.tasks import Kind, Task

DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"
SEEDS = 5
ASSAYS = ("NR-AhR", "NR-Aromatase", "NR-ER", "SR-ARE", "SR-MMP", "SR-p53")
PAST, AHEAD, STRIDE = 48, 24, 3  # hours
Array = NDArray[np.float64]


def task_data(x: Array, y: Array, tasks: tuple[Task, ...]) -> TaskData:
    inputs = torch.from_numpy(x.astype(np.float32))
    return TaskData(
        inputs=inputs,
        targets=torch.from_numpy(np.nan_to_num(y).astype(np.float32)),
        mask=torch.from_numpy(np.isfinite(y)),
        tasks=tasks,
        columns=inputs.double().numpy(),
        categorical=np.zeros(x.shape[1], dtype=bool),
    )


def tox21() -> tuple[Development, TaskData]:
    """Training, validation and test rows of six assays, cut 80/10/10 at random."""
    file = np.load(DATA / "mol_tox21" / "ecfp4_1024.npz")
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024].astype(np.float64)
    names = [str(name) for name in file["tasks"]]
    y = np.where(file["y"] < 0, np.nan, file["y"])[:, [names.index(name) for name in ASSAYS]]
    tasks = tuple(Task(name=name, kind=Kind.BINARY, classes=("0", "1")) for name in ASSAYS)
    labelled = np.isfinite(y).any(axis=1)
    bits, y = bits[labelled], y[labelled]
    order = np.random.default_rng(0).permutation(len(y))
    cuts = np.split(order, [int(0.8 * len(y)), int(0.9 * len(y))])
    train, valid, test = (task_data(bits[rows], y[rows], tasks) for rows in cuts)
    return Development(train=train, valid=valid), test


def etth1() -> tuple[Development, TaskData]:
    """Windows in order of time; channels standardised on the training rows; no window crosses a cut."""
    with gzip.open(DATA / "ts_ett_hourly" / "ETTh1.csv.gz") as file:
        frame = pl.read_csv(file.read()).drop("date")
    values = frame.to_numpy().astype(np.float64)
    ends = [int(share * len(values)) for share in (0, 0.7, 0.8, 1)]
    start = values[: ends[1]]
    values = (values - start.mean(axis=0)) / start.std(axis=0)
    tasks = tuple(Task(name=name, kind=Kind.REGRESSION) for name in frame.columns)
    parts = []
    for first, last in pairwise(ends):
        at = np.arange(first + PAST, last - AHEAD, STRIDE)
        windows = np.lib.stride_tricks.sliding_window_view(values, PAST, axis=0)[at - PAST]
        parts.append(task_data(windows.reshape(len(at), -1), values[at + AHEAD - 1], tasks))
    return Development(train=parts[0], valid=parts[1]), parts[2]


def make_engine(development: Development, folder: str) -> Engine:
    recipe = recipe_for(len(development.train), seed=0)
    return build_engine(
        RunFolder(Path(folder)), development, None, Settings(), recipe, lambda _: None
    )


def train_all_sets(name: str) -> None:
    """Train every set from every seed; keep its validation and its test scores."""
    development, test = CASES[name]()
    sets = every_set(len(development.tasks))
    with tempfile.TemporaryDirectory() as folder:
        engine = make_engine(development, folder)
        valid, tested, examples, began = [], [], 0, time.monotonic()
        for seed in range(SEEDS):
            members = [
                Member(
                    name=f"set {row}",
                    weights=tuple(map(float, row_set)),
                    seed=seed,
                    learning_rate=SETTINGS[0].learning_rate,
                    dropout=SETTINGS[0].dropout,
                )
                for row, row_set in enumerate(sets)
            ]
            trained = engine.train(f"seed-{seed}", members)
            outputs = engine.predict(trained, test.inputs)
            valid.append(member_scores(trained, development.valid))
            tested.append(member_scores(replace(trained, outputs=outputs), test))
            examples += engine.examples(trained)
            engine.forget(f"seed-{seed}", members)
            print(f"{name}: seed {seed}, {time.monotonic() - began:.0f} s", flush=True)
    truth = {
        "tasks": [task.name for task in development.tasks],
        "examples_per_training": examples / (SEEDS * len(sets)),
        "valid": np.round(valid, 5).tolist(),
        "test": np.round(tested, 5).tolist(),
    }
    text = json.dumps(truth, separators=(",", ":")).replace("NaN", "null")
    (RESULTS / f"exhaustive_{name}.json").write_text(text + "\n")


CASES: dict[str, Callable[[], tuple[Development, TaskData]]] = {"tox21": tox21, "etth1": etth1}
TITLES = {"tox21": "Tox21, six assays", "etth1": "ETTh1, seven channels"}


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Gains over training alone of every task in every set, ``[2^T − 1, T]`` a seed."""

    tasks: tuple[str, ...]
    valid: Array  # [S, N, T]
    test: Array  # [S, N, T]
    examples_per_training: float

    @classmethod
    def read(cls, name: str) -> Truth:
        content = json.loads((RESULTS / f"exhaustive_{name}.json").read_text())
        valid, test = (np.array(content[split], dtype=np.float64) for split in ("valid", "test"))
        singles = [2**t - 1 for t in range(len(content["tasks"]))]

        def gains(scores: Array) -> Array:
            return scores - scores[:, singles, range(len(singles))][:, None]

        return cls(
            tasks=tuple(content["tasks"]),
            valid=gains(valid),
            test=gains(test),
            examples_per_training=content["examples_per_training"],
        )


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """What an instrument thinks: ``[2^T − 1, T]`` score of each task in each set, and what it cost."""

    scores: Array
    trainings: float
    reliability: float = float("nan")  # rank correlation between two halves of what was measured


class JointRun(NamedTuple):
    """What looking on at one joint run found: a ``[T, T]`` matrix an instrument (row = recipient)."""

    matrices: dict[str, Array]
    distances: Array  # of data maps
    trainings: float
    reliability: float  # of the lookahead


def look_on(name: str, truth: Truth, seed: int) -> JointRun:
    """Everything that looks on at one joint run."""
    development, _ = CASES[name]()
    tasks = truth.tasks
    gradients, maps = Gradients(tasks=tasks), DataMaps(tasks, rows=len(development.train))
    watchers = Watchers(lookahead=Lookahead(tasks=tasks), gradients=gradients, maps=maps)
    joint = Member(
        name="joint",
        weights=indicator(set(range(len(tasks))), len(tasks)),
        seed=seed,
        learning_rate=SETTINGS[0].learning_rate,
        dropout=SETTINGS[0].dropout,
    )
    with tempfile.TemporaryDirectory() as folder:
        examples, _ = measure_joint_run(make_engine(development, folder), joint, watchers)
    affinity, distances = watchers.lookahead.affinity(), maps.result().distances()
    off = ~np.eye(len(tasks), dtype=bool)
    return JointRun(
        matrices={
            "lookahead": affinity.mean,
            "first order": affinity.first_order,
            "gradient cosine": gradients.similarity().cosine,
            "data map (closer than average)": distances[off].mean() - distances,
        },
        distances=distances,
        trainings=examples / truth.examples_per_training,
        reliability=affinity.reliability,
    )


def joint_runs() -> dict[str, list[JointRun]]:
    """What was found in one joint run of every seed; they are done where the file is missing."""
    path = RESULTS / "joint_runs.json"
    if not path.exists():
        found = {
            name: [look_on(name, Truth.read(name), seed) for seed in range(SEEDS)] for name in CASES
        }
        text = json.dumps(found, default=_rounded, separators=(",", ":")).replace("NaN", "null")
        path.write_text(text + "\n")
    return {
        name: [
            JointRun(
                {key: np.array(one, dtype=np.float64) for key, one in matrices.items()},
                np.array(distances, dtype=np.float64),
                *rest,
            )
            for matrices, distances, *rest in runs
        ]
        for name, runs in json.loads(path.read_text()).items()
    }


def _rounded(array: Array) -> list[Any]:
    return [[float(f"{value:.6g}") for value in row] for row in array]


def joint_run_opinions(run: JointRun) -> dict[str, Opinion]:
    """What the instruments of a joint run think."""
    return {
        instrument: Opinion(
            scores=pairwise_scores(matrix),
            trainings=run.trainings,
            reliability=run.reliability if instrument == "lookahead" else float("nan"),
        )
        for instrument, matrix in run.matrices.items()
    }


def pairwise_scores(matrix: Array) -> Array:
    """``[2^T − 1, T]``: a task in a set scores the mean of its partners, alone 0."""
    return all_scores(clean(matrix), np.zeros(len(matrix)))


def trained_opinions(truth: Truth, seed: int) -> dict[str, Opinion]:
    """Everything that learns from validation scores of trained sets."""
    sets, gains = every_set(len(truth.tasks)), truth.valid[seed]
    sizes = sets.sum(axis=1)
    singles = int((sizes == 1).sum())
    pairs = np.full((len(truth.tasks), len(truth.tasks)), np.nan)
    for row in np.flatnonzero(sizes == 2):
        a, b = np.flatnonzero(sets[row])
        pairs[a, b], pairs[b, a] = gains[row, a], gains[row, b]
    found = {
        "all pairs trained (HOA)": Opinion(
            scores=pairwise_scores(pairs), trainings=singles + (sizes == 2).sum()
        ),
        "all sets trained": Opinion(scores=gains, trainings=len(sets)),
    }
    for more in (5, 10, 20):
        search = SubsetSearch(tasks=truth.tasks, max_groups=3, seed=seed)
        while len(search.gains.sets) < singles + 1 + more:
            asked = search.ask(min(5, singles + 1 + more - len(search.gains.sets)))
            rows = (asked @ (1 << np.arange(len(truth.tasks)))) - 1
            search.tell(asked, gains[rows])
        mean, _ = Surrogate.fit(search.gains).predict(sets)
        found[f"sampled, {more} sets"] = Opinion(
            scores=np.where(sets, mean, -np.inf), trainings=singles + 1 + more
        )
    return found


def judged(opinion: Opinion, truth: Truth, seed: int | None = None) -> dict[str, Any]:
    """Rank correlation with the true gains, and the true gain of the plans by every seed's networks.

    An instrument that worked with a seed is not judged by the networks of that seed.
    """
    others = [each for each in range(SEEDS) if each != seed]
    sets, gains = every_set(len(truth.tasks)), truth.test[others].mean(axis=0)
    company = sets & (sets.sum(axis=1) > 1)[:, None]
    scores = np.where(sets, np.nan_to_num(opinion.scores, nan=0.0), -np.inf)
    found: dict[str, Any] = {
        "trainings": float(opinion.trainings),
        "reliability": opinion.reliability,
        "rank": rank_correlation(scores[company], gains[company]),
    }
    for k in (2, 3):
        by_judge = [plan_gain(scores, own, k) for own in truth.test]
        found[f"plan {k}"] = np.where(np.isin(range(SEEDS), others), by_judge, np.nan)
    return found


def mean_and_error(values: Array) -> tuple[float, float]:
    """Of ``[R, J]`` gains of R plans before J judges, NaN where a judge's seed took part in deciding.

    One judge a plan: the standard error over plans. More: the jackknife over seeds, which leave as judges
    and as deciders, so that both the luck of deciding and that of judging are in it.
    """
    mean, (plans, judges) = float(np.nanmean(values)), values.shape
    if (np.isfinite(values).sum(axis=1) == 1).all():
        spread = np.nanstd(values, ddof=1) if plans > 1 else np.nan
        return mean, float(spread / np.sqrt(plans))
    without = [
        np.nanmean(np.delete(values[np.isfinite(values[:, j])], j, axis=1)) for j in range(judges)
    ]
    return mean, float(np.sqrt((judges - 1) * np.var(without)))


def plan_gain(scores: Array, gains: Array, k: int) -> float:
    """True mean gain of the best plan by the scores."""
    grouping = best_cover(every_set(scores.shape[1]), scores, k)
    rows = [grouping.rows[g] for g in grouping.server]
    return float(gains[rows, range(len(rows))].mean())


def judge_case(name: str) -> dict[str, object]:
    """All instruments, each repeated from every seed."""
    truth = Truth.read(name)
    sets, gains = every_set(len(truth.tasks)), truth.test.mean(axis=0)
    company = sets & (sets.sum(axis=1) > 1)[:, None]
    verdicts: dict[str, list[dict[str, Any]]] = {}
    for seed, run in enumerate(joint_runs()[name]):
        opinions = joint_run_opinions(run) | trained_opinions(truth, seed)
        for instrument, opinion in opinions.items():
            verdicts.setdefault(instrument, []).append(judged(opinion, truth, seed))
    everything = Opinion(scores=truth.valid.mean(axis=0), trainings=SEEDS * len(sets))
    verdicts[f"all sets trained, {SEEDS} seeds"] = [judged(everything, truth)]
    rng = np.random.default_rng(0)
    verdicts["chance"] = [
        judged(Opinion(scores=rng.normal(size=sets.shape), trainings=0), truth) for _ in range(200)
    ]
    oracle = np.where(sets, gains, -np.inf)
    return {
        "tasks": truth.tasks,
        "all together": float(gains[-1].mean()),
        "oracle": {k: plan_gain(oracle, gains, k) for k in (2, 3)},
        "truth repeats itself": rank_correlation(
            truth.test[:2].mean(axis=0)[company], truth.test[2:].mean(axis=0)[company]
        ),
        "instruments": {
            instrument: {key: _pooled([each[key] for each in found]) for key in found[0]}
            for instrument, found in verdicts.items()
        },
    }


def _pooled(values: list[Any]) -> tuple[float, float]:
    """Mean and standard error: of plans see :func:`mean_and_error`, of the rest over opinions."""
    found = np.array(values, dtype=np.float64)
    return mean_and_error(found if found.ndim == 2 else found[:, None])


def page(cases: dict[str, dict[str, Any]]) -> str:
    lines = [
        "# Instruments judged by the exhaustive truth",
        "",
        "`python benchmarks/instruments.py`; gains are differences in mean test score (AUC, R²) to",
        "training alone. A seed's instrument is judged by the test scores of the other seeds' networks;",
        "± are standard errors: of plans by the jackknife over the 5 seeds, which leave as instruments and",
        "as judges; of rank correlations over the instrument's seeds. Order of rows and split are the same",
        "for all seeds. Cost in trainings of one network; the first four looked on at the same joint run.",
        "The oracle chooses by the true test gains of all seeds.",
    ]
    for name, case in cases.items():
        lines += [
            "",
            f"## {TITLES[name]}",
            "",
            f"All together {case['all together']:+.4f}; oracle {case['oracle'][2]:+.4f} with 2 groups, "
            f"{case['oracle'][3]:+.4f} with 3; the truth of two seeds and of three others agree at rank "
            f"correlation {case['truth repeats itself']:.2f}. Two halves of the lookahead's probes agree "
            f"at {case['instruments']['lookahead']['reliability'][0]:.2f} on average over the seeds.",
            "",
            "| instrument | trainings | rank correlation | plan, 2 groups | regret | "
            "plan, 3 groups | regret |",
            "|---|---|---|---|---|---|---|",
        ]
        for instrument, found in case["instruments"].items():
            cells = [instrument, f"{found['trainings'][0]:.1f}", _with_error(found["rank"], 2)]
            for k in (2, 3):
                plan = found[f"plan {k}"]
                cells += [_with_error(plan, 4), f"{case['oracle'][k] - plan[0]:.4f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _with_error(value: tuple[float, float], digits: int) -> str:
    error = "" if np.isnan(value[1]) else f" ± {value[1]:.{digits}f}"
    return f"{value[0]:+.{digits}f}{error}"


def main() -> None:
    for name in CASES:
        if not (RESULTS / f"exhaustive_{name}.json").exists():
            train_all_sets(name)
    cases = {name: judge_case(name) for name in CASES}
    (RESULTS / "instruments.json").write_text(json.dumps(cases, indent=1) + "\n")
    (RESULTS / "instruments.md").write_text(page(cases))
    print(page(cases))


if __name__ == "__main__":
    main()

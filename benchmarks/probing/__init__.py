"""What looking costs: probes every 10 steps against plain training, and against the obvious ways.

    python benchmarks/probing.py    # writes benchmarks/results/probing.md and .json

One joint network 1024-256-256, batch 256, in bfloat16 as the engine chooses. In one process, interleaved,
medians: ten plain steps of the engine; ten steps of a plain PyTorch loop; one probe of each kind. A
faithful loop does for a probe what the paper says: T backward passes and T forward passes, one after the
other. TorchJD's engine computes the Gram matrix of the same T losses.
"""

from __future__ import annotations

import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common.folders import DATA, RESULTS
from benchmarks.probing.case import INPUTS, ROWS, STEPS, Case
from benchmarks.probing.page import page
from cotrain import Settings, from_arrays
from cotrain.data import StratifiedSplit
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import start, train_cohort
from cotrain.folder import RunFolder
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.instrument import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run, probe_rows
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.probes import rank_correlation
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.run.budget import recipe_for
from cotrain.run.stages import build_engine

REPEATS = 9


def medians(case: Case, rows: int) -> dict[str, float]:
    """Seconds of everything, interleaved."""
    jobs: dict[str, Callable[[], None]] = {
        "engine": case.engine_steps,
        "plain": case.plain_steps,
        "lookahead": lambda: case.lookahead(rows),
        "first order": lambda: case.first_order(rows),
        "gradients": lambda: case.gradients(rows),
        "lookahead, whole batch": lambda: case.lookahead(ROWS),
        "first order, whole batch": lambda: case.first_order(ROWS),
        "faithful loop, whole batch": lambda: case.faithful(ROWS),
        "TorchJD Gram matrix, whole batch": lambda: case.torchjd_gram(ROWS),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(REPEATS + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


def costs() -> list[dict[str, object]]:
    """One row a number of tasks."""
    found = []
    for tasks in (12, 64, 100):
        rows = min(ROWS, probe_rows(tasks))
        seconds = medians(Case(tasks=tasks), rows)
        found.append({"tasks": tasks, "probe rows": rows, "seconds": seconds})
        print(tasks, rows, {k: round(1e3 * v, 1) for k, v in seconds.items()}, flush=True)
    return found


def tox21(folder: str) -> Engine:
    """Twelve assays, 1024-bit fingerprints, the defaults of a run."""
    return engine_on(DATA / "mol_tox21" / "ecfp4_1024.npz", folder)


def toxcast(folder: str) -> Engine:
    """617 assays."""
    return engine_on(DATA / "mol_toxcast617" / "ecfp4_1024.npz", folder)


def engine_on(path: Path, folder: str) -> Engine:
    file = np.load(path)
    bits = np.unpackbits(file["fp_packed"], axis=1)[:, :INPUTS].astype(np.float32)
    labels = np.where(file["y"] < 0, np.nan, file["y"]).astype(np.float32)
    names = [str(name) for name in file["tasks"]]
    development = from_arrays(bits, labels, names=names, split=StratifiedSplit()).development
    recipe = recipe_for(len(development.train), seed=0)
    return build_engine(
        RunFolder(Path(folder)), development, None, Settings(), recipe, lambda _: None
    )


def agreement() -> dict[str, object]:
    """Rank agreement of affinities from parts of the batch with those from the whole, on one run."""
    with tempfile.TemporaryDirectory() as folder:
        engine = tox21(folder)
    tasks = [task.name for task in engine.development.tasks]
    whole = engine.recipe.batch_size
    instruments = {rows: Lookahead(tasks=tasks) for rows in (whole, 128, 64, 32) if rows <= whole}
    net = engine.architecture.build(seed=0)

    def before_update(step: TrainingStep) -> None:
        if step.state.step % STEPS == 0 and step.state.step > 0:
            for rows, lookahead in instruments.items():
                part = replace(step, batch=step.batch.part(slice(rows)))
                lookahead.probe(EnginePoint(net, engine.executor, part))

    joint = Member(name="joint", weights=(1.0,) * len(tasks), learning_rate=3e-3, dropout=0.3)
    train_cohort(
        [joint],
        start([joint], engine.architecture, engine.development),
        engine.executor,
        engine.development,
        engine.recipe,
        before_update=before_update,
    )
    samples = np.array(instruments[whole].exact)
    halves = [np.nanmean(samples[half::2], axis=0) for half in (0, 1)]
    off = ~np.eye(len(tasks), dtype=bool)
    means = {rows: each.affinity() for rows, each in instruments.items()}
    return {
        "probes": len(samples),
        "batch": whole,
        "halves of the whole": rank_correlation(halves[0][off], halves[1][off]),
        "rows": {r: rank_correlation(m.mean, means[whole].mean) for r, m in means.items()},
        "first order": {r: m.agreement for r, m in means.items()},
        "mean standard error": {r: float(np.nanmean(m.standard_error)) for r, m in means.items()},
    }


def many_tasks() -> dict[str, object]:
    """One measured joint run on ToxCast, and the same run without instruments."""
    with tempfile.TemporaryDirectory() as folder:
        engine = toxcast(folder)
        tasks = [task.name for task in engine.development.tasks]
        joint = Member(name="joint", weights=(1.0,) * len(tasks), learning_rate=3e-3, dropout=0.3)
        began = time.perf_counter()
        engine.train("plain", [joint])
        plain = time.perf_counter() - began
        watchers = Watchers(lookahead=Lookahead(tasks=tasks))
        began = time.perf_counter()
        measure_joint_run(engine, joint, watchers)
        lookahead = time.perf_counter() - began
        every = Watchers(
            lookahead=Lookahead(tasks=tasks),
            gradients=Gradients(tasks=tasks),
            maps=DataMaps(tasks, rows=len(engine.development.train)),
        )
        began = time.perf_counter()
        measure_joint_run(engine, joint, every)
        everything = time.perf_counter() - began
    affinity = watchers.lookahead.affinity()
    return {
        "tasks": len(tasks),
        "rows of a probe": probe_rows(len(tasks)),
        "probes": affinity.probes,
        "pairs measured": int(np.isfinite(affinity.mean).sum()),
        "plain seconds": plain,
        "with lookahead": lookahead,
        "with lookahead, gradients, data map": everything,
        "rank agreement with first order": affinity.agreement,
        "peak bytes of the process": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def main() -> None:
    table, agreed, many = costs(), agreement(), many_tasks()
    found = {"costs": table, "agreement": agreed, "toxcast": many}
    (RESULTS / "probing.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "probing.md").write_text(page(table, agreed, many))
    print((RESULTS / "probing.md").read_text())

"""What looking costs: probes every 10 steps against plain training, and against the obvious ways.

    python -m benchmarks probing    # writes benchmarks/results/probing.md and .json

One joint network 1024-256-256, batch 256, in bfloat16 as the engine chooses. In one process, interleaved,
medians: ten plain steps of the engine; ten steps of a plain PyTorch loop; one probe of each kind. A
faithful loop does for a probe what the paper says: T backward passes and T forward passes, one after the
other. TorchJD's engine computes the Gram matrix of the same T losses.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.common.files import write_json, write_page
from benchmarks.common.molecules import TOX21, TOXCAST, fingerprints
from benchmarks.common.networks import engine_on
from benchmarks.common.options import Options
from benchmarks.common.timing import interleaved, medians
from benchmarks.probing.case import ROWS, STEPS, Case
from benchmarks.probing.page import page
from cotrain import from_arrays
from cotrain.data import StratifiedSplit
from cotrain.engine.engine import Engine
from cotrain.engine.member import Member
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import start, train_cohort
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.schedule import probe_rows
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.stats import rank_correlation

COUNTS, REPEATS = (12, 64, 100), 9
QUICK_COUNTS, QUICK_REPEATS = (12,), 1


def run(options: Options) -> None:
    """What probes cost, whether parts of a batch do, and a joint run on ToxCast."""
    found: dict[str, Any] = {}
    if options.quick:
        found["costs"] = costs(QUICK_COUNTS, QUICK_REPEATS)
    else:
        found["costs"] = costs(COUNTS, REPEATS)
        found |= {"agreement": agreement(), "toxcast": many_tasks()}
    write_json(options.out / "probing.json", found)
    write_page(options.out / "probing.md", page(found))


def costs(counts: Sequence[int], repeats: int) -> list[dict[str, Any]]:
    """One row a number of tasks."""
    found = []
    for tasks in counts:
        rows = min(ROWS, probe_rows(tasks))
        seconds = seconds_of(Case(tasks=tasks), rows, repeats)
        found.append({"tasks": tasks, "probe rows": rows, "seconds": seconds})
        print(tasks, rows, {k: round(1e3 * v, 1) for k, v in seconds.items()}, flush=True)
    return found


def seconds_of(case: Case, rows: int, repeats: int) -> dict[str, float]:
    """Median seconds of everything, interleaved."""
    jobs: dict[str, Callable[[], None]] = {
        "engine": case.engine_steps,
        "plain": case.plain_steps,
        "lookahead": partial(case.lookahead, rows),
        "first order": partial(case.first_order, rows),
        "gradients": partial(case.gradients, rows),
        "lookahead, whole batch": partial(case.lookahead, ROWS),
        "first order, whole batch": partial(case.first_order, ROWS),
        "faithful loop, whole batch": partial(case.faithful, ROWS),
        "TorchJD Gram matrix, whole batch": partial(case.torchjd_gram, ROWS),
    }
    return medians(interleaved(jobs, rounds=repeats))


def molecules_engine(name: str, folder: str) -> Engine:
    """All assays of a table of molecules, 1024-bit fingerprints, the defaults of a run."""
    file = fingerprints(name)
    splits = from_arrays(file.bits, file.labels, names=file.names, split=StratifiedSplit())
    return engine_on(splits.development, folder)


def agreement() -> dict[str, Any]:
    """Rank agreement of affinities from parts of the batch with those from the whole, on one run."""
    with tempfile.TemporaryDirectory() as folder:
        engine = molecules_engine(TOX21, folder)
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


def many_tasks() -> dict[str, Any]:
    """One measured joint run on ToxCast, and the same run without instruments."""
    with tempfile.TemporaryDirectory() as folder:
        engine = molecules_engine(TOXCAST, folder)
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

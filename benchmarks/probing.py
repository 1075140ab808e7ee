"""What looking costs: probes every 10 steps against plain training, and against the obvious ways.

    python benchmarks/probing.py    # writes benchmarks/results/probing.md and .json

One joint network 1024-256-256, batch 256, in bfloat16 as the engine chooses. In one process, interleaved,
medians: ten plain steps of the engine; ten steps of a plain PyTorch loop; one probe of each kind. A
faithful loop does for a probe what the paper says: T backward passes and T forward passes, one after the
other. TorchJD's engine computes the Gram matrix of the same T losses.
"""

from __future__ import annotations

import copy
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from cotrain.run.stages import build_engine
from torch import Tensor
from torchjd.autogram import Engine as GramEngine

from cotrain import Settings, from_arrays
from cotrain.data import StratifiedSplit
from cotrain.data.dataset import TaskData
from cotrain.engine.batches import Batch, take
from cotrain.engine.engine import Engine
from cotrain.engine.executors.base import weighted_gradients
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.state import initial_state
from cotrain.engine.step import TrainingStep
from cotrain.engine.training import start, train_cohort
from cotrain.folder import RunFolder
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.instrument import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run, probe_rows
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.run.budget import recipe_for
from cotrain.stats import rank_correlation
from cotrain.tasks import Kind, Task

INPUTS, WIDTHS, ROWS, STEPS = 1024, (256, 256), 256, 10
REPEATS = 9
DATA = Path(__file__).parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results"


@dataclass(kw_only=True)
class Case:
    """A joint member in the middle of its training, and the same network as a plain module."""

    tasks: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        x = torch.from_numpy((rng.random((ROWS, INPUTS)) < 0.05).astype(np.float32))
        names = tuple(
            Task(name=f"t{t}", kind=Kind.BINARY, classes=("0", "1")) for t in range(self.tasks)
        )
        data = TaskData(
            inputs=x,
            targets=torch.from_numpy((rng.random((ROWS, self.tasks)) < 0.3).astype(np.float32)),
            mask=torch.from_numpy(rng.random((ROWS, self.tasks)) < 0.8),
            tasks=names,
            columns=x.double().numpy(),
            categorical=np.zeros(INPUTS, dtype=bool),
        )
        self.names = [task.name for task in names]
        self.losses = TaskLosses(names)
        self.batch = take(data, torch.arange(ROWS))
        self.architecture = Architecture(
            encoder=lambda: MLP(INPUTS, widths=WIDTHS), sample=x[:1], bias=torch.zeros(self.tasks)
        )
        member = Member(name="joint", weights=(1.0,) * self.tasks)
        self.state = initial_state(self.architecture, [member])
        head = self.state.params["head.weight"]
        head.copy_(torch.randn(head.shape, generator=torch.Generator().manual_seed(0)) / 16)
        self.state.set_keys(torch.tensor([0]))
        self.state.step = 1
        self.net = self.architecture.build(seed=0)
        self.executor = FusedMLPExecutor(self.net, torch.bfloat16)
        self.weights = torch.ones(1, self.tasks)
        self.plain = self.architecture.build(seed=0)
        with torch.no_grad():
            self.plain.head.weight.copy_(head[0])
        self.hooked = copy.deepcopy(self.plain).eval()  # TorchJD's engine puts hooks on it
        self.gram_engine = GramEngine(self.hooked.encoder, batch_dim=None)
        self.optimizer = torch.optim.AdamW(self.plain.parameters(), lr=1e-6, fused=True)

    def engine_steps(self) -> None:
        """Ten steps of the engine with one member."""
        for _ in range(STEPS):
            gradients = weighted_gradients(
                self.executor, self.state, self.batch, self.losses, self.weights
            )
            ADAMW.step(
                self.state,
                gradients,
                learning_rates=[1e-6],
                weight_decays=[0.01],
                untouched=~self.batch.present,
            )

    def plain_steps(self) -> None:
        """Ten steps of a plain PyTorch loop."""
        self.plain.train()
        for _ in range(STEPS):
            self.optimizer.zero_grad()
            self.plain_losses(self.batch).sum().backward()
            self.optimizer.step()

    def plain_losses(self, batch: Batch) -> Tensor:
        """``[T]``."""
        outputs: Tensor = self.plain(batch.inputs)
        return self.losses.means(outputs.T, batch.targets, batch.shares)

    def point(self, rows: int) -> EnginePoint:
        """What an instrument sees."""
        step = TrainingStep(
            state=self.state,
            batch=self.batch.part(slice(rows)),
            outputs=torch.empty(0),
            learning_rates=[1e-6],
            weights=self.weights,
            task_losses=self.losses,
        )
        return EnginePoint(self.net, self.executor, step)

    def lookahead(self, rows: int) -> None:
        """Exact and first order."""
        Lookahead(tasks=self.names).probe(self.point(rows))

    def first_order(self, rows: int) -> None:
        """First order only."""
        FirstOrder(tasks=self.names).probe(self.point(rows))

    def gradients(self, rows: int) -> None:
        """Gradient similarity, single samples included."""
        Gradients(tasks=self.names).probe(self.point(rows))

    def faithful(self, rows: int) -> None:
        """T backward passes and T forward passes, one after the other."""
        batch = self.batch.part(slice(rows))
        self.plain.eval()
        shared = list(self.plain.encoder.parameters())
        losses = self.plain_losses(batch)
        gradients = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses]
        for gradient in gradients:
            with torch.no_grad():
                torch._foreach_sub_(shared, gradient, alpha=0.1)
                self.plain_losses(batch)
                torch._foreach_add_(shared, gradient, alpha=0.1)

    def torchjd_gram(self, rows: int) -> None:
        """The Gram matrix by TorchJD's autogram engine."""
        batch = self.batch.part(slice(rows))
        outputs = self.hooked(batch.inputs)
        losses = self.losses.means(outputs.T, batch.targets, batch.shares)
        self.gram_engine.compute_gramian(losses)


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


def page(table: list[dict[str, object]], agreed: dict[str, object], many: dict[str, object]) -> str:
    """The results as a page of tables."""
    lines = [
        "# What looking costs",
        "",
        "Seconds of a probe every 10 steps, as the ratio (10 steps + probe) / (10 steps), to the",
        "engine's own steps and to a plain PyTorch loop. `python benchmarks/probing.py`",
        "",
        "| tasks | rows of a probe | lookahead: engine | lookahead: PyTorch | first order: engine | "
        "gradients: engine | lookahead / first order |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table:
        s: dict[str, float] = row["seconds"]  # type: ignore[assignment]
        ratios = [
            1 + s["lookahead"] / s["engine"],
            1 + s["lookahead"] / s["plain"],
            1 + s["first order"] / s["engine"],
            1 + s["gradients"] / s["engine"],
            s["lookahead"] / s["first order"],
        ]
        cells = " | ".join(f"{ratio:.2f}×" for ratio in ratios)
        lines.append(f"| {row['tasks']} | {row['probe rows']} | {cells} |")
    lines += [
        "",
        "On the whole batch of 256, how many times faster than the obvious ways:",
        "",
        "| tasks | lookahead against T backward and T forward passes | "
        "first order against TorchJD's Gram matrix | against T backward and forward passes |",
        "|---|---|---|---|",
    ]
    for row in table:
        s = row["seconds"]  # type: ignore[assignment]
        loop, whole = s["faithful loop, whole batch"], s["first order, whole batch"]
        lines.append(
            f"| {row['tasks']} | {loop / s['lookahead, whole batch']:.1f}× | "
            f"{s['TorchJD Gram matrix, whole batch'] / whole:.1f}× | {loop / whole:.1f}× |"
        )
    lines += ["", "Tox21, twelve assays, one run, the same probes on parts of the batch:", ""]
    lines += [f"- {key}: {_written(value)}" for key, value in agreed.items()]
    lines += ["", "ToxCast, 617 assays, one joint run of the defaults on this machine:", ""]
    lines += [f"- {key}: {_written(value)}" for key, value in many.items()]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} rows {_written(each)}" for key, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"


def main() -> None:
    table, agreed, many = costs(), agreement(), many_tasks()
    found = {"costs": table, "agreement": agreed, "toxcast": many}
    (RESULTS / "probing.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "probing.md").write_text(page(table, agreed, many))
    print((RESULTS / "probing.md").read_text())


if __name__ == "__main__":
    main()

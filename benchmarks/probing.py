"""What looking costs: probes every 10 steps against plain training, and against the obvious ways.

    python benchmarks/probing.py            # writes benchmarks/results/probing.md and .json

One joint network 1024-256-256, batch 256, in bfloat16 as the engine chooses. In one process, interleaved,
medians: ten plain steps of the engine; ten steps of a plain PyTorch loop; one probe of each kind. A
faithful loop does for a probe what the paper says: T backward passes and T forward passes, one after the
other. TorchJD's engine computes the Gram matrix of the same T losses.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchjd.autogram import Engine

from cotrain.data.taskdata import TaskData
from cotrain.measure.engine_point import EnginePoint
from cotrain.measure.gradients import Gradients
from cotrain.measure.joint_run import probe_rows
from cotrain.measure.lookahead import FirstOrder, Lookahead
from cotrain.models.losses import TaskLosses
from cotrain.models.mlp import MLP
from cotrain.models.multitask import Architecture
from cotrain.population.batches import Batch, take
from cotrain.population.fused import FusedMLPExecutor
from cotrain.population.member import Member
from cotrain.population.optimiser import adamw_step
from cotrain.population.state import initial_state
from cotrain.population.training import Step
from cotrain.tasks import Kind, Task

INPUTS, WIDTHS, ROWS, STEPS = 1024, (256, 256), 256, 10
REPEATS = 9
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
        self.executor = FusedMLPExecutor(self.net, self.losses, torch.bfloat16)
        self.weights = torch.ones(1, self.tasks)
        self.plain = self.architecture.build(seed=0)
        with torch.no_grad():
            self.plain.head.weight.copy_(head[0])
        self.hooked = copy.deepcopy(self.plain).eval()  # TorchJD's engine puts hooks on it
        self.gram_engine = Engine(self.hooked.encoder, batch_dim=None)
        self.optimizer = torch.optim.AdamW(self.plain.parameters(), lr=1e-6, fused=True)

    def engine_steps(self) -> None:
        """Ten steps of the engine with one member."""
        for _ in range(STEPS):
            gradients, _ = self.executor.forward_backward(self.state, self.batch, self.weights)
            adamw_step(
                self.state,
                gradients,
                learning_rates=[1e-6],
                weight_decay=0.01,
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
        step = Step(
            state=self.state,
            batch=self.batch.part(slice(rows)),
            outputs=torch.empty(0),
            learning_rates=[1e-6],
        )
        return EnginePoint(self.net, self.losses, self.executor, step)

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


if __name__ == "__main__":
    costs()

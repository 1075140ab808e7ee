"""The engine's ratio to a plain PyTorch loop over members, in one process, interleaved.

For each network size: 32 members, batch 256, 12 binary tasks with a fifth of the labels missing. The loop
trains one member after the other (the order that keeps its parameters in the cache) with autograd and the
fused AdamW, no synchronisation. A measurement is the median over epochs of (loop seconds) / (engine
seconds); both start from the same parameters, and the largest difference after the steps is reported.
Dropout is off in the rows that compare results and on (0.25, each side with its own generator) in others.

    python benchmarks/engine.py            # writes benchmarks/results/engine.{json,md}
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.common.folders import RESULTS
from cotrain.engine.batches import Batch
from cotrain.engine.executors.base import Executor, weighted_gradients
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.state import State
from cotrain.tasks import Kind, Task

MEMBERS, ROWS, TASKS = 32, 256, 12
RATE, DECAY = 1e-3, 0.01
STEPS, ROUNDS = 8, 9
SIZES = ((64, 64, 64), (256, 128, 128), (1024, 256, 256))
TARGETS = {(64, 64, 64): 4.0, (256, 128, 128): 3.0, (1024, 256, 256): 1.5}


@dataclass(kw_only=True)
class Case:
    """One network size on one batch."""

    architecture: Architecture
    batch: Batch
    losses: TaskLosses
    members: list[Member]


def make_case(size: tuple[int, int, int], dropout: float) -> Case:
    tasks = [Task(name=str(t), kind=Kind.BINARY, classes=("0", "1")) for t in range(TASKS)]
    draw = torch.Generator().manual_seed(0)
    mask = torch.rand(TASKS, ROWS, generator=draw) > 0.2
    batch = Batch(
        inputs=torch.randn(ROWS, size[0], generator=draw),
        targets=(torch.rand(TASKS, ROWS, generator=draw) > 0.5).float() * mask,
        shares=mask / mask.sum(dim=1, keepdim=True),
        present=torch.ones(TASKS, dtype=torch.bool),
        rows=torch.arange(ROWS),
    )
    architecture = Architecture(
        encoder=lambda: MLP(size[0], widths=size[1:], dropout=dropout, input_dropout=0.0),
        sample=batch.inputs[:1],
        bias=torch.zeros(TASKS),
    )
    members = [Member(name="m", weights=(1.0,) * TASKS, seed=s) for s in range(MEMBERS)]
    return Case(architecture=architecture, batch=batch, losses=TaskLosses(tasks), members=members)


class Loop:
    """The plain loop: one module and one fused optimizer a member."""

    def __init__(self, case: Case, dropout: float, *, autocast: bool) -> None:
        self.case, self.autocast = case, autocast
        self.nets = [plain_net(case.architecture.build(m.seed), dropout) for m in case.members]
        self.optimizers = [
            torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY, fused=True)
            for net in self.nets
        ]
        self.targets, self.shares = case.batch.targets.T.clone(), case.batch.shares.T.clone()

    def run(self, steps: int) -> None:
        inputs = self.case.batch.inputs
        for net, optimizer in zip(self.nets, self.optimizers, strict=True):
            for _ in range(steps):
                optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
                    outputs = net(inputs)
                losses = nn.functional.binary_cross_entropy_with_logits(
                    outputs.float(), self.targets, reduction="none"
                )
                (losses * self.shares).sum().backward()
                optimizer.step()

    def parameters(self) -> list[Tensor]:
        return [
            torch.stack(same).detach()
            for same in zip(*(n.parameters() for n in self.nets), strict=True)
        ]


def plain_net(net: nn.Module, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for linear in net.encoder.linears:  # type: ignore[union-attr]
        layers += [linear, nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
    return nn.Sequential(*layers, net.head)  # type: ignore[arg-type]


class Engine:
    """cotrain's step: gradients by an executor, then the shared optimizer."""

    def __init__(self, case: Case, executor: Executor) -> None:
        self.case, self.executor = case, executor
        self.state: State = initial_state(case.architecture, case.members)
        self.weights = torch.ones(MEMBERS, TASKS)
        self.seeds = torch.arange(MEMBERS)

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.state.set_keys(self.seeds)
            ADAMW.step(
                self.state,
                weighted_gradients(
                    self.executor, self.state, self.case.batch, self.case.losses, self.weights
                ),
                learning_rates=[RATE] * MEMBERS,
                weight_decays=[DECAY] * MEMBERS,
                untouched=torch.zeros(TASKS, dtype=torch.bool),
            )

    def parameters(self) -> list[Tensor]:
        return list(self.state.params.values())


def contenders(size: tuple[int, int, int], dropout: float) -> dict[str, Loop | Engine]:
    case = make_case(size, dropout)
    net = case.architecture.build(0)
    return {
        "loop float32": Loop(case, dropout, autocast=False),
        "loop bfloat16": Loop(case, dropout, autocast=True),
        "engine float32": Engine(case, FusedMLPExecutor(net)),
        "engine bfloat16": Engine(case, FusedMLPExecutor(net, torch.bfloat16)),
        "engine sequential": Engine(case, SequentialExecutor(net)),
    }


def seconds(run: Callable[[int], None]) -> float:
    began = time.perf_counter()
    run(STEPS)
    return time.perf_counter() - began


def measure(size: tuple[int, int, int], dropout: float) -> dict[str, object]:
    running = contenders(size, dropout)
    for one in running.values():
        one.run(2)
    expected = running["loop float32"].parameters()
    difference = {
        name: max(
            float((a - b).abs().max()) for a, b in zip(one.parameters(), expected, strict=True)
        )
        for name, one in running.items()
    }
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(ROUNDS):
        for name, one in running.items():
            times[name].append(seconds(one.run))

    def ratio(name: str, base: str) -> float:
        pairs = zip(times[base], times[name], strict=True)
        return statistics.median(slow / fast for slow, fast in pairs)

    return {
        "size": size,
        "dropout": dropout,
        "loop_ms_per_member_step": 1e3 * statistics.median(times["loop float32"]) / STEPS / MEMBERS,
        "float32": ratio("engine float32", "loop float32"),
        "bfloat16": ratio("engine bfloat16", "loop float32"),
        "bfloat16_to_bfloat16_loop": ratio("engine bfloat16", "loop bfloat16"),
        "sequential": ratio("engine sequential", "loop float32"),
        "difference_after_2_steps": None if dropout else difference,
    }


def peak_megabytes(name: str, size: tuple[int, int, int]) -> float:
    """Peak resident memory of a fresh process that runs only this contender, less an idle one's."""
    arguments = [sys.executable, __file__, "--memory", name, ",".join(map(str, size))]
    return float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def peak_kilobytes() -> int:
    """Peak resident memory of this process (getrusage would count the parent's before exec)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def memory_child(name: str, size: tuple[int, int, int]) -> None:
    case = make_case(size, 0.0)
    net = case.architecture.build(0)
    before = peak_kilobytes()
    made: dict[str, Callable[[], Loop | Engine]] = {
        "loop float32": lambda: Loop(case, 0.0, autocast=False),
        "engine float32": lambda: Engine(case, FusedMLPExecutor(net)),
        "engine bfloat16": lambda: Engine(case, FusedMLPExecutor(net, torch.bfloat16)),
    }
    made[name]().run(3)
    print((peak_kilobytes() - before) / 1024)


def table(rows: list[dict[str, object]], memory: dict[str, dict[str, float]]) -> str:
    lines = [
        f"{MEMBERS} members, batch {ROWS}, {TASKS} tasks, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; "
        f"median of {ROUNDS} interleaved epochs of {STEPS} steps.",
        "",
        "| network | dropout | target | engine, float32 | engine, bfloat16 (default here) "
        "| bfloat16 against a bfloat16 loop | sequential |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        size = tuple(row["size"])  # type: ignore[arg-type]
        ratios = [
            f"{row[k]:.2f}×"
            for k in ("float32", "bfloat16", "bfloat16_to_bfloat16_loop", "sequential")
        ]
        name = "-".join(map(str, size))
        lines.append(f"| {name} | {row['dropout']} | ≥ {TARGETS[size]}× | {' | '.join(ratios)} |")
    lines += ["", "Peak memory above an idle process, MB:", ""]
    names = list(next(iter(memory.values())))
    lines += [f"| network | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    lines += [
        f"| {size} | {' | '.join(f'{own[name]:.0f}' for name in names)} |"
        for size, own in memory.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    rows = [measure(size, dropout) for dropout in (0.0, 0.25) for size in SIZES]
    memory = {
        "-".join(map(str, size)): {
            name: peak_megabytes(name, size)
            for name in ("loop float32", "engine float32", "engine bfloat16")
        }
        for size in SIZES
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "engine.json").write_text(json.dumps({"rows": rows, "memory_mb": memory}, indent=1))
    (RESULTS / "engine.md").write_text(table(rows, memory))
    print(table(rows, memory))

"""The engine's ratio to a plain PyTorch loop over members, in one process, interleaved.

For each network size: 32 members, batch 256, 12 binary tasks with a fifth of the labels missing. The loop
trains one member after the other (the order that keeps its parameters in the cache) with autograd and the
fused AdamW, no synchronisation. A measurement is the median over rounds of (loop seconds) / (engine
seconds); both start from the same parameters, and the largest difference after the steps is reported.
Dropout is off in the rows that compare results and on (0.25, each side with its own generator) in others.

    python -m benchmarks engine            # writes benchmarks/results/engine.{json,md}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import table
from benchmarks.common.memory import in_fresh_process, peak_bytes
from benchmarks.common.networks import binary_tasks, plain_layers
from benchmarks.common.options import Options
from benchmarks.common.timing import interleaved, medians, ratio
from cotrain.engine.batches import Batch
from cotrain.engine.executors.base import Executor, weighted_gradients
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture, MultiTaskNet
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.state import State

MEMBERS, ROWS, TASKS = 32, 256, 12
RATE, DECAY = 1e-3, 0.01
STEPS, ROUNDS = 8, 9
DROPOUTS: tuple[float, ...] = (0.0, 0.25)
REMEMBERED = ("loop float32", "engine float32", "engine bfloat16")  # whose memory is measured
Size = tuple[int, int, int]
SIZES: tuple[Size, ...] = ((64, 64, 64), (256, 128, 128), (1024, 256, 256))
TARGETS = {(64, 64, 64): 4.0, (256, 128, 128): 3.0, (1024, 256, 256): 1.5}


@dataclass(kw_only=True)
class Case:
    """One network size on one batch."""

    architecture: Architecture
    batch: Batch
    losses: TaskLosses
    members: list[Member]


def make_case(size: Size, dropout: float) -> Case:
    tasks = binary_tasks(range(TASKS))
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
                torch.autograd.backward((losses * self.shares).sum())
                optimizer.step()

    def parameters(self) -> list[Tensor]:
        return [
            torch.stack(same).detach()
            for same in zip(*(n.parameters() for n in self.nets), strict=True)
        ]


def plain_net(net: MultiTaskNet, dropout: float) -> nn.Sequential:
    """The same network as a sequence of PyTorch's layers."""
    return nn.Sequential(*plain_layers(net.encoder, dropout), net.head)


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


def contenders(size: Size, dropout: float) -> dict[str, Loop | Engine]:
    """Two loops and three engines on the same case."""
    case = make_case(size, dropout)
    net = case.architecture.build(0)
    return {
        "loop float32": Loop(case, dropout, autocast=False),
        "loop bfloat16": Loop(case, dropout, autocast=True),
        "engine float32": Engine(case, FusedMLPExecutor(net)),
        "engine bfloat16": Engine(case, FusedMLPExecutor(net, torch.bfloat16)),
        "engine sequential": Engine(case, SequentialExecutor(net)),
    }


def run(options: Options) -> None:
    """Ratios of all sizes, and memory."""
    sizes, dropouts, rounds = SIZES, DROPOUTS, ROUNDS
    if options.quick:
        sizes, dropouts, rounds = SIZES[:1], DROPOUTS[:1], 1
    rows = [measure(size, dropout, rounds) for dropout in dropouts for size in sizes]
    memory = {
        "-".join(map(str, size)): {
            name: in_fresh_process("benchmarks.engine", "peak_megabytes", name, *size)
            for name in REMEMBERED
        }
        for size in sizes
    }
    write_json(options.out / "engine.json", {"rows": rows, "memory_mb": memory})
    write_page(options.out / "engine.md", page(rows, memory, rounds))


def measure(size: Size, dropout: float, rounds: int) -> dict[str, Any]:
    """Ratios of times for one network size."""
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
    jobs = {name: partial(one.run, STEPS) for name, one in running.items()}
    times = interleaved(jobs, rounds=rounds, warm_up=0)
    return {
        "size": size,
        "dropout": dropout,
        "loop_ms_per_member_step": 1e3 * medians(times)["loop float32"] / STEPS / MEMBERS,
        "float32": ratio(times, "loop float32", "engine float32"),
        "bfloat16": ratio(times, "loop float32", "engine bfloat16"),
        "bfloat16_to_bfloat16_loop": ratio(times, "loop bfloat16", "engine bfloat16"),
        "sequential": ratio(times, "loop float32", "engine sequential"),
        "difference_after_2_steps": None if dropout else difference,
    }


def peak_megabytes(name: str, inputs: int, first: int, second: int) -> float:
    """What three steps of one contender take in this process, above an idle one's."""
    case = make_case((inputs, first, second), 0.0)
    net = case.architecture.build(0)
    before = peak_bytes()
    made: dict[str, Callable[[], Loop | Engine]] = {
        "loop float32": lambda: Loop(case, 0.0, autocast=False),
        "engine float32": lambda: Engine(case, FusedMLPExecutor(net)),
        "engine bfloat16": lambda: Engine(case, FusedMLPExecutor(net, torch.bfloat16)),
    }
    made[name]().run(3)
    return (peak_bytes() - before) / 2**20


def page(rows: list[dict[str, Any]], memory: dict[str, dict[str, float]], rounds: int) -> str:
    """Ratios and megabytes."""
    kinds = ("float32", "bfloat16", "bfloat16_to_bfloat16_loop", "sequential")
    head = ("network", "dropout", "target", "engine, float32", "engine, bfloat16 (default here)")
    lines = [
        f"{MEMBERS} members, batch {ROWS}, {TASKS} tasks, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}; "
        f"median of {rounds} interleaved rounds of {STEPS} steps.",
        "",
        *table(
            (*head, "bfloat16 against a bfloat16 loop", "sequential"),
            [
                (
                    "-".join(map(str, row["size"])),
                    row["dropout"],
                    f"≥ {TARGETS[tuple(row['size'])]}×",
                    *(f"{row[kind]:.2f}×" for kind in kinds),
                )
                for row in rows
            ],
        ),
        "",
        "Peak memory above an idle process, MB:",
        "",
        *table(
            ("network", *REMEMBERED),
            [(size, *(f"{own[name]:.0f}" for name in REMEMBERED)) for size, own in memory.items()],
        ),
    ]
    return "\n".join(lines) + "\n"

"""A step of gradient aggregation: ours, TorchJD used by hand, and a LibMTL-style loop, in one process.

One member, an MLP 256-256 on 200 inputs, batch 256, T binary tasks, AdamW. All start from the same
parameters and take the same steps; time is the median over interleaved epochs of one step each, a ratio the
median over epochs of (their seconds) / (ours).

- *TorchJD by hand*: an encoder and a linear head a task, ``mtl_backward``, ``jac_to_grad`` with the
  Gramian taken parameter by parameter where the aggregator allows it (less memory, and not slower here).
- *LibMTL-style*: our own re-implementation of what LibMTL publishes for shared parameters: a backward pass
  a task through the shared encoder, each copied into one ``[T, D]`` matrix, then the method's formula on
  it. Where plain numbers are quicker than LibMTL's one-element tensors (MGDA's start), it uses them.

    python benchmarks/aggregators.py            # writes benchmarks/results/aggregators.{json,md}
    python benchmarks/aggregators.py --busy     # the same, marked as measured beside other work
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torchjd import aggregation as agg
from torchjd.autojac import jac_to_grad, mtl_backward

from cotrain.engine.batches import Batch
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.loss_weighting import FIXED, LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.state import Tensors, is_shared
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients
from cotrain.tasks import Kind, Task
from cotrain.weighting import ITMTL, Aggregated, ExactScore, FirstOrderScore

INPUTS, WIDTHS, ROWS = 200, (256, 256), 256
COUNTS = (2, 8, 32, 64)
RATE, DECAY = 1e-3, 0.01
ROUNDS = 9
REMEMBERED = ("MGDA", "PCGrad")  # methods whose memory is measured
RESULTS = Path(__file__).parent / "results"


def norm_start(gram: list[list[float]]) -> tuple[int, int, float]:
    """The pair of gradients with the shortest vector between them, and the share of the first."""
    best = (float("inf"), 0, 1, 0.5)
    for i, j in combinations(range(len(gram)), 2):
        share, cost = between(gram[i][i], gram[i][j], gram[j][j])
        best = min(best, (cost, i, j, share))
    return best[1], best[2], best[3]


def between(aa: float, ab: float, bb: float) -> tuple[float, float]:
    """Share of a in the shortest vector between a and b, and its squared length."""
    if ab >= aa:
        return 0.999, aa
    if ab >= bb:
        return 0.001, bb
    share = (bb - ab) / (aa + bb - 2 * ab)
    return share, bb + share * (ab - bb)


def onto_simplex(values: Tensor) -> Tensor:
    ordered = values.sort(descending=True).values
    excess = (ordered.cumsum(0) - 1) / torch.arange(1, len(values) + 1)
    last = int((ordered > excess).nonzero().max())
    return (values - excess[last]).clamp_min(0)


def mgda(grads: Tensor) -> Tensor:
    """Projected gradient descent on the simplex with a line search (Sener and Koltun 2018)."""
    gram = grads @ grads.T
    i, j, share = norm_start(gram.tolist())
    weights = torch.zeros(len(gram))
    weights[i], weights[j] = share, 1 - share
    for _ in range(250 if len(gram) > 2 else 0):
        down = -(gram @ weights)
        down = down - down.mean()
        limits = torch.cat(
            [-weights[down < 0] / down[down < 0], (1 - weights[down > 0]) / down[down > 0]]
        )
        limits = limits[limits > 1e-7]
        reach = limits.min().clamp_max(1.0) if len(limits) else torch.ones(())
        there = onto_simplex(weights + reach * down)
        aa, ab, bb = (float(a @ gram @ b) for a, b in
                      ((weights, weights), (weights, there), (there, there)))  # fmt: skip
        share, _ = between(aa, ab, bb)
        change = (1 - share) * (there - weights)
        if float(change.abs().sum()) < 1e-5:
            break
        weights = weights + change
    return weights @ grads


def pcgrad(grads: Tensor) -> Tensor:
    """Projections in the space of the parameters, tasks in random order (Yu et al. 2020)."""
    found = grads.clone()
    for row in found:
        others = list(range(len(grads)))
        random.shuffle(others)
        for other in others:
            product = torch.dot(row, grads[other])
            if product < 0:
                row -= product * grads[other] / grads[other].norm().pow(2)
    return found.sum(dim=0)


def cagrad(grads: Tensor) -> Tensor:
    """The dual by SciPy's SLSQP (Liu et al. 2021), c = 0.5."""
    gram = (grads @ grads.T).numpy()
    uniform = np.ones(len(gram)) / len(gram)
    radius = 0.5 * float(np.sqrt(gram.mean() + 1e-8)) + 1e-8

    def dual(w: Any) -> float:
        return float(w @ gram @ uniform + radius * np.sqrt(w @ gram @ w + 1e-8))

    found = minimize(
        dual,
        uniform,
        bounds=[(0, 1)] * len(gram),
        constraints={"type": "eq", "fun": lambda w: 1 - w.sum()},
    )
    mixed = torch.tensor(found.x, dtype=torch.float32) @ grads
    return (grads.mean(dim=0) + radius / (mixed.norm() + 1e-8) * mixed) / 1.25


def aligned(grads: Tensor) -> Tensor:
    """Balanced by the eigenvectors of the Gram matrix (Senushkin et al. 2023)."""
    values, vectors = torch.linalg.eigh(grads @ grads.T)
    kept = values > values.max() * len(values) * torch.finfo(torch.float32).eps
    values, vectors = values[kept], vectors[:, kept]
    balance = values.min().sqrt() * (vectors / values.sqrt()) @ vectors.T
    return balance.sum(dim=0) @ grads


def upgrad(grads: Tensor) -> Tensor:
    """LibMTL's is TorchJD's, on the matrix."""
    weights: Tensor = agg.UPGradWeighting()(grads @ grads.T)
    return weights @ grads


def imtlg(grads: Tensor) -> Tensor:
    """The closed form with an inverse of T − 1 (Liu et al. 2021)."""
    unit = grads / grads.norm(dim=1, keepdim=True)
    apart, turned = grads[:1] - grads[1:], unit[:1] - unit[1:]
    rest = grads[0] @ turned.T @ torch.linalg.inv(apart @ turned.T)
    return torch.cat([1 - rest.sum().unsqueeze(0), rest]) @ grads


METHODS: dict[str, tuple[Callable[[], Any], Callable[[Tensor], Tensor]]] = {
    "PCGrad": (agg.PCGrad, pcgrad),
    "CAGrad": (lambda: agg.CAGrad(c=0.5), cagrad),
    "AlignedMTL": (agg.AlignedMTL, aligned),
    "MGDA": (agg.MGDA, mgda),
    "UPGrad": (agg.UPGrad, upgrad),
    "IMTLG": (agg.IMTLG, imtlg),
}


class Problem:
    """One batch and one start for all."""

    def __init__(self, tasks: int) -> None:
        draw = torch.Generator().manual_seed(0)
        names = [Task(name=str(t), kind=Kind.BINARY, classes=("0", "1")) for t in range(tasks)]
        inputs = torch.randn(ROWS, INPUTS, generator=draw)
        common = torch.randn(INPUTS, 1, generator=draw)
        truth = inputs @ (common + torch.randn(INPUTS, tasks, generator=draw))
        self.tasks = tasks
        self.losses = TaskLosses(names)
        self.batch = Batch(
            inputs=inputs,
            targets=(truth.T > 0).float().contiguous(),
            shares=torch.full((tasks, ROWS), 1 / ROWS),
            present=torch.ones(tasks, dtype=torch.bool),
            rows=torch.arange(ROWS),
        )
        self.architecture = Architecture(
            encoder=lambda: MLP(INPUTS, widths=WIDTHS, dropout=0.0, input_dropout=0.0),
            sample=inputs[:1],
            bias=torch.zeros(tasks),
        )
        self.head = torch.randn(tasks, WIDTHS[-1], generator=draw) / 16


class Contender(ABC):
    """Takes training steps."""

    @abstractmethod
    def step(self) -> None: ...

    @abstractmethod
    def first_layer(self) -> Tensor: ...


class Ours(Contender):
    def __init__(self, problem: Problem, method: LossWeighting, precision: torch.dtype) -> None:
        self.problem, self.method = problem, method
        self.executor = FusedMLPExecutor(problem.architecture.build(0), precision)
        member = Member(name="m", weights=(1.0,) * problem.tasks, weighting=method)
        self.state = initial_state(problem.architecture, [member])
        self.state.params["head.weight"][0] = problem.head
        self.weights = torch.ones(1, problem.tasks)
        self.untouched = torch.zeros(problem.tasks, dtype=torch.bool)

    def gradients(self) -> Tensors:
        self.state.set_keys(torch.zeros(1, dtype=torch.int64))
        passed = self.executor.forward(self.state, self.problem.batch)
        step = TrainingStep(
            state=self.state,
            batch=self.problem.batch,
            outputs=passed.outputs,
            learning_rates=[RATE],
            weights=self.weights,
            task_losses=self.problem.losses,
        )
        return self.method.gradients(
            StepGradients(step=step, passed=passed, executor=self.executor, weight_decays=[DECAY])
        )

    def step(self) -> None:
        ADAMW.step(
            self.state,
            self.gradients(),
            learning_rates=[RATE],
            weight_decays=[DECAY],
            untouched=self.untouched,
        )

    def direction(self) -> Tensor:
        found = self.gradients()
        return torch.cat([g.flatten() for name, g in found.items() if is_shared(name)])

    def first_layer(self) -> Tensor:
        return self.state.params["encoder.linears.0.weight"][0]


class ByHand(Contender):
    """An encoder and a linear head a task; products in bfloat16 if so wished, losses in float32."""

    def __init__(self, problem: Problem, *, low: bool) -> None:
        self.low = low
        net = problem.architecture.build(0)
        layers = [[linear, nn.ReLU()] for linear in net.encoder.linears]  # type: ignore[union-attr]
        self.encoder = nn.Sequential(*(module for pair in layers for module in pair))
        self.heads = [nn.Linear(WIDTHS[-1], 1) for _ in range(problem.tasks)]
        with torch.no_grad():
            for head, weight in zip(self.heads, problem.head, strict=True):
                head.weight.copy_(weight)
                head.bias.zero_()
        self.shared = list(self.encoder.parameters())
        own = [parameter for head in self.heads for parameter in head.parameters()]
        self.optimizer = torch.optim.AdamW(
            [*self.shared, *own], lr=RATE, weight_decay=DECAY, fused=True
        )
        self.inputs, self.targets = problem.batch.inputs, problem.batch.targets

    def forward(self) -> tuple[Tensor, list[Tensor]]:
        """Features, and the loss of each task."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.low):
            features = self.encoder(self.inputs)
            outputs = [head(features).squeeze(1).float() for head in self.heads]
        return features, [
            nn.functional.binary_cross_entropy_with_logits(own, target)
            for own, target in zip(outputs, self.targets, strict=True)
        ]

    def first_layer(self) -> Tensor:
        return self.shared[0].detach()


class TorchJD(ByHand):
    def __init__(self, problem: Problem, aggregator: Any, *, low: bool) -> None:
        super().__init__(problem, low=low)
        self.aggregator = aggregator

    def step(self) -> None:
        self.optimizer.zero_grad()
        features, losses = self.forward()
        mtl_backward(losses, features=features)
        jac_to_grad(self.shared, self.aggregator, optimize_gramian_computation=True)
        self.optimizer.step()


class Loop(ByHand):
    def __init__(self, problem: Problem, formula: Callable[[Tensor], Tensor], *, low: bool) -> None:
        super().__init__(problem, low=low)
        self.formula = formula
        self.sizes = [parameter.numel() for parameter in self.shared]

    def step(self) -> None:
        self.optimizer.zero_grad()
        _, losses = self.forward()
        grads = torch.zeros(len(losses), sum(self.sizes))
        for row, loss in zip(grads, losses, strict=True):
            loss.backward(retain_graph=loss is not losses[-1])
            row.copy_(nn.utils.parameters_to_vector([p.grad for p in self.shared]))  # type: ignore[misc]
            for parameter in self.shared:
                parameter.grad = None
        direction = self.formula(grads)
        for parameter, part in zip(self.shared, direction.split(self.sizes), strict=True):
            parameter.grad = part.view_as(parameter).clone()
        self.optimizer.step()


def contenders(tasks: int, method: str) -> dict[str, Callable[[], Contender]]:
    problem = Problem(tasks)
    make, formula = METHODS[method]
    aggregated = Aggregated(aggregator=make())
    return {
        "ours": lambda: Ours(problem, aggregated, torch.float32),
        "ours, bf16": lambda: Ours(problem, aggregated, torch.bfloat16),
        "TorchJD": lambda: TorchJD(problem, make(), low=False),
        "TorchJD, bf16": lambda: TorchJD(problem, make(), low=True),
        "LibMTL-style": lambda: Loop(problem, formula, low=False),
        "LibMTL-style, bf16": lambda: Loop(problem, formula, low=True),
    }


def seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def times(running: dict[str, Contender]) -> dict[str, list[float]]:
    """Interleaved epochs of one step each, after one that warms up."""
    found: dict[str, list[float]] = {name: [] for name in running}
    for one in running.values():
        one.step()
    for _ in range(ROUNDS):
        for name, one in running.items():
            found[name].append(seconds(one.step))
    return found


RATIOS = (  # theirs, ours
    ("TorchJD", "ours"),
    ("LibMTL-style", "ours"),
    ("TorchJD", "ours, bf16"),
    ("LibMTL-style", "ours, bf16"),
    ("TorchJD, bf16", "ours, bf16"),
    ("LibMTL-style, bf16", "ours, bf16"),
)


def measure(tasks: int, method: str) -> dict[str, Any]:
    running = {name: make() for name, make in contenders(tasks, method).items()}
    exact, low = (running[name].direction() for name in ("ours", "ours, bf16"))  # type: ignore[attr-defined]
    found = times(running)
    apart = running["ours"].first_layer() - running["TorchJD"].first_layer()
    return {
        "tasks": tasks,
        "method": method,
        "ms": {name: 1e3 * statistics.median(own) for name, own in found.items()},
        "ratio": {
            f"{slow} / {fast}": statistics.median(
                s / f for s, f in zip(found[slow], found[fast], strict=True)
            )
            for slow, fast in RATIOS
        },
        "cosine_of_bf16": float(nn.functional.cosine_similarity(exact, low, dim=0)),
        "largest_difference_from_torchjd": float(apart.abs().max()),
    }


def measure_choices(tasks: int) -> dict[str, Any]:
    """IT-MTL beside a step with fixed weights."""
    problem = Problem(tasks)
    methods = {
        "fixed": FIXED,
        "IT-MTL, first order": ITMTL(score=FirstOrderScore()),
        "IT-MTL, exact": ITMTL(score=ExactScore()),
    }
    running: dict[str, Contender] = {
        name: Ours(problem, method, torch.float32) for name, method in methods.items()
    }
    return {
        "tasks": tasks,
        "ms": {name: 1e3 * statistics.median(own) for name, own in times(running).items()},
    }


def peak_megabytes(name: str, tasks: int, method: str) -> float:
    """Peak resident memory of a fresh process that runs only this contender, less an idle one's."""
    arguments = [sys.executable, __file__, "--memory", name, str(tasks), method]
    return float(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def peak_kilobytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def memory_child(name: str, tasks: int, method: str) -> None:
    contenders(2, method)[name]().step()  # imports and solvers are no part of it
    make = contenders(tasks, method)[name]
    before = peak_kilobytes()
    one = make()
    for _ in range(3):
        one.step()
    print((peak_kilobytes() - before) / 1024)


def table(result: dict[str, Any]) -> str:
    rows, memory, choices = result["rows"], result["memory_mb"], result["itmtl"]
    lines = [
        f"MLP {'-'.join(map(str, WIDTHS))} on {INPUTS} inputs, batch {ROWS}, one member, "
        f"{torch.get_num_threads()} thread, torch {torch.__version__}, "
        f"{torch.backends.cpu.get_cpu_capability()}; median of {ROUNDS} interleaved epochs.",
        "The LibMTL-style loop is our re-implementation of its published algorithms.",
        *(["**Measured on a busy machine: read the ratios only.**"] if result["busy"] else []),
        "",
        "Ratios of times, > 1 where ours is faster. bf16: products in bfloat16, ours as the engine chooses "
        "on processors that multiply it fast, theirs under autocast. The cosine is that of our shared "
        "direction in bfloat16 to that in float32.",
        "",
    ]
    head = ["T", "method", *(f"{slow} / {fast}" for slow, fast in RATIOS)]
    lines += [f"| {' | '.join([*head, 'cosine', 'ms, ours', 'ms, ours, bf16'])} |"]
    lines += ["|---" * (len(head) + 3) + "|"]
    for row in rows:
        shown = [f"{ratio:.2f}×" for ratio in row["ratio"].values()]
        shown += [f"{row['cosine_of_bf16']:.3f}"]
        shown += [f"{row['ms'][name]:.1f}" for name in ("ours", "ours, bf16")]
        lines.append(f"| {row['tasks']} | {row['method']} | {' | '.join(shown)} |")
    lines += ["", "Peak memory above an idle process, MB:", ""]
    lines += cells(["T", "method"], [([r["tasks"], r["method"]], r["mb"]) for r in memory], 0)
    lines += [
        "",
        "IT-MTL (all, singles, leave-one-out: 2T + 1 candidates), ms a step, float32:",
        "",
    ]
    lines += cells(["T"], [([r["tasks"]], r["ms"]) for r in choices], 1)
    return "\n".join(lines) + "\n"


def cells(
    head: list[str], rows: list[tuple[list[Any], dict[str, float]]], digits: int
) -> list[str]:
    """A table with a column for each of the values' names."""
    columns = [*head, *rows[0][1]]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for names, values in rows:
        shown = [*map(str, names), *(f"{value:.{digits}f}" for value in values.values())]
        lines.append(f"| {' | '.join(shown)} |")
    return lines


def main(*, busy: bool) -> None:
    result = {
        "busy": busy,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg(),
        "rows": [measure(tasks, method) for tasks in COUNTS for method in METHODS],
        "itmtl": [measure_choices(tasks) for tasks in COUNTS],
        "memory_mb": [
            {
                "tasks": tasks,
                "method": method,
                "mb": {
                    name: peak_megabytes(name, tasks, method) for name in contenders(tasks, method)
                },
            }
            for method in REMEMBERED
            for tasks in COUNTS
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "aggregators.json").write_text(json.dumps(result, indent=1))
    (RESULTS / "aggregators.md").write_text(table(result))
    print(table(result))


if __name__ == "__main__":
    if "--memory" in sys.argv:
        memory_child(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main(busy="--busy" in sys.argv)

"""Who takes steps of gradient aggregation: our engine, TorchJD by hand, and a LibMTL-style loop."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchjd import aggregation as agg
from torchjd.autojac import jac_to_grad, mtl_backward

from benchmarks.aggregators.formulas import aligned, cagrad, imtlg, mgda, pcgrad, upgrad
from benchmarks.common.networks import binary_tasks, plain_layers
from cotrain.engine.batches import Batch
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.loss_weighting import LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.state import Tensors, is_shared
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients
from cotrain.weighting import Aggregated

INPUTS, WIDTHS, ROWS = 200, (256, 256), 256
RATE, DECAY = 1e-3, 0.01
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
        names = binary_tasks(range(tasks))
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
    """Our engine's step with one member."""

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
        self.encoder = plain_layers(net.encoder)
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
    """TorchJD as its documentation says."""

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
    """A backward pass a task, and a formula on the matrix of gradients."""

    def __init__(self, problem: Problem, formula: Callable[[Tensor], Tensor], *, low: bool) -> None:
        super().__init__(problem, low=low)
        self.formula = formula
        self.sizes = [parameter.numel() for parameter in self.shared]

    def step(self) -> None:
        self.optimizer.zero_grad()
        _, losses = self.forward()
        grads = torch.zeros(len(losses), sum(self.sizes))
        for row, loss in zip(grads, losses, strict=True):
            torch.autograd.backward(loss, retain_graph=loss is not losses[-1])
            found = [p.grad for p in self.shared if p.grad is not None]
            row.copy_(nn.utils.parameters_to_vector(found))
            for parameter in self.shared:
                parameter.grad = None
        direction = self.formula(grads)
        for parameter, part in zip(self.shared, torch.split(direction, self.sizes), strict=True):
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

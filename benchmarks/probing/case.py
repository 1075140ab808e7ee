"""A joint member in the middle of its training, and every kind of probe on it."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torchjd.autogram import Engine as GramEngine

from benchmarks.common.networks import binary_tasks
from cotrain.data.dataset import TaskData
from cotrain.engine.batches import Batch, take
from cotrain.engine.executors.base import weighted_gradients
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.step import TrainingStep
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead

INPUTS, WIDTHS, ROWS, STEPS = 1024, (256, 256), 256, 10


@dataclass(kw_only=True)
class Case:
    """A joint member in the middle of its training, and the same network as a plain module."""

    tasks: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        x = torch.from_numpy((rng.random((ROWS, INPUTS)) < 0.05).astype(np.float32))
        names = binary_tasks(f"t{t}" for t in range(self.tasks))
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
            torch.autograd.backward(self.plain_losses(self.batch).sum())
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
        shared: list[Tensor] = list(self.plain.encoder.parameters())
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

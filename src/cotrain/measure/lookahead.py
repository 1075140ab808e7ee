"""Lookahead transference (Fifty et al. 2020, arXiv 2010.15413): take one step for a task, see who gains.

Z[j, i] = 1 − L_j(θ − η·g_i) / L_j(θ): the relative drop of recipient j's loss after one plain SGD step
on the shared parameters along source i's gradient, with the same batch before and after and the heads
unchanged. It is the published formula; the reference code also divides by η, we do not.

A lookahead candidate is a one-hot weight vector applied for one step, so the T gradients and the T
forward passes are one population of T members. Probes leave no trace: they work on copies, draw no
random numbers and run without dropout.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.measure.affinity import Affinity
from cotrain.models.losses import TaskLosses
from cotrain.models.multitask import ENCODER
from cotrain.population.batches import Batch
from cotrain.population.executor import Executor
from cotrain.population.state import State


@dataclass(kw_only=True)
class Lookahead:
    """Probes a training run every few steps; hand :meth:`probe` to the loop as ``before_step``.

    Args:
        executor: Computes gradients and outputs.
        losses: The tasks' losses.
        step_size: η, the learning rate of the plain SGD step of the probe.
        every: Steps from one probe to the next.
    """

    executor: Executor
    losses: TaskLosses
    step_size: float = 0.1
    every: int = 10
    samples: list[NDArray[np.float64]] = field(default_factory=list)

    def probe(self, state: State, batch: Batch) -> None:
        """Measure one step of a run with a single member.

        The very first step is not probed: the heads start at zero, so no gradient reaches the encoder.
        """
        if state.step > 0 and state.step % self.every == 0:
            self.samples.append(self.transference(state, batch).numpy().astype(np.float64))

    def transference(self, state: State, batch: Batch) -> Tensor:
        """``[T, T]`` Z of one batch, row = recipient; NaN where a task has no label in it."""
        tasks = len(self.losses.tasks)
        before = self._loss(state, batch)[0]
        candidates = _quiet(state.select([0] * tasks))
        buffers = {name: buffer.clone() for name, buffer in candidates.buffers.items()}
        gradients = self.executor.gradients(candidates, batch, torch.eye(tasks))
        candidates.buffers = buffers  # a training pass moves BatchNorm's statistics
        for name, parameter in candidates.params.items():
            if name.startswith(ENCODER):
                parameter.sub_(gradients[name], alpha=self.step_size)
        after = self._loss(candidates, batch)  # [source, recipient]
        change = 1 - after / before
        seen = batch.present & (before > 0)
        return torch.where(seen & seen.unsqueeze(1), change, torch.nan).T

    def affinity(self) -> Affinity:
        """The mean over all probes so far."""
        names = [task.name for task in self.losses.tasks]
        samples = np.array(self.samples).reshape(-1, len(names), len(names))
        return Affinity.from_samples(names, samples, self.step_size)

    def _loss(self, state: State, batch: Batch) -> Tensor:
        outputs = self.executor.outputs(state, batch.inputs)
        return self.losses.means(outputs, batch.targets, batch.shares)


def _quiet(state: State) -> State:
    """The state with dropout off."""
    for name, buffer in state.buffers.items():
        if name.endswith("dropout_rate"):
            buffer.zero_()
    return state

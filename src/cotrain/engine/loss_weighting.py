"""The seam for methods that decide, from losses or gradients, what a step minimises.

A method sees a training step between its forward and its backward pass. Most turn the losses into weights;
who needs the tasks' gradients asks for them (see :class:`~cotrain.engine.task_gradients.StepGradients`).
Whatever a method remembers stands in the state, so it is copied, selected and saved with the members.
Letters: P members, T tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from cotrain.engine.state import State, Tensors
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients


class LossWeighting(Protocol):
    """Decides what a step minimises: weights of the losses, or the gradients themselves."""

    def start(self, members: int, tasks: int) -> Tensors:
        """What the method remembers before the first step: name → ``[P, ...]``."""
        ...

    def weigh(self, step: TrainingStep) -> Tensor:
        """``[P, T]`` weights of this step, 0 where the member's own weight is 0."""
        ...

    def gradients(self, step_gradients: StepGradients) -> Tensors:
        """What the optimizer is given, like ``state.params``; those of the weighted losses by default."""
        ...

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """Take in what the update did: ``losses_after`` gives ``[P, T]`` losses of the same batch."""
        ...

    def end_epoch(self, state: State) -> None:
        """Take in that an epoch has ended, after its last step."""
        ...


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """The member's own weights in every step: scalarization."""

    def start(self, members: int, tasks: int) -> Tensors:
        """Nothing to remember."""
        return {}

    def weigh(self, step: TrainingStep) -> Tensor:
        """The member's own weights."""
        return step.weights

    def gradients(self, step_gradients: StepGradients) -> Tensors:
        """The gradients of the losses, weighted by :meth:`weigh`."""
        return step_gradients.weighted(self.weigh(step_gradients.step))

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """Learn nothing: the weights are fixed."""

    def end_epoch(self, state: State) -> None:
        """Change nothing: the weights are fixed."""


FIXED = Fixed()

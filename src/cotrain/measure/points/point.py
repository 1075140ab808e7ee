"""A point of training, held still, as instruments see it.

Instruments know nothing of networks: they ask a point for the tasks' losses and gradients, and for the
losses somewhere else. :class:`~cotrain.measure.points.model_point.ModelPoint` is a point of anyone's
training loop, :class:`~cotrain.measure.points.engine_point.EnginePoint` one of the population engine.
Looking leaves no trace: parameters, buffers, optimizer and random state are bit for bit what they were.
Letters: T tasks, C candidates, B rows.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from cotrain.engine.directions import Directions
from cotrain.errors import InputError


class Point(Protocol):
    """A moment of training that instruments ask for losses and gradients."""

    @property
    def step(self) -> int:
        """Optimizer steps taken so far."""
        ...

    @property
    def losses(self) -> Tensor:
        """``[T]`` mean loss of each task over its labelled rows of the batch."""
        ...

    @property
    def present(self) -> Tensor:
        """``[T]`` bool, whether the task has a label in the batch."""
        ...

    @property
    def labelled(self) -> Tensor:
        """``[T, B]`` bool, which cells of the batch are labelled; B = 1 where rows cannot be told apart."""
        ...

    @property
    def suspects(self) -> Tensor:
        """``[T]`` bool, tasks with a loss under the mask that is not finite: it may reach gradients."""
        ...

    def task_gradients(self) -> Directions:
        """T gradients of ``losses`` by the shared parameters; zero for an absent task."""
        ...

    def example_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Directions:
        """C gradients of single losses: task ``tasks[c]`` of row ``rows[c]``."""
        ...

    def losses_after(self, moves: Directions) -> Tensor:
        """``[C, T]`` losses of the same batch after each move, heads unchanged."""
        ...

    def own_step(self, gradients: Directions) -> Directions:
        """C moves that the optimizer would make, each from one gradient alone."""
        ...


def check_names(tasks: Sequence[str]) -> None:
    """Refuse no names, and a name given twice."""
    twice = [name for at, name in enumerate(tasks) if name in tasks[:at]]
    if twice or not tasks:
        found = f"{twice[0]!r} is there twice" if twice else "there are none"
        raise InputError(f"the instrument needs one distinct name a task: {found}")


def refuse_undefined(values: Tensor, known: Tensor, tasks: Sequence[str], point: Point) -> None:
    """Refuse gradients that are not finite although the losses are.

    Args:
        values: ``[T, C]`` inner products of the tasks' gradients with others.
        known: ``[T, C]`` bool, where they should be finite.
        tasks: T names.
        point: Where it was measured.

    Raises:
        InputError: Names the first such task, the step and the usual cause.
    """
    broken = (~values.isfinite() | ~known).all(dim=1) & known.any(dim=1)
    if bool(broken.any()):
        if bool(point.suspects.any()):
            broken = point.suspects  # its NaN breaks every task's gradient
        raise InputError(
            f"the gradient of task {tasks[int(broken.nonzero()[0])]!r} is not finite at step "
            f"{point.step}: fill missing targets before the loss is computed (a NaN under the mask still "
            "reaches the gradient), or lower the learning rate"
        )


def checked_losses(point: Point, tasks: Sequence[str]) -> Tensor:
    """The losses of a point, NaN for absent tasks.

    Raises:
        InputError: If the number of tasks differs, or the loss of a task that has labels is not finite.
    """
    if len(point.losses) != len(tasks):
        raise InputError(
            f"the losses are {len(point.losses)}, the instrument was made for {len(tasks)} tasks: "
            "give one loss a task, in the order of the names"
        )
    losses = torch.where(point.present, point.losses, torch.nan)
    for name, loss, present in zip(tasks, losses.tolist(), point.present.tolist(), strict=True):
        if present and not -float("inf") < loss < float("inf"):
            raise InputError(
                f"the loss of task {name!r} is {loss} at step {point.step}: if labels are missing, "
                "fill them and pass the mask; else look for infinite inputs or targets, or lower the "
                "learning rate"
            )
    return losses

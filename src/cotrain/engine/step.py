"""A training step between its forward and its backward pass, as weightings and instruments see it.

Letters: P members, T tasks, O outputs, B rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from cotrain.engine.batches import Batch
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.optimizers import ADAMW, Optimizer
from cotrain.engine.state import State


@dataclass(frozen=True, kw_only=True)
class TrainingStep:
    """A training step between its forward and its backward pass.

    Args:
        state: The P members' parameters before the update.
        batch: The rows, common to all members or each member's own.
        outputs: ``[P, O, B]`` outputs of the training pass, dropout included.
        learning_rates: ``[P]`` learning rate of each member in this step.
        weights: ``[P, T]`` the members' own weights; where tasks are domains, whose weights are sampling
            rates, the share of each domain in the batch.
        task_losses: The tasks' losses.
        optimizer: Makes the update.
    """

    state: State
    batch: Batch
    outputs: Tensor
    learning_rates: Sequence[float]
    weights: Tensor
    task_losses: TaskLosses
    optimizer: Optimizer = ADAMW

    @cached_property
    def losses(self) -> Tensor:
        """``[P, T]`` losses of the batch; 0 for a task without labels."""
        return self.task_losses.means(self.outputs, self.batch.targets, self.batch.shares)

    @property
    def counted(self) -> Tensor:
        """``[P, T]`` bool: tasks that the member trains and that have a label in the batch."""
        return (self.weights > 0) & self.batch.present

"""What an executor does: forward and backward for training, outputs for predicting, over stacked members.

Executors are pure in the parameters: they read a :class:`State` and return outputs and gradients. What is
minimised, the training loop and the optimiser are the same whoever computes.
"""

from collections.abc import Callable
from typing import Protocol

from torch import Tensor

from cotrain.models.losses import TaskLosses
from cotrain.population.batches import Batch
from cotrain.population.state import State, Tensors

Backward = Callable[[Tensor], Tensors]


class Executor(Protocol):
    """Computes gradients and outputs of all members of a state."""

    @property
    def name(self) -> str:
        """Shown to the user, with the precision it computes in."""
        ...

    def forward(self, state: State, batch: Batch) -> tuple[Tensor, Backward]:
        """The training pass of each member, and the way back.

        Args:
            state: P members, with this step's dropout keys in the buffers. Buffers that a training
                forward pass changes (BatchNorm statistics) are updated in place.
            batch: The shared batch.

        Returns:
            ``[P, O, B]`` outputs, and a function that turns the ``[P, O, B]`` gradient of whatever is
            minimised by these outputs into gradients like ``state.params``. It may be called several
            times before the next forward pass; the tensors it returns may be reused by its next call.
        """
        ...

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs in evaluation mode, without gradients."""
        ...


def weighted_gradients(
    executor: Executor, state: State, batch: Batch, losses: TaskLosses, weights: Tensor
) -> Tensors:
    """Gradients of ``Σ_t weights[p, t] · loss_t``, like ``state.params``; weights ``[P, T]``."""
    outputs, backward = executor.forward(state, batch)
    return backward(losses.slope(outputs, batch.targets, batch.shares, weights))

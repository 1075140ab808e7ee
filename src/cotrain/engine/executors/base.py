"""What an executor does: forward and backward for training, outputs for predicting, over stacked members.

Executors are pure in the parameters: they read a :class:`State` and return outputs and gradients. What is
minimised, the training loop and the optimizer are the same whoever computes.
Letters: P members, T tasks, O outputs, B rows, N rows to predict.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from torch import Tensor

from cotrain.engine.batches import Batch
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.state import State, Tensors


class Pass(Protocol):
    """The training pass of all members, and the ways back from it, open until the next training pass."""

    @property
    def outputs(self) -> Tensor:
        """``[P, O, B]`` outputs, without a graph."""
        ...

    def gradients(self, output_gradient: Tensor) -> Tensors:
        """Gradients like ``state.params`` of whatever has the ``[P, O, B]`` gradient by the outputs.

        The tensors may be reused by the next call, those of :meth:`head_gradients` too.
        """
        ...

    def head_gradients(self, output_gradient: Tensor) -> Tensors:
        """Gradients of the heads' parameters only, from the gradient by the outputs."""
        ...

    def task_gradients(self, output_gradient: Tensor, tasks: Sequence[slice]) -> Iterator[Tensors]:
        """Each task's own gradient by the shared parameters, one member after the other.

        Args:
            output_gradient: ``[P, O, B]`` of every output's own loss.
            tasks: ``[T]`` outputs of each task.

        Yields:
            Shared parameter → ``[T, ...]``, in the precision of the executor's products; new tensors.
        """
        ...


class Executor(Protocol):
    """Computes gradients and outputs of all members of a state."""

    @property
    def name(self) -> str:
        """Shown to the user, with the precision it computes in."""
        ...

    def forward(self, state: State, batch: Batch) -> Pass:
        """The training pass of each member.

        Args:
            state: P members, with this step's dropout keys in the buffers. Buffers that a training
                forward pass changes (BatchNorm statistics) are updated in place.
            batch: The rows, common to all members or each member's own.
        """
        ...

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs in evaluation mode, without gradients."""
        ...


def weighted_gradients(
    executor: Executor, state: State, batch: Batch, losses: TaskLosses, weights: Tensor
) -> Tensors:
    """Gradients of ``Σ_t weights[p, t] · loss_t``, like ``state.params``; weights ``[P, T]``."""
    passed = executor.forward(state, batch)
    output_gradient = losses.output_gradient(passed.outputs, batch.targets, batch.shares, weights)
    return passed.gradients(output_gradient)

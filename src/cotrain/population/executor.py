"""What an executor does: one verb for training, one for predicting, over stacked members.

Executors are pure in the parameters: they read a :class:`State` and return gradients and outputs. The
training loop and the optimiser are the same whoever computes.
"""

from typing import Protocol

from torch import Tensor

from cotrain.population.batches import Batch
from cotrain.population.state import State, Tensors


class Executor(Protocol):
    """Computes gradients and outputs of all members of a state."""

    @property
    def name(self) -> str:
        """Shown to the user, with the precision it computes in."""
        ...

    def forward_backward(
        self, state: State, batch: Batch, weights: Tensor
    ) -> tuple[Tensors, Tensor]:
        """The training pass of each member.

        Args:
            state: P members, with this step's dropout keys in the buffers. Buffers that a training
                forward pass changes (BatchNorm statistics) are updated in place.
            batch: The shared batch.
            weights: ``[P, T]``.

        Returns:
            Gradients of ``Σ_t weights[p, t] · loss_t``, like ``state.params``, and the ``[P, O, B]``
            outputs they come from. The tensors may be reused by the next call.
        """
        ...

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs in evaluation mode, without gradients."""
        ...

"""The vectorised executor for any module that ``torch.func`` can vmap: one fused pass for all."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from cotrain.models.losses import TaskLosses
from cotrain.population.batches import Batch
from cotrain.population.state import State, Tensors


class VmapExecutor:
    """Maps the network over the members' stacked parameters.

    Modules that draw from torch's generator or branch on values cannot be mapped; calibration notices
    and takes the sequential executor for them. (``nn.Dropout`` has been replaced by keyed dropout.)

    Args:
        net: The network whose parameters the state holds; used as code only.
        losses: The tasks' losses.
    """

    name = "vectorised (vmap), float32"

    def __init__(self, net: nn.Module, losses: TaskLosses) -> None:
        self._net = net
        self._losses = losses

    def forward_backward(
        self, state: State, batch: Batch, weights: Tensor
    ) -> tuple[Tensors, Tensor]:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.train()

        def loss(params: Tensors, buffers: Tensors, weights: Tensor) -> tuple[Tensor, Tensor]:
            outputs = functional_call(self._net, {**params, **buffers}, (batch.inputs,)).T
            means = self._losses.means(outputs, batch.targets, batch.shares)
            return (means * weights).sum(), outputs.detach()

        found: tuple[Tensors, Tensor] = vmap(grad(loss, has_aux=True))(
            state.params, state.buffers, weights
        )
        return found

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.eval()

        def forward(tensors: Tensors) -> Tensor:
            outputs: Tensor = functional_call(self._net, tensors, (inputs,))
            return outputs.T

        with torch.no_grad():
            found: Tensor = vmap(forward)({**state.params, **state.buffers})
        return found

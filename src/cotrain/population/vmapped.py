"""The vectorised executor for any module that ``torch.func`` can vmap: one fused pass for all."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from cotrain.population.batches import Batch
from cotrain.population.executor import Backward
from cotrain.population.state import State, Tensors


class VmapExecutor:
    """Maps the network over the members' stacked parameters.

    Modules that draw from torch's generator or branch on values cannot be mapped; calibration notices
    and takes the sequential executor for them. (``nn.Dropout`` has been replaced by keyed dropout.)

    Args:
        net: The network whose parameters the state holds; used as code only.
    """

    name = "vectorised (vmap), float32"

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def forward(self, state: State, batch: Batch) -> tuple[Tensor, Backward]:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.train()

        def member(params: Tensors, buffers: Tensors) -> Tensor:
            outputs: Tensor = functional_call(self._net, {**params, **buffers}, (batch.inputs,))
            return outputs.T

        def members(params: Tensors) -> Tensor:
            outputs: Tensor = vmap(member)(params, state.buffers)
            return outputs

        outputs, pull = vjp(members, state.params)[:2]

        def backward(slope: Tensor) -> Tensors:
            found: Tensors = pull(slope)[0]
            return found

        return outputs, backward

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.eval()

        def forward(tensors: Tensors) -> Tensor:
            outputs: Tensor = functional_call(self._net, tensors, (inputs,))
            return outputs.T

        with torch.no_grad():
            found: Tensor = vmap(forward)({**state.params, **state.buffers})
        return found

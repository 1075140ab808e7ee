"""The vectorised executor for any module that ``torch.func`` can vmap: one fused pass for all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, vjp, vmap

from cotrain.engine.batches import Batch
from cotrain.engine.state import State, Tensors, is_shared


@dataclass(frozen=True, kw_only=True)
class VmapPass:
    """The training pass of all members at once; ``pull`` is the way back of them all."""

    outputs: Tensor
    pull: Callable[[Tensor], tuple[Tensors]]

    def gradients(self, output_gradient: Tensor) -> Tensors:
        """Gradients like ``state.params``, of all members in one way back."""
        return self.pull(output_gradient)[0]

    def head_gradients(self, output_gradient: Tensor) -> Tensors:
        """Those of the heads, of which the rest of the whole way back is dropped."""
        return {
            name: found
            for name, found in self.pull(output_gradient)[0].items()
            if not is_shared(name)
        }

    def task_gradients(self, output_gradient: Tensor, tasks: Sequence[slice]) -> Iterator[Tensors]:
        """Each task's own gradients, with one way back a task; holds those of all members."""
        found = []
        for outputs in tasks:
            alone = torch.zeros_like(output_gradient)
            alone[:, outputs] = output_gradient[:, outputs]
            own = self.pull(alone)[0]
            found.append({name: tensor for name, tensor in own.items() if is_shared(name)})
        for member in range(len(output_gradient)):
            yield {name: torch.stack([own[name][member] for own in found]) for name in found[0]}


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

    def forward(self, state: State, batch: Batch) -> VmapPass:
        """Run the network once for all members, mapped over their stacked parameters."""
        self._net.train()

        def member(params: Tensors, buffers: Tensors, inputs: Tensor) -> Tensor:
            outputs: Tensor = functional_call(self._net, {**params, **buffers}, (inputs,))
            return outputs.T

        def members(params: Tensors) -> Tensor:
            axes = (0, 0, None if batch.common else 0)
            outputs: Tensor = vmap(member, in_dims=axes)(params, state.buffers, batch.inputs)
            return outputs

        outputs, pull = vjp(members, state.params)[:2]
        return VmapPass(outputs=outputs, pull=pull)

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs in evaluation mode, mapped over the members."""
        self._net.eval()

        def forward(tensors: Tensors) -> Tensor:
            outputs: Tensor = functional_call(self._net, tensors, (inputs,))
            return outputs.T

        with torch.no_grad():
            found: Tensor = vmap(forward)({**state.params, **state.buffers})
        return found

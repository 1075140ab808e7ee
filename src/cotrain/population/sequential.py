"""The executor for any ``nn.Module``: one member after the other."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cotrain.population.batches import Batch
from cotrain.population.executor import Backward
from cotrain.population.state import State, Tensors


class SequentialExecutor:
    """Runs the module once a member. BatchNorm and any other module work.

    Randomness other than :class:`~cotrain.models.dropout.Dropout` is drawn from torch's generator,
    seeded by the member's key of the step, so it too is independent of the population.

    Args:
        net: The network whose parameters the state holds; used as code only.
    """

    name = "sequential, float32"

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def forward(self, state: State, batch: Batch) -> tuple[Tensor, Backward]:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.train()
        before = torch.default_generator.get_state()
        members = [
            {name: tensor[row].detach().requires_grad_() for name, tensor in state.params.items()}
            for row in range(state.size)
        ]
        outputs: list[Tensor] = []
        for row, (params, key) in enumerate(zip(members, state.keys.tolist(), strict=True)):
            torch.default_generator.manual_seed(key)
            buffers = {name: tensor[row] for name, tensor in state.buffers.items()}
            outputs.append(functional_call(self._net, {**params, **buffers}, (batch.inputs,)).T)
        torch.default_generator.set_state(before)

        def backward(slope: Tensor) -> Tensors:
            found = {name: torch.zeros_like(tensor) for name, tensor in state.params.items()}
            for row, params in enumerate(members):
                gradients = torch.autograd.grad(
                    outputs[row],
                    list(params.values()),
                    slope[row],
                    retain_graph=True,
                    allow_unused=True,
                )
                for name, gradient in zip(params, gradients, strict=True):
                    if gradient is not None:
                        found[name][row] = gradient
            return found

        return torch.stack([output.detach() for output in outputs]), backward

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.eval()
        with torch.no_grad():
            return torch.stack(
                [
                    functional_call(
                        self._net,
                        {k: v[row] for k, v in {**state.params, **state.buffers}.items()},
                        (inputs,),
                    ).T
                    for row in range(state.size)
                ]
            )

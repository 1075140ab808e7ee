"""The executor for any ``nn.Module``: one member after the other."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cotrain.models.losses import TaskLosses
from cotrain.population.batches import Batch
from cotrain.population.state import State, Tensors


class SequentialExecutor:
    """Runs the module once a member. BatchNorm and any other module work.

    Randomness other than :class:`~cotrain.models.dropout.Dropout` is drawn from torch's generator,
    seeded by the member's key of the step, so it too is independent of the population.

    Args:
        net: The network whose parameters the state holds; used as code only.
        losses: The tasks' losses.
    """

    name = "sequential, float32"

    def __init__(self, net: nn.Module, losses: TaskLosses) -> None:
        self._net = net
        self._losses = losses

    def forward_backward(
        self, state: State, batch: Batch, weights: Tensor
    ) -> tuple[Tensors, Tensor]:
        """See :class:`~cotrain.population.executor.Executor`."""
        self._net.train()
        found = {name: torch.empty_like(tensor) for name, tensor in state.params.items()}
        before = torch.default_generator.get_state()
        outputs = []
        for row, key in enumerate(state.keys.tolist()):
            torch.default_generator.manual_seed(key)
            outputs.append(self._member(state, row, batch, weights[row], found))
        torch.default_generator.set_state(before)
        return found, torch.stack(outputs)

    def _member(
        self, state: State, row: int, batch: Batch, weights: Tensor, found: Tensors
    ) -> Tensor:
        """Write one member's gradients into ``found``; its ``[O, B]`` outputs."""
        params = {k: v[row].detach().requires_grad_() for k, v in state.params.items()}
        buffers = {k: v[row] for k, v in state.buffers.items()}
        outputs: Tensor = functional_call(self._net, {**params, **buffers}, (batch.inputs,)).T
        means = self._losses.means(outputs, batch.targets, batch.shares)
        gradients = torch.autograd.grad(
            (means * weights).sum(), list(params.values()), allow_unused=True
        )
        for name, gradient in zip(params, gradients, strict=True):
            found[name][row] = 0.0 if gradient is None else gradient
        return outputs.detach()

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

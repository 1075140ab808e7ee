"""The executor for any ``nn.Module``: one member after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call

from cotrain.engine.batches import Batch
from cotrain.engine.state import State, Tensors, is_shared


@dataclass(frozen=True, kw_only=True)
class SequentialPass:
    """The training passes of the members, each with its own graph.

    Args:
        members: ``[P]`` parameters of each member, leaves of its graph.
        graphs: ``[P]`` outputs ``[O, B]`` of each member, with its graph.
    """

    members: Sequence[Tensors]
    graphs: Sequence[Tensor]

    @cached_property
    def outputs(self) -> Tensor:
        """``[P, O, B]`` outputs, without a graph."""
        return torch.stack([graph.detach() for graph in self.graphs])

    def gradients(self, output_gradient: Tensor) -> Tensors:
        """Gradients like ``state.params``, with one way back a member."""
        return self._stacked(output_gradient, lambda _: True)

    def head_gradients(self, output_gradient: Tensor) -> Tensors:
        """Those of the heads, with one way back a member that stops there."""
        return self._stacked(output_gradient, lambda name: not is_shared(name))

    def task_gradients(self, output_gradient: Tensor, tasks: Sequence[slice]) -> Iterator[Tensors]:
        """Each task's own gradients, with one way back a member and task."""
        for params, graph, own in zip(self.members, self.graphs, output_gradient, strict=True):
            shared = {name: tensor for name, tensor in params.items() if is_shared(name)}
            rows = []
            for outputs in tasks:
                alone = torch.zeros_like(own)
                alone[outputs] = own[outputs]
                rows.append(_gradients(graph, shared, alone))
            yield {name: torch.stack([row[name] for row in rows]) for name in shared}

    def _stacked(self, output_gradient: Tensor, wanted: Callable[[str], bool]) -> Tensors:
        names = [name for name in self.members[0] if wanted(name)]
        rows = [
            _gradients(graph, {name: params[name] for name in names}, own)
            for params, graph, own in zip(self.members, self.graphs, output_gradient, strict=True)
        ]
        return {name: torch.stack([row[name] for row in rows]) for name in names}


def _gradients(graph: Tensor, params: Tensors, output_gradient: Tensor) -> Tensors:
    """Gradients by some parameters; zero where one is not reached."""
    if not params:
        return {}
    found = torch.autograd.grad(
        graph, list(params.values()), output_gradient, retain_graph=True, materialize_grads=True
    )
    return dict(zip(params, found, strict=True))


class SequentialExecutor:
    """Runs the module once a member. BatchNorm and any other module work.

    Randomness other than :class:`~cotrain.engine.models.dropout.Dropout` is drawn from torch's generator,
    seeded by the member's key of the step, so it too is independent of the population.

    Args:
        net: The network whose parameters the state holds; used as code only.
    """

    name = "sequential, float32"

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def forward(self, state: State, batch: Batch) -> SequentialPass:
        """Run the members one after the other, each with its own random state."""
        self._net.train()
        before = torch.default_generator.get_state()
        members = [
            {name: tensor[row].detach().requires_grad_() for name, tensor in state.params.items()}
            for row in range(state.size)
        ]
        graphs: list[Tensor] = []
        for row, (params, key) in enumerate(zip(members, state.keys.tolist(), strict=True)):
            torch.default_generator.manual_seed(key)
            buffers = {name: tensor[row] for name, tensor in state.buffers.items()}
            inputs = batch.of(row).inputs
            graphs.append(functional_call(self._net, {**params, **buffers}, (inputs,)).T)
        torch.default_generator.set_state(before)
        return SequentialPass(members=members, graphs=graphs)

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs in evaluation mode, member by member."""
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

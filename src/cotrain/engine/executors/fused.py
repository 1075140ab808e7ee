"""The vectorised executor of the built-in MLP: forward and backward written out, no autograd.

With the shared input, layer one of all members is the single product ``[P·H, D] @ [D, B]``; every later
product is a batched one (see :mod:`cotrain.engine.models.mlp_passes`). Buffers are allocated once for a
population size. Optionally the products run in bfloat16 (parameters, moments and losses stay float32).
Letters: P members, T tasks, D inputs, H hidden units, B rows, O outputs, L hidden layers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cotrain.engine.batches import Batch
from cotrain.engine.models.dropout import counters, gain, mix_in_place, threshold
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.mlp_passes import backward, forward, through_relu
from cotrain.engine.models.multitask import MultiTaskNet
from cotrain.engine.state import State, Tensors, is_shared

CHUNK_BYTES = 1 << 21  # tasks' gradients held at a time: they should stay in the cache


@dataclass(kw_only=True)
class _Workspace:
    """Buffers for P members and B rows, reused from step to step."""

    weights: list[Tensor]  # per layer and head [P, out, in], times the dropout gain of their input
    biases: list[Tensor]  # per layer and head [P, out, 1]
    hidden: list[Tensor]  # per layer [P, H, B]; relu(z) · keep
    backward: list[Tensor]  # per layer [P, H, B]
    gradients: Tensors  # like State.params, float32
    products: Tensors  # the same in the precision of the products


@dataclass(frozen=True, kw_only=True)
class FusedPass:
    """The training pass of all members, whose activations stand in the workspace."""

    executor: "FusedMLPExecutor"
    space: _Workspace
    state: State
    source: Tensor
    outputs: Tensor

    def gradients(self, output_gradient: Tensor) -> Tensors:
        """Gradients like ``state.params``, in the workspace."""
        self.executor.backward(self, self.executor.by_head_row(output_gradient), lowest=0)
        return self.space.gradients

    def head_gradients(self, output_gradient: Tensor) -> Tensors:
        """Those of the heads, which needs no further way back than the head's."""
        self.executor.backward(
            self, self.executor.by_head_row(output_gradient), lowest=len(self.space.hidden)
        )
        return {name: g for name, g in self.space.gradients.items() if not is_shared(name)}

    def task_gradients(self, output_gradient: Tensor, tasks: Sequence[slice]) -> Iterator[Tensors]:
        """Each task's own gradients, those of a member's tasks going back together."""
        for member in range(len(output_gradient)):
            yield self.executor.task_gradients(self, output_gradient[member], tasks, member)


class FusedMLPExecutor:
    """Runs the built-in MLP for all members at once, without autograd.

    Args:
        net: A :class:`MultiTaskNet` whose encoder is an :class:`MLP`; used for its shapes and rates.
        precision: ``torch.float32`` or ``torch.bfloat16``.
    """

    def __init__(self, net: MultiTaskNet, precision: torch.dtype = torch.float32) -> None:
        if not isinstance(net.encoder, MLP):
            raise TypeError("the fused executor runs the built-in MLP only")
        self.name = f"vectorised (fused MLP), {str(precision).removeprefix('torch.')}"
        self._precision = precision
        self._depth = len(net.encoder.linears)
        self._dropping = [bool(drop.rate) for drop in net.encoder.drops]
        self._rows = net.rows
        self._names = [f"encoder.linears.{i}" for i in range(self._depth)] + ["head"]
        self._spaces: dict[tuple[int, int], _Workspace] = {}
        self._counters: dict[int, Tensor] = {}

    def forward(self, state: State, batch: Batch) -> FusedPass:
        """Run all members, and leave their activations in the workspace."""
        space = self._workspace(state, batch.size)
        self._load(space, state)
        source = self._drop_inputs(state, batch.inputs.to(self._precision))
        outputs = self._forward(space, state, source).float()
        return FusedPass(executor=self, space=space, state=state, source=source, outputs=outputs)

    def outputs(self, state: State, inputs: Tensor) -> Tensor:
        """``[P, O, N]`` outputs in evaluation mode; always in float32, as it is shipped."""
        weights, biases = self._parameters(state, torch.float32)
        source = inputs.T.expand(state.size, -1, -1)
        for layer in forward(weights, biases, source, [None] * len(weights)):  # holds two at a time
            outputs = layer
        return self._by_output(outputs)

    def _by_output(self, values: Tensor) -> Tensor:
        """``[P, O, ...]`` from ``[P, R, ...]`` of the head's rows."""
        return values if self._rows is None else values[:, self._rows]

    def by_head_row(self, output_gradient: Tensor) -> Tensor:
        """``[P, R, B]`` from ``[P, O, B]`` gradients by the outputs: outputs of the same row add up."""
        if self._rows is None:
            return output_gradient
        rows = output_gradient.new_zeros(
            len(output_gradient), int(self._rows.max()) + 1, output_gradient.shape[-1]
        )
        return rows.index_add_(1, self._rows, output_gradient)

    def _forward(self, space: _Workspace, state: State, source: Tensor) -> Tensor:
        """``[P, O, B]`` training outputs; leaves the hidden activations in the workspace."""

        def drop(values: Tensor, layer: int) -> None:
            self._drop(values, state, layer)

        out = [*space.hidden, None]
        *_, rows = forward(space.weights, space.biases, source, out, drop)
        return self._by_output(rows)

    def backward(self, run: FusedPass, gradient: Tensor, *, lowest: int) -> None:
        """Gradients of the head and every layer down to ``lowest``, into the workspace.

        Args:
            run: The training pass.
            gradient: ``[P, R, B]`` of the loss, by the head's rows.
            lowest: Number of the last layer to reach; the head's stops there.
        """
        space = run.space
        space.gradients["head.bias"].copy_(gradient.sum(dim=-1))
        layers = backward(
            space.weights[lowest:],
            space.hidden[lowest:],
            gradient.to(self._precision),
            out=space.backward[lowest:],
        )
        for at, own in layers:
            layer = lowest + at
            name = self._names[layer]
            if layer < self._depth:
                space.gradients[f"{name}.bias"].copy_(own.sum(dim=-1))
            below = space.hidden[layer - 1] if layer else run.source
            into = space.products[f"{name}.weight"]
            if below.dim() == 2:
                torch.mm(own.flatten(0, 1), below.T, out=into.flatten(0, 1))
            else:
                torch.bmm(own, below.transpose(1, 2), out=into)
            self._finish(run, layer)

    def _finish(self, run: FusedPass, layer: int) -> None:
        """A weight's gradient from the product: the layer read its input times the dropout gain."""
        name = f"{self._names[layer]}.weight"
        product, gradient = run.space.products[name], run.space.gradients[name]
        if self._dropping[layer]:
            torch.mul(product, self._gain(run.state, layer), out=gradient)
        elif product is not gradient:
            gradient.copy_(product)

    def task_gradients(
        self, run: FusedPass, output_gradient: Tensor, tasks: Sequence[slice], member: int
    ) -> Tensors:
        """One member's ``[T, ...]`` gradients of all layers but the head, from ``[O, B]`` by outputs."""
        head = self._by_output(run.space.weights[-1][member : member + 1])[0]
        found = {
            name: tensor.new_empty(len(tasks), *tensor.shape[1:], dtype=self._precision)
            for name, tensor in run.state.params.items()
            if is_shared(name)
        }
        size = max(1, CHUNK_BYTES // run.space.hidden[-1][member].nbytes)
        for at in range(0, len(tasks), size):
            part = {name: tensor[at : at + size] for name, tensor in found.items()}
            self._task_gradients(run, head, output_gradient, tasks[at : at + size], member, part)
        for layer, dropping in enumerate(self._dropping[:-1]):
            if dropping:
                gain = self._gain(run.state, layer)[member]
                found[f"{self._names[layer]}.weight"].mul_(gain)
        return found

    def _task_gradients(
        self,
        run: FusedPass,
        head: Tensor,
        output_gradient: Tensor,
        tasks: Sequence[slice],
        member: int,
        into: Tensors,
    ) -> None:
        """Write some tasks' gradients; by features, one is the head's rows times that by outputs."""
        rows = slice(tasks[0].start, tasks[-1].stop)
        by_output = output_gradient[rows].to(self._precision).unsqueeze(1) * head[rows].unsqueeze(2)
        by_features = _sums(by_output, [task.stop - task.start for task in tasks])
        hidden = [activations[member] for activations in run.space.hidden]
        through_relu(by_features, hidden[-1])
        weights = [weight[member] for weight in run.space.weights[:-1]]
        source = run.source if run.source.dim() == 2 else run.source[member]
        for layer, gradient in backward(weights, hidden[:-1], by_features):
            below = hidden[layer - 1] if layer else source
            name = self._names[layer]
            torch.mm(gradient.flatten(0, 1), below.T, out=into[f"{name}.weight"].flatten(0, 1))
            torch.sum(gradient, dim=2, out=into[f"{name}.bias"])

    def _gain(self, state: State, layer: int) -> Tensor:
        """``[P, 1, 1]`` factor on a layer's input that makes up for what dropout removed."""
        return gain(state.buffers[f"encoder.drops.{layer}.dropout_rate"]).view(-1, 1, 1)

    def _drop_inputs(self, state: State, rows: Tensor) -> Tensor:
        """``[D, B]`` common inputs, or ``[P, D, B]`` where each member has or drops its own."""
        rows = rows.transpose(-1, -2)
        if not self._dropping[0]:
            return rows.contiguous()
        source = torch.empty(state.size, *rows.shape[-2:], dtype=rows.dtype).copy_(rows)
        self._drop(source, state, 0)
        return source

    def _drop(self, values: Tensor, state: State, layer: int) -> None:
        """Zero dropped elements of ``[P, H, B]`` in place: the masks of ``models.dropout``."""
        if not self._dropping[layer]:
            return
        size = values[0].numel()
        if size not in self._counters:
            self._counters[size] = counters(size, values.device)
        key = state.buffers[f"encoder.drops.{layer}.dropout_key"] + layer
        least = threshold(state.buffers[f"encoder.drops.{layer}.dropout_rate"])
        bits = mix_in_place(self._counters[size] + key.unsqueeze(1))
        keep = bits.view(torch.uint8)[:, :size] >= least.unsqueeze(1)
        values.mul_(keep.view(values.shape))

    def _parameters(
        self, state: State, precision: torch.dtype
    ) -> tuple[list[Tensor], list[Tensor]]:
        weights = [state.params[f"{name}.weight"].to(precision) for name in self._names]
        biases = [state.params[f"{name}.bias"].to(precision).unsqueeze(-1) for name in self._names]
        return weights, biases

    def _load(self, space: _Workspace, state: State) -> None:
        """Bring the parameters into the precision of the products, and the gains into the weights."""
        for layer, name in enumerate(self._names):
            if self._dropping[layer]:
                gains = self._gain(state, layer)
                space.weights[layer].copy_(state.params[f"{name}.weight"] * gains)
            else:
                space.weights[layer].copy_(state.params[f"{name}.weight"])
            space.biases[layer].copy_(state.params[f"{name}.bias"].unsqueeze(-1))

    def _workspace(self, state: State, rows: int) -> _Workspace:
        key = (state.size, rows)
        if key not in self._spaces:
            self._spaces = {key: self._allocate(state, rows)}  # one population at a time
        return self._spaces[key]

    def _allocate(self, state: State, rows: int) -> _Workspace:
        weights, biases = (
            [tensor.clone() for tensor in tensors]
            for tensors in self._parameters(state, self._precision)
        )
        widths = [weight.shape[1] for weight in weights[:-1]]

        def hidden() -> list[Tensor]:
            return [weights[0].new_empty(state.size, width, rows) for width in widths]

        gradients = {name: torch.empty_like(p) for name, p in state.params.items()}
        return _Workspace(
            weights=weights,
            biases=biases,
            hidden=hidden(),
            backward=hidden(),
            gradients=gradients,
            products={
                name: gradient.to(self._precision)  # the gradient itself where that is float32
                for name, gradient in gradients.items()
                if name.endswith("weight")
            },
        )


def _sums(rows: Tensor, sizes: Sequence[int]) -> Tensor:
    """Sums of so many neighbouring rows each."""
    if len(rows) == len(sizes):
        return rows
    of = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return rows.new_zeros(len(sizes), *rows.shape[1:]).index_add_(0, of, rows)

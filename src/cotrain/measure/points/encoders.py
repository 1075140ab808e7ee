"""The shared part of the network, as :class:`~cotrain.measure.points.engine_point.EnginePoint` uses it.

Any encoder goes through autograd: one batched backward pass from the features, one stacked forward pass.
The built-in MLP is written out in factors, so no gradient of a weight is ever formed.
Letters: C candidates, O outputs, B rows, H features.
"""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.func import functional_call

from cotrain.engine.directions import Dense, Directions
from cotrain.engine.executors.base import Executor
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.mlp_passes import backward, forward, linear, through_relu
from cotrain.engine.models.multitask import ENCODER, HEAD, MultiTaskNet
from cotrain.engine.state import State, Tensors
from cotrain.errors import InputError
from cotrain.measure.points.backward import vector_jacobian_products
from cotrain.measure.points.factored import Factored, row_products

CHUNK_BYTES = 1 << 23  # held at a time: small enough for the allocator to use the same pages again


class SharedPart(Protocol):
    """An encoder with a member's parameters, on the inputs of one batch, in evaluation mode."""

    @property
    def features(self) -> Tensor:
        """``[B, H]`` features of the batch, without a graph."""
        ...

    def directions(self, feature_gradients: Tensor) -> Directions:
        """C gradients by the shared parameters, from ``[C, B, H]`` gradients by the features."""
        ...

    def outputs_after(self, moves: Directions) -> Tensor:
        """``[C, O, B]`` outputs of the network after each move, heads unchanged."""
        ...


def shared_part(net: MultiTaskNet, executor: Executor, state: State, inputs: Tensor) -> SharedPart:
    """The form that suits the encoder.

    Args:
        net: The network, used as code only.
        executor: Predicts with many moved copies at once.
        state: With a single member.
        inputs: ``[B, ...]``.

    Raises:
        InputError: If nothing in the encoder can be trained.
    """
    if not any(name.startswith(ENCODER) for name in state.params):
        raise InputError(
            "the encoder has no parameter that can be trained, so the tasks share nothing to measure: "
            "unfreeze some of its layers"
        )
    whole = all(f"{ENCODER}{name}" in state.params for name, _ in net.encoder.named_parameters())
    form = MLPEncoder if type(net.encoder) is MLP and whole else AutogradEncoder
    return form(net, executor, state, inputs)


class AutogradEncoder:
    """Any encoder, through autograd; takes the arguments of :func:`shared_part`."""

    def __init__(self, net: MultiTaskNet, executor: Executor, state: State, inputs: Tensor) -> None:
        self._encoder = net.encoder.eval()
        self._executor = executor
        self._state = state
        self._inputs = inputs
        self._shared = {
            name: tensor[0].detach().requires_grad_()
            for name, tensor in state.params.items()
            if name.startswith(ENCODER)
        }

    @property
    def features(self) -> Tensor:
        """``[B, H]`` features of the batch, without a graph."""
        return self._graph.detach()

    @cached_property
    def _graph(self) -> Tensor:
        frozen = {name: tensor[0] for name, tensor in self._state.buffers.items()}
        tensors = {name.removeprefix(ENCODER): v for name, v in {**frozen, **self._shared}.items()}
        with torch.enable_grad():
            features: Tensor = functional_call(self._encoder, tensors, (self._inputs,))
        return features

    def directions(self, feature_gradients: Tensor) -> Dense:
        """C gradients by the shared parameters, in one batched way back from the features."""
        found = vector_jacobian_products(
            self._graph, list(self._shared.values()), feature_gradients
        )
        return Dense(tensors=dict(zip(self._shared, found, strict=True)))

    def outputs_after(self, moves: Directions) -> Tensor:
        """``[C, O, B]`` outputs after each move, in chunks that stay in memory the allocator has."""
        bytes_each = sum(t.numel() * t.element_size() for t in self._shared.values())
        chunks = moves.dense().chunks(max(1, CHUNK_BYTES // bytes_each))
        return torch.cat([self._outputs(chunk.tensors) for chunk in chunks])

    def _outputs(self, moves: Tensors) -> Tensor:
        count = len(next(iter(moves.values())))
        params = {n: t.expand(count, *t.shape[1:]) for n, t in self._state.params.items()}
        state = State(
            params={n: t + moves[n] if n in moves else t for n, t in params.items()},
            buffers={n: t.expand(count, *t.shape[1:]) for n, t in self._state.buffers.items()},
            momentum={},
            variance={},
        )
        return self._executor.outputs(state, self._inputs)


class MLPEncoder:
    """The built-in MLP in factors; takes the arguments of :func:`shared_part`."""

    def __init__(self, net: MultiTaskNet, executor: Executor, state: State, inputs: Tensor) -> None:
        assert isinstance(net.encoder, MLP)
        self._names = [f"{ENCODER}linears.{at}." for at in range(len(net.encoder.linears))]
        names = [*self._names, HEAD]
        self._weights = [state.params[f"{name}weight"][0] for name in names]
        self._biases = [state.params[f"{name}bias"][0].unsqueeze(1) for name in names]
        if net.rows is not None:
            self._weights[-1] = self._weights[-1][net.rows]
            self._biases[-1] = self._biases[-1][net.rows]
        self._whole = AutogradEncoder(net, executor, state, inputs)
        layers = forward(self._weights[:-1], self._biases[:-1], inputs.T, [None] * len(self._names))
        first = next(layers)
        self._first = first.clone()  # of the first layer before its ReLU
        self._activations = [inputs.T, first, *layers]  # what every layer reads, and the features
        self._activations[-1].relu_()

    @property
    def features(self) -> Tensor:
        """``[B, H]`` features of the batch."""
        return self._activations[-1].T

    def directions(self, feature_gradients: Tensor) -> Factored:
        """C gradients as the gradients by the layers' outputs; none is written out."""
        gradient = feature_gradients.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        through_relu(gradient, self._activations[-1])
        found = [own for _, own in backward(self._weights[:-1], self._activations[1:-1], gradient)]
        return Factored(
            names=self._names, output_gradients=found[::-1], activations=self._activations[:-1]
        )

    def outputs_after(self, moves: Directions) -> Tensor:
        """``[C, O, B]`` outputs, layer by layer W'a' + b' = Wa' + b + δ (aᵀa' + 1)."""
        if not isinstance(moves, Factored):
            return self._whole.outputs_after(moves)
        moved = self._first + moves.output_gradients[0] @ row_products(self._activations[0])
        for layer in range(1, len(self._names)):
            above, below = moved.relu_(), self._activations[layer]
            products = below.T @ above + 1
            moved = linear(self._weights[layer], self._biases[layer], above)
            moved = moved + moves.output_gradients[layer] @ products
        return linear(self._weights[-1], self._biases[-1], moved.relu_())

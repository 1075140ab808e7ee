"""A point of anyone's training loop: their model, their losses, their optimiser.

    for step, (x, y) in enumerate(loader):
        if step % 10 == 0:
            at = ModelPoint(lambda: losses(model(x), y), model=model, shared=model.encoder, step=step)
            lookahead.probe(at)
        ...

Every evaluation starts from the same random state and the same buffers, so dropout masks are equal before
and after a move, and both are put back at the end. The model stays in the mode it is in.
Letters: T tasks, C candidates, B rows.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cotrain.errors import InputError
from cotrain.measure.backward import vector_jacobian_products
from cotrain.measure.directions import Dense, Directions, join


class ModelPoint:
    """See the module's text.

    Args:
        losses: Computes the batch's losses with the model as it is: ``[T]`` mean losses, or ``[T, B]``
            single losses. Called once for the gradients and once for each candidate.
        model: The whole model; its buffers are put back.
        shared: The part that all tasks share. If it is called once and returns a tensor, each task's
            backward pass through its own head stops there and all go on together.
        mask: ``[T]`` or ``[T, B]`` bool like the losses, false where there is no label; all true unless
            given. What the losses say there is not read.
        optimizer: For :class:`~cotrain.measure.steps.OwnStep`; a copy of it steps.
        step: Optimiser steps taken, for messages.

    Raises:
        InputError: If the shared part has nothing to train, or a parameter serves one task only.
    """

    def __init__(
        self,
        losses: Callable[[], Tensor],
        *,
        model: nn.Module,
        shared: nn.Module,
        mask: Tensor | None = None,
        optimizer: Optimizer | None = None,
        step: int = 0,
    ) -> None:
        self._closure = losses
        self._model = model
        self._shared_module = shared
        self._shared = {n: p for n, p in shared.named_parameters() if p.requires_grad}
        if not self._shared:
            raise InputError(
                "no shared parameter requires a gradient: unfreeze the encoder, or pass the part of the "
                "model that all tasks share"
            )
        self._mask = mask
        self._optimizer = optimizer
        self._step = step

    @property
    def step(self) -> int:
        """See :class:`~cotrain.measure.point.Point`."""
        return self._step

    @property
    def present(self) -> Tensor:
        """See :class:`~cotrain.measure.point.Point`."""
        return self.labelled.any(dim=1)

    @cached_property
    def labelled(self) -> Tensor:
        """See :class:`~cotrain.measure.point.Point`."""
        single = self._forward[0]
        if self._mask is None:
            return torch.ones_like(single, dtype=torch.bool)
        mask = self._mask.to(single.device).bool()
        return mask.unsqueeze(1).expand(single.shape) if mask.dim() == 1 else mask

    @cached_property
    def losses(self) -> Tensor:
        """See :class:`~cotrain.measure.point.Point`."""
        return self._means(self._forward[0].detach())

    def task_gradients(self) -> Dense:
        """See :class:`~cotrain.measure.point.Point`."""
        single = self._forward[0]
        total = torch.where(self.labelled, single, 0.0).sum(dim=1)
        means = total / self.labelled.sum(dim=1).clamp(min=1)
        found = self._gradients([means[t] if self.present[t] else None for t in range(len(means))])
        self._refuse_private_parameters(found)
        return found

    def example_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Dense:
        """See :class:`~cotrain.measure.point.Point`."""
        single = self._forward[0]
        return self._gradients([single[t, b] for t, b in zip(tasks, rows, strict=True)])

    def losses_after(self, moves: Directions) -> Tensor:
        """See :class:`~cotrain.measure.point.Point`; one evaluation a candidate."""
        found, dense = [], moves.dense()
        for row in range(dense.count):
            with self._moved(dense, row), torch.no_grad():
                found.append(self._means(self._evaluate()))
        return torch.stack(found)

    def own_step(self, gradients: Directions) -> Dense:
        """See :class:`~cotrain.measure.point.Point`."""
        if self._optimizer is None:
            raise InputError("give ModelPoint the optimizer whose own step is to be looked ahead")
        dense = gradients.dense()
        return join([self._own_step(self._optimizer, dense, row) for row in range(dense.count)])

    def _own_step(self, optimizer: Optimizer, gradients: Dense, row: int) -> Dense:
        twin = copy.deepcopy(optimizer)
        ours = [p for group in optimizer.param_groups for p in group["params"]]
        theirs = [p for group in twin.param_groups for p in group["params"]]
        place = {id(mine): copied for mine, copied in zip(ours, theirs, strict=True)}
        for copied in theirs:
            copied.grad = None
        for name, parameter in self._shared.items():
            place[id(parameter)].grad = gradients.tensors[name][row].clone()
        type(twin).step(twin)  # the class's own: schedulers wrap the instance's around the original
        return Dense(
            tensors={
                name: (place[id(p)] - p).detach().unsqueeze(0) for name, p in self._shared.items()
            }
        )

    @cached_property
    def _forward(self) -> tuple[Tensor, Tensor | None]:
        """``[T, B]`` single losses with their graph, and the features if there is one tensor of them."""
        seen: list[Any] = []
        handle = self._shared_module.register_forward_hook(lambda *call: seen.append(call[2]))
        try:
            with torch.enable_grad():
                single = self._evaluate()
        finally:
            handle.remove()
        one = len(seen) == 1 and isinstance(seen[0], Tensor) and seen[0].requires_grad
        return single, seen[0] if one else None

    def _evaluate(self) -> Tensor:
        """``[T, B]`` single losses of the model as it is, from the same random state every time."""
        buffers = [(buffer, buffer.data) for buffer in self._model.buffers()]
        for buffer, before in buffers:
            buffer.data = before.clone()
        try:
            with torch.random.fork_rng():
                losses = self._closure()
        finally:
            for buffer, before in buffers:
                buffer.data = before
        return losses.unsqueeze(1) if losses.dim() == 1 else losses

    def _means(self, single: Tensor) -> Tensor:
        total = torch.where(self.labelled, single, 0.0).sum(dim=1)
        return torch.where(self.present, total / self.labelled.sum(dim=1).clamp(min=1), torch.nan)

    def _gradients(self, scalars: Sequence[Tensor | None]) -> Dense:
        """Gradients of single numbers; zero for None."""
        features = self._forward[1]
        parameters = list(self._shared.values())
        if features is None:
            rows = [_gradient(scalar, parameters) for scalar in scalars]
            found = [torch.stack(column) for column in zip(*rows, strict=True)]
        else:  # own head, one by one; shared part, all at once
            vectors = torch.stack([_gradient(scalar, [features])[0] for scalar in scalars])
            found = vector_jacobian_products(features, parameters, vectors)
        return Dense(tensors=dict(zip(self._shared, found, strict=True)))

    def _refuse_private_parameters(self, gradients: Dense) -> None:
        """A parameter that one of several tasks reaches is its head, not shared."""
        for name, tensor in gradients.tensors.items():
            reached = tensor.flatten(1).ne(0).any(dim=1)
            if (
                int(self.present.sum()) > 1
                and int(reached.sum()) == 1
                and self._all_move(gradients)
            ):
                raise InputError(
                    f"parameter {name!r} of the shared part is reached by task number "
                    f"{int(reached.nonzero())} only: pass as `shared` the part that all tasks share, "
                    "without their heads"
                )

    def _all_move(self, gradients: Dense) -> bool:
        """Whether every present task has some gradient."""
        squares = gradients.inner(gradients).diagonal()
        return bool((squares[self.present] > 0).all())

    @contextmanager
    def _moved(self, moves: Dense, row: int) -> Iterator[None]:
        """The shared parameters moved; afterwards the very same tensors are back."""
        before = {name: parameter.data for name, parameter in self._shared.items()}
        try:
            for name, parameter in self._shared.items():
                parameter.data = before[name] + moves.tensors[name][row]
            yield
        finally:
            for name, parameter in self._shared.items():
                parameter.data = before[name]


def _gradient(scalar: Tensor | None, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of a number by several tensors; zero for None and where it does not reach."""
    if scalar is None:
        return [torch.zeros_like(tensor) for tensor in inputs]
    found = torch.autograd.grad(scalar, inputs, retain_graph=True, allow_unused=True)
    return [
        torch.zeros_like(tensor) if gradient is None else gradient
        for tensor, gradient in zip(inputs, found, strict=True)
    ]

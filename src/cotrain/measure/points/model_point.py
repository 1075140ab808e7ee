"""A point of anyone's training loop: their model, their losses, their optimizer.

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

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cotrain.engine.directions import Dense, Directions
from cotrain.errors import InputError
from cotrain.measure.points.backward import vector_jacobian_products
from cotrain.measure.points.lone_step import lone_steps
from cotrain.measure.points.replay import Replay


class ModelPoint:
    """A point of anyone's training loop, looked at without leaving a trace.

    Args:
        losses: Computes the batch's losses with the model as it is: ``[T]`` mean losses, or ``[T, B]``
            single losses. Called once for the gradients and once for each candidate.
        model: The whole model; its buffers are put back.
        shared: The part that all tasks share. If it is called once and returns a tensor, each task's
            backward pass through its own head stops there and all go on together.
        mask: ``[T]`` or ``[T, B]`` bool like the losses, false where there is no label; all true unless
            given. What the losses say there is not read.
        optimizer: For :class:`~cotrain.measure.transference.steps.OwnStep`; a copy of it steps.
        step: Optimizer steps taken, for messages.

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
        if not callable(losses) or isinstance(losses, nn.Module):
            raise InputError("losses must be a function without arguments that computes them")
        if not isinstance(shared, nn.Module):
            raise InputError(f"shared must be a module of the model, got {type(shared).__name__}")
        self._evaluate = Replay(losses, model)
        self._module = shared
        self._shared = {n: p for n, p in shared.named_parameters() if p.requires_grad}
        if not self._shared:
            raise InputError(
                "no shared parameter requires a gradient: unfreeze the encoder, or pass the part of the "
                "model that all tasks share"
            )
        self._mask = mask
        self._optimizer = optimizer
        self._step = step
        self._cuts: list[tuple[Tensor, Tensor]] = []  # features with their graph, and without

    @property
    def step(self) -> int:
        """Optimizer steps taken so far, as the user said."""
        return self._step

    @property
    def present(self) -> Tensor:
        """``[T]`` bool, whether the task has a label in the batch."""
        return self.labelled.any(dim=1)

    @cached_property
    def labelled(self) -> Tensor:
        """``[T, B]`` bool, which losses count: those that the mask does not exclude."""
        single = self._single
        if self._mask is None:
            return torch.ones_like(single, dtype=torch.bool)
        mask = self._mask.to(single.device).bool()
        if mask.dim() == 1 and len(mask) == len(single):
            return mask.unsqueeze(1).expand(single.shape)
        if mask.shape != single.shape:
            raise InputError(
                f"the mask is {list(mask.shape)}, the losses are {list(single.squeeze(1).shape)}: give "
                "a mask like the losses, tasks first"
            )
        return mask

    @property
    def suspects(self) -> Tensor:
        """``[T]`` bool, tasks with a loss under the mask that is not finite."""
        return (~self._single.isfinite() & ~self.labelled).any(dim=1)

    @cached_property
    def losses(self) -> Tensor:
        """``[T]`` mean loss of each task over its labelled rows; NaN for an absent one."""
        return self._means(self._single.detach())

    def task_gradients(self) -> Dense:
        """T gradients of :attr:`losses` by the shared parameters."""
        return self._task_gradients

    @cached_property
    @torch.enable_grad()
    def _task_gradients(self) -> Dense:
        """The tasks' gradients, kept because several instruments ask for them."""
        means, present = self._means(self._single), self.present.tolist()
        found = self._gradients([m if p else None for m, p in zip(means, present, strict=True)])
        self._refuse_private_parameters(found)
        return found

    @torch.enable_grad()
    def example_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Dense:
        """C gradients of single losses: task ``tasks[c]`` of row ``rows[c]``."""
        return self._gradients([self._single[t, b] for t, b in zip(tasks, rows, strict=True)])

    def losses_after(self, moves: Directions) -> Tensor:
        """``[C, T]`` losses of the same batch after each move, with one evaluation a move."""
        for name, parameter in self._shared.items():
            if parameter.dtype.itemsize < 4:
                raise InputError(
                    f"shared parameter {name!r} is {parameter.dtype}: a lookahead's step would be rounded "
                    "away; keep parameters in float32 (and compute in autocast), or use FirstOrder"
                )
        found, dense = [], moves.dense()
        for row in range(dense.count):
            with self._moved(dense, row), torch.no_grad():
                found.append(self._evaluate())
        return torch.stack([self._means(single) for single in found])

    def own_step(self, gradients: Directions) -> Dense:
        """C moves that a copy of the user's optimizer makes, each from one gradient alone."""
        if self._optimizer is None:
            raise InputError("give ModelPoint the optimizer whose own step is to be looked ahead")
        return lone_steps(self._optimizer, self._shared, gradients.dense())

    @cached_property
    def _single(self) -> Tensor:
        """``[T, B]`` single losses with their graph.

        What the shared part returns is cut out of the graph, so each task's backward pass through its own
        head stops there, and what reaches shared parameters past it (tied weights, penalties) does not.
        """

        def cut(module: nn.Module, inputs: Any, output: Any) -> Tensor | None:
            if not (isinstance(output, Tensor) and output.requires_grad):
                return None
            leaf = output.detach().requires_grad_()
            self._cuts.append((output, leaf))
            return leaf.clone()  # may be worked on in place

        handle = self._module.register_forward_hook(cut)
        try:
            self._versions = [parameter._version for parameter in self._shared.values()]
            with torch.enable_grad():
                single = self._evaluate()
        finally:
            handle.remove()
        if not single.requires_grad:
            raise InputError(
                "no gradient flows from the losses: compute them with the model, with its graph"
            )
        return single

    def _means(self, single: Tensor) -> Tensor:
        total = torch.where(self.labelled, single, 0.0).sum(dim=1)
        means = total / self.labelled.sum(dim=1).clamp(min=1)
        least = torch.promote_types(means.dtype, torch.float32)
        return torch.where(self.present, means.to(least), torch.nan)

    def _gradients(self, scalars: Sequence[Tensor | None]) -> Dense:
        """Gradients of single numbers; zero for None.

        First one by one, each through its own head down to the cuts; then all together through the shared
        part, last call first, because a later call may read an earlier one's features.
        """
        if [p._version for p in self._shared.values()] != self._versions:
            raise InputError("a point is of one moment: make a new ModelPoint after each step")
        parameters, leaves = list(self._shared.values()), [leaf for _, leaf in self._cuts]
        rows = [_gradient(scalar, [*leaves, *parameters]) for scalar in scalars]
        columns = [_stacked(column) for column in zip(*rows, strict=True)]
        for at in reversed(range(len(leaves))):
            vectors = columns[at]
            if vectors is not None:
                past = [*range(at), *range(len(leaves), len(columns))]
                reached = [*leaves[:at], *parameters]
                for place, found in zip(
                    past, vector_jacobian_products(self._cuts[at][0], reached, vectors), strict=True
                ):
                    columns[place] = _added(columns[place], found)
        seen = any(column is not None for column in columns[len(leaves) :])
        if not seen and any(scalar is not None for scalar in scalars):
            raise InputError(
                "no loss reaches the shared part: compute the losses with it, without detach()"
            )
        tensors = {
            name: parameter.new_zeros(len(scalars), *parameter.shape) if column is None else column
            for (name, parameter), column in zip(
                self._shared.items(), columns[len(leaves) :], strict=True
            )
        }
        return Dense(tensors=tensors)

    def _refuse_private_parameters(self, gradients: Dense) -> None:
        """A parameter that one of several tasks reaches is its head, not shared."""
        squares = gradients.inner(gradients).diagonal()
        if int(self.present.sum()) < 2 or not bool((squares[self.present] > 0).all()):
            return
        for name, tensor in gradients.tensors.items():
            reached = tensor.reshape(len(tensor), -1).ne(0).any(dim=1)
            if int(reached.sum()) == 1:
                raise InputError(
                    f"parameter {name!r} of the shared part is reached by task number "
                    f"{int(reached.nonzero())} only: pass as `shared` the part that all tasks share, "
                    "without their heads"
                )

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


def _gradient(scalar: Tensor | None, inputs: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
    """The gradient of a number by several tensors; None where it does not reach."""
    if scalar is None:
        return (None,) * len(inputs)
    return torch.autograd.grad(scalar, inputs, retain_graph=True, allow_unused=True)


def _stacked(column: Sequence[Tensor | None]) -> Tensor | None:
    """``[C, ...]``, zero for None; None if there is nothing but None."""
    known = next((tensor for tensor in column if tensor is not None), None)
    if known is None:
        return None
    return torch.stack([torch.zeros_like(known) if t is None else t for t in column])


def _added(a: Tensor | None, b: Tensor) -> Tensor:
    return b if a is None else a + b

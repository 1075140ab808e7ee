"""The gradients of a training step, made when a method asks for them.

A method may weigh the losses, the same for heads and shared part; or give the shared part weights of its
own, from the inner products of the tasks' gradients there; or steer the shared part along any vector.
Letters: P members, T tasks, O outputs, B rows, D shared parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from cotrain.errors import InputError
from cotrain.population.executor import Executor, Pass
from cotrain.population.state import Tensors, is_shared
from cotrain.population.step import TrainingStep

PART = 8192  # parameters multiplied at a time, so that what is cast to float32 stays in the cache


@dataclass(frozen=True, kw_only=True)
class StepGradients:
    """The gradients of a training step. Valid until the executor's next training pass.

    Args:
        step: The step, between its forward and its backward pass.
        passed: The training pass.
        executor: Who computed it.
        weight_decays: ``[P]`` decoupled weight decay of each member.
    """

    step: TrainingStep
    passed: Pass
    executor: Executor
    weight_decays: Sequence[float]

    def weighted(self, weights: Tensor) -> Tensors:
        """Like ``state.params``, of ``Σ_t weights[p, t] · loss_t``; may be reused by the next call."""
        slope = self._slope(weights)
        return self.passed.gradients(slope, slope)

    def mixed(self, heads: Tensor, shared: Tensor) -> Tensors:
        """The same with ``[P, T]`` weights for the heads and others for the shared part."""
        return self.passed.gradients(self._slope(heads), self._slope(shared))

    def steered(self, heads: Tensor, directions: Tensor) -> Tensors:
        """The same with ``[P, D]`` vectors in place of the shared part's gradients."""
        found = self.weighted(heads)
        return found | shared_parts(found, directions)

    def of_tasks(self) -> Iterator[Tensors]:
        """Each task's own gradient: shared parameter → ``[T, ...]``, member by member.

        Zero where a task has no label. The tensors may be reused for the next member.

        Raises:
            InputError: If no shared parameter can be trained.
        """
        if not any(map(is_shared, self.step.state.params)):
            raise InputError(
                "the encoder has no parameter that can be trained, so the tasks' gradients share nothing: "
                "unfreeze some of its layers, or weigh the losses only"
            )
        ones = torch.ones_like(self.step.weights)
        return self.passed.task_gradients(self._slope(ones), self.step.task_losses.slices)

    @cached_property
    def gram(self) -> Tensor:
        """``[P, T, T]`` inner products of the tasks' own gradients by the shared parameters."""
        return torch.stack([gram(gradients) for gradients in self.of_tasks()])

    def _slope(self, weights: Tensor) -> Tensor:
        batch = self.step.batch
        return self.step.task_losses.slope(self.step.outputs, batch.targets, batch.shares, weights)


def gram(gradients: Tensors) -> Tensor:
    """``[T, T]`` inner products over all parameters, in float32 at least.

    >>> gram({"w": torch.tensor([[3.0, 4.0], [0.0, 1.0]]), "b": torch.tensor([1.0, 2.0])})
    tensor([[26.,  6.],
            [ 6.,  5.]])
    """
    tasks = len(next(iter(gradients.values())))
    total = torch.zeros(tasks, tasks)
    for gradient in gradients.values():
        for part in torch.split(gradient.reshape(tasks, -1), PART, dim=1):
            exact = part.float()
            total.addmm_(exact, exact.T)
    return total


def matrix(gradients: Tensors) -> Tensor:
    """``[T, D]`` float32, the parameters in their order.

    >>> matrix({"w": torch.ones(2, 1, 2), "b": torch.zeros(2)})
    tensor([[1., 1., 0.],
            [1., 1., 0.]])
    """
    return torch.cat([g.reshape(len(g), -1).float() for g in gradients.values()], dim=1)


def shared_parts(like: Tensors, vectors: Tensor) -> Tensors:
    """``[N, D]`` vectors cut into the shared parameters among ``like``: name → ``[N, ...]``.

    >>> shared_parts({"encoder.w": torch.zeros(1, 2), "head.w": torch.zeros(1, 4)}, torch.ones(1, 2))
    {'encoder.w': tensor([[1., 1.]])}
    """
    shared = {name: tensor for name, tensor in like.items() if is_shared(name)}
    columns = torch.split(vectors, [tensor[0].numel() for tensor in shared.values()], dim=1)
    return {
        name: column.reshape(len(vectors), *tensor.shape[1:])
        for (name, tensor), column in zip(shared.items(), columns, strict=True)
    }

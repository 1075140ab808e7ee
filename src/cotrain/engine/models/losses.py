"""Losses of all tasks at once, from the fused outputs.

Outputs are feature-major, ``[..., O, B]``: the population keeps activations as ``[P, features, B]`` so
that a shared input makes layer one a single matrix product without any layout copy.

Per example: binary cross-entropy, softmax cross-entropy, and half the squared error of the
standardised value. A task's loss on a batch is the mean over its labelled rows.
Letters: P members, T tasks, O outputs, B rows.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cotrain.tasks import Kind, Task, head_rows, output_slices


def label_shares(mask: Tensor) -> Tensor:
    """``[..., T, B]`` weights that turn a sum over rows into the mean over labelled rows.

    >>> label_shares(torch.tensor([[True, True, False], [False, False, False]]))
    tensor([[0.5000, 0.5000, 0.0000],
            [0.0000, 0.0000, 0.0000]])
    """
    return mask / mask.sum(dim=-1, keepdim=True).clamp(min=1)


class TaskLosses:
    """Per-example losses and their gradient for an ordered list of tasks."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tuple(tasks)
        self.slices = output_slices(tasks)
        self.outputs = self.slices[-1].stop
        # Tasks with one output each, as (rows of targets, rows of outputs), by kind.
        self._binary = self._simple(Kind.BINARY)
        self._regression = self._simple(Kind.REGRESSION)
        self._multiclass = [t for t, task in enumerate(tasks) if task.kind is Kind.MULTICLASS]
        # The task that each output belongs to, and the head's row that it comes from.
        self.task_of_output = task_of_output(tasks)
        self.head_rows = torch.tensor(head_rows(tasks))

    def _simple(self, kind: Kind) -> tuple[Tensor, Tensor]:
        at = [t for t, task in enumerate(self.tasks) if task.kind is kind]
        return torch.tensor(at, dtype=torch.long), torch.tensor(
            [self.slices[t].start for t in at], dtype=torch.long
        )

    def per_example(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """``[..., T, B]`` losses from ``[..., O, B]`` outputs and ``[T, B]`` or ``[..., T, B]`` targets."""
        parts: list[Tensor] = []
        order: list[Tensor] = []
        for (at, columns), loss in ((self._binary, _binary), (self._regression, _squared)):
            if len(at):
                parts.append(loss(outputs[..., columns, :], targets[..., at, :]))
                order.append(at)
        for t in self._multiclass:
            parts.append(_softmax(outputs[..., self.slices[t], :], targets[..., t, :]))
            order.append(torch.tensor([t]))
        return torch.cat(parts, dim=-2)[..., torch.argsort(torch.cat(order)), :]

    def means(self, outputs: Tensor, targets: Tensor, shares: Tensor) -> Tensor:
        """``[..., T]`` mean losses over the labelled rows; 0 for a task without labels."""
        return (self.per_example(outputs, targets) * shares).sum(dim=-1)

    def output_gradient(
        self, outputs: Tensor, targets: Tensor, shares: Tensor, weights: Tensor
    ) -> Tensor:
        """``[P, O, B]`` gradient of ``Σ_t weights[p, t] · loss_t`` by the outputs.

        Args:
            outputs: ``[P, O, B]``.
            targets: ``[T, B]``, or ``[P, T, B]`` if each member has its own rows; likewise the shares.
            shares: See :func:`label_shares`.
            weights: ``[P, T]``.
        """
        of = self.task_of_output
        gradient = self.per_example_gradient(outputs, targets)
        return gradient.mul_(shares[..., of, :]).mul_(weights[:, of].unsqueeze(-1))

    def per_example_gradient(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """``[..., O, B]`` derivative of each output's per-example loss, in closed form."""
        if len(self._binary[0]) == self.outputs:
            return outputs.sigmoid() - targets
        gradient = torch.empty_like(outputs)
        for (at, columns), activation in (
            (self._binary, torch.sigmoid),
            (self._regression, torch.positive),
        ):
            gradient[..., columns, :] = activation(outputs[..., columns, :]) - targets[..., at, :]
        for t in self._multiclass:
            logits = outputs[..., self.slices[t], :]
            hot = F.one_hot(targets[..., t, :].long(), logits.shape[-2]).transpose(-1, -2)
            gradient[..., self.slices[t], :] = logits.softmax(dim=-2) - hot
        return gradient

    def untouched(self, present: Tensor) -> Tensor:
        """``[..., R]`` rows of the head none of whose tasks has a label.

        Args:
            present: ``[..., T]`` bool, tasks with a label in the batch.
        """
        labels = present[..., self.task_of_output].to(torch.int32)
        rows = labels.new_zeros(*labels.shape[:-1], int(self.head_rows.max()) + 1)
        return rows.index_add_(-1, self.head_rows, labels) == 0


def task_of_output(tasks: Sequence[Task]) -> Tensor:
    """``[O]`` the task that each output belongs to."""
    return torch.tensor([t for t, task in enumerate(tasks) for _ in range(task.outputs)])


def _binary(logits: Tensor, targets: Tensor) -> Tensor:
    return F.softplus(logits) - targets * logits


def _squared(values: Tensor, targets: Tensor) -> Tensor:
    return 0.5 * (values - targets) ** 2


def _softmax(logits: Tensor, targets: Tensor) -> Tensor:
    log_p = logits.log_softmax(dim=-2)
    codes = targets.long().expand(*log_p.shape[:-2], -1).unsqueeze(-2)
    return -log_p.gather(-2, codes)


def starting_bias(tasks: Sequence[Task], targets: Tensor, mask: Tensor) -> Tensor:
    """``[R]`` outputs of the best constant prediction on the training labels (add-one smoothed).

    Tasks of the same head count together.

    Args:
        tasks: The ordered tasks.
        targets: ``[N, T]`` codes or standardised values.
        mask: ``[N, T]`` label mask.
    """
    heads: dict[int, list[int]] = {}
    for t, columns in enumerate(output_slices(tasks)):
        heads.setdefault(head_rows(tasks)[columns.start], []).append(t)
    bias = [
        _constant(tasks[own[0]], targets[:, own][mask[:, own]].numpy()) for own in heads.values()
    ]
    return torch.from_numpy(np.concatenate(bias)).to(torch.float32)


def _constant(task: Task, labels: NDArray[np.float32]) -> NDArray[np.float64]:
    if task.kind is Kind.REGRESSION:
        return np.array([labels.mean() if len(labels) else 0.0], dtype=np.float64)
    counts = np.bincount(labels.astype(int), minlength=max(2, len(task.classes))) + 1.0
    logits: NDArray[np.float64] = np.log(counts / counts.sum()).astype(np.float64)
    return logits if task.kind is Kind.MULTICLASS else logits[1:] - logits[:1]


def predictions(tasks: Sequence[Task], outputs: Tensor) -> list[NDArray[np.float64]]:
    """Probabilities or values, one array a task, from ``[..., O, N]`` outputs.

    Returns:
        For each task ``[..., N]`` probability of the positive class, ``[..., N, classes]``
        probabilities, or ``[..., N]`` standardised values.
    """
    found = []
    for task, columns in zip(tasks, output_slices(tasks), strict=True):
        part = outputs[..., columns, :].double()
        if task.kind is Kind.BINARY:
            part = part.sigmoid().squeeze(-2)
        elif task.kind is Kind.MULTICLASS:
            part = part.softmax(dim=-2).transpose(-1, -2)
        else:
            part = part.squeeze(-2)
        found.append(part.cpu().numpy())
    return found

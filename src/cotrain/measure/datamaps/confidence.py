"""How confident a network is in the true label, and whether it predicts it: what data maps record.

For every kind of task the confidence is c = exp(−loss), with the losses of
:mod:`cotrain.engine.models.losses`:

- binary: c = 1 − |y − σ(z)|, correct where c > ½;
- multi-class: the softmax probability of the true class, correct where its logit is the one largest;
- regression (our definition; the papers have none): c = exp(−½ (z − y)²) on standardised values, the
  likelihood of the label relative to its maximum at unit variance, correct where |z − y| < ½, half a
  standard deviation.

A tie is not correct, so the order of the classes does not matter. Binary confidence is computed as σ(z) or
σ(−z), so a task and its negation have the same confidence bit for bit.
Letters: T tasks, O outputs, B batch, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from cotrain.engine.models.losses import TaskLosses
from cotrain.tasks import Kind

Pair = tuple[Tensor, Tensor]  # confidence, correct


class Judged(NamedTuple):
    """What a network thinks of a batch's labels, each ``[T, B]``: hand it to ``record(rows, *judged)``.

    Args:
        confidence: In the true label, 0 to 1; anything where there is no label.
        correct: Whether the prediction is right.
        labelled: Whether there is a label.
    """

    confidence: Tensor
    correct: Tensor
    labelled: Tensor


def confidence(losses: Tensor) -> Tensor:
    """The confidence in the true label that a per-example loss stands for.

    >>> confidence(torch.tensor([0.0, 0.6931472]))
    tensor([1.0000, 0.5000])
    """
    return torch.exp(-losses)


def judge(losses: TaskLosses, outputs: Tensor, targets: Tensor, mask: Tensor) -> Judged:
    """Judge the fused outputs of one network, tasks of any kind side by side.

    Args:
        losses: The tasks' losses, which know the tasks and their outputs.
        outputs: ``[O, B]`` of the training forward pass, before the batch's update.
        targets: ``[T, B]`` class codes or standardised values.
        mask: ``[T, B]`` bool, whether there is a label. Values under a masked cell have no influence.
    """
    outputs, targets = outputs.detach().float(), torch.where(mask, targets, 0.0)
    if all(task.kind is Kind.BINARY for task in losses.tasks):
        return Judged(*_binary(outputs, targets), mask)
    sure, correct = torch.empty_like(targets, dtype=torch.float32), torch.empty_like(mask)
    for kind, of in _SIMPLE.items():
        at = [t for t, task in enumerate(losses.tasks) if task.kind is kind]
        columns = [losses.slices[t].start for t in at]
        sure[at], correct[at] = of(outputs[columns], targets[at])
    for t, task in enumerate(losses.tasks):
        if task.kind is Kind.MULTICLASS:
            sure[t], correct[t] = _classes(outputs[losses.slices[t]], targets[t].long())
    return Judged(sure, correct, mask)


def judge_binary(logits: Tensor, labels: Tensor) -> Judged:
    """Judge binary tasks in a loop of your own.

    Args:
        logits: ``[B, T]``, or ``[B]`` for one task.
        labels: Like ``logits``: 0 or 1; NaN or negative where there is none.

    >>> judged = judge_binary(torch.tensor([0.0, 2.0, -2.0]), torch.tensor([1.0, 1.0, 0.0]))
    >>> judged.confidence, judged.correct
    (tensor([[0.5000, 0.8808, 0.8808]]), tensor([[False,  True,  True]]))
    """
    labelled = labels >= 0
    filled = torch.where(labelled, labels, 0).float()
    return _tasks_first(_binary(logits.detach().float(), filled), labelled)


def judge_classes(logits: Tensor, codes: Tensor) -> Judged:
    """Judge one multi-class task in a loop of your own; :func:`stacked` puts several together.

    Args:
        logits: ``[B, C]``.
        codes: ``[B]`` class codes; NaN or negative where there is no label.

    >>> judge_classes(torch.tensor([[0.0, 0.0], [0.0, 2.0]]), torch.tensor([1, 1]))[:2]
    (tensor([[0.5000, 0.8808]]), tensor([[False,  True]]))
    """
    labelled = codes >= 0
    filled = torch.where(labelled, codes, 0).long()
    return _tasks_first(_classes(logits.detach().float().T, filled), labelled)


def judge_values(values: Tensor, targets: Tensor) -> Judged:
    """Judge regression tasks in a loop of your own, on standardised values.

    Args:
        values: ``[B, T]``, or ``[B]`` for one task.
        targets: Like ``values``; NaN where there is none.

    >>> judge_values(torch.tensor([0.0, 0.4]), torch.tensor([1.0, 0.0]))[:2]
    (tensor([[0.6065, 0.9231]]), tensor([[False,  True]]))
    """
    labelled = ~targets.isnan()
    filled = torch.where(labelled, targets, 0).float()
    return _tasks_first(_values(values.detach().float(), filled), labelled)


def stacked(*parts: Judged) -> Judged:
    """Tasks that were judged apart, as one batch, in the order given.

    >>> one = judge_values(torch.zeros(3), torch.zeros(3))
    >>> stacked(one, one).confidence.shape
    torch.Size([2, 3])
    """
    return Judged(*(torch.cat(same) for same in zip(*parts, strict=True)))


def _binary(logits: Tensor, labels: Tensor) -> Pair:
    # not torch.sigmoid: its last bit depends on the place in the array, exp's does not
    sure = 1 / (1 + torch.exp(logits * (1 - 2 * labels)))
    return sure, sure > 0.5


def _values(values: Tensor, targets: Tensor) -> Pair:
    residual = values - targets
    return confidence(0.5 * residual**2), residual.abs() < 0.5


def _classes(logits: Tensor, codes: Tensor) -> Pair:
    """``[B]`` of one task from ``[C, B]`` logits."""
    true = codes.unsqueeze(0)
    others = logits.scatter(0, true, -torch.inf).amax(dim=0)
    losses = -logits.log_softmax(dim=0).gather(0, true).squeeze(0)
    return confidence(losses), logits.gather(0, true).squeeze(0) > others


_SIMPLE: dict[Kind, Callable[[Tensor, Tensor], Pair]] = {
    Kind.BINARY: _binary,
    Kind.REGRESSION: _values,
}


def _tasks_first(pair: Pair, labelled: Tensor) -> Judged:
    """``[B]`` or ``[B, T]`` as ``[T, B]``."""
    return Judged(*(part.reshape(len(part), -1).T for part in (*pair, labelled)))

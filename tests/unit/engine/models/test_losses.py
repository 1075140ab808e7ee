"""Losses and closed-form gradients against torch.nn.functional and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import make_data, make_tasks
from torch import Tensor
from torch.nn import functional as F

from cotrain.engine.models.losses import TaskLosses, label_shares, predictions, starting_bias
from cotrain.tasks import Task, output_slices

ORDERS = ["b", "r", "m", "brm", "mbrmbb", "rrr", "bbb", "mm"]


def outputs_for(tasks: tuple[Task, ...], members: int = 3, rows: int = 10) -> Tensor:
    size = output_slices(tasks)[-1].stop
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(members, size, rows, generator=generator)


def torch_loss(task: Task, part: Tensor, target: Tensor) -> Tensor:
    """``[B]`` from ``[O, B]`` by torch."""
    if task.name.startswith("b"):
        return F.binary_cross_entropy_with_logits(part[0], target, reduction="none")
    if task.name.startswith("r"):
        return 0.5 * F.mse_loss(part[0], target, reduction="none")
    return F.cross_entropy(part.T, target.long(), reduction="none")


@pytest.mark.parametrize("kinds", ORDERS)
def test_per_example_is_torch(kinds: str) -> None:
    data = make_data(kinds, rows=10, missing=0.0)
    outputs, losses = outputs_for(data.tasks), TaskLosses(data.tasks)
    found = losses.per_example(outputs, data.targets.T)
    assert found.shape == (3, len(kinds), 10)
    for member in range(3):
        for t, columns in enumerate(losses.slices):
            expected = torch_loss(data.tasks[t], outputs[member, columns], data.targets[:, t])
            torch.testing.assert_close(found[member, t], expected)


@pytest.mark.parametrize("kinds", ORDERS)
def test_means_are_over_labelled_rows(kinds: str) -> None:
    data = make_data(kinds, rows=10, missing=0.4)
    outputs, losses = outputs_for(data.tasks), TaskLosses(data.tasks)
    found = losses.means(outputs, data.targets.T, label_shares(data.mask.T))
    for t, columns in enumerate(losses.slices):
        seen = data.mask[:, t]
        expected = torch_loss(data.tasks[t], outputs[1, columns][:, seen], data.targets[seen, t])
        torch.testing.assert_close(found[1, t], expected.mean())


def test_a_task_without_labels_has_mean_zero() -> None:
    data = make_data("br", rows=10, missing=0.0)
    data.mask[:, 0] = False
    losses = TaskLosses(data.tasks)
    found = losses.means(outputs_for(data.tasks), data.targets.T, label_shares(data.mask.T))
    assert (found[:, 0] == 0).all()
    assert (found[:, 1] > 0).all()


@pytest.mark.parametrize("kinds", ORDERS)
def test_gradient_is_autograd(kinds: str) -> None:
    data = make_data(kinds, rows=10, missing=0.0)
    outputs, losses = outputs_for(data.tasks).requires_grad_(), TaskLosses(data.tasks)
    total = losses.per_example(outputs, data.targets.T).sum()
    (expected,) = torch.autograd.grad(total, outputs)
    found = losses.per_example_gradient(outputs.detach(), data.targets.T)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_extreme_logits_have_finite_losses() -> None:
    tasks = make_tasks("bm")
    outputs = torch.tensor([[[1e4, -1e4]], [[1e4, -1e4]], [[-1e4, 1e4]], [[0.0, 0.0]]])
    outputs = outputs.reshape(1, 4, 2)
    targets = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    losses = TaskLosses(tasks)
    assert losses.per_example(outputs, targets)[0, 0].tolist() == [1e4, 1e4]
    assert losses.per_example_gradient(outputs, targets).isfinite().all()


@pytest.mark.parametrize("kinds", ["b", "brm", "mrb"])
def test_task_of_output(kinds: str) -> None:
    losses = TaskLosses(make_tasks(kinds))
    counts = [3 if kind == "m" else 1 for kind in kinds]
    assert losses.task_of_output.tolist() == np.repeat(range(len(kinds)), counts).tolist()
    assert losses.outputs == sum(counts)


def test_label_shares_sum_to_one_where_labelled() -> None:
    mask = torch.tensor([[True, False, True, True], [False] * 4, [False, True, False, False]])
    assert label_shares(mask).sum(dim=1).tolist() == pytest.approx([1, 0, 1])
    assert (label_shares(mask)[~mask] == 0).all()


def test_starting_bias_by_hand() -> None:
    tasks = make_tasks("brm")
    targets = torch.tensor([[1.0, 2.0, 0.0], [1.0, 4.0, 2.0], [0.0, 9.0, 2.0], [1.0, 3.0, 1.0]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 1], [1, 0, 1], [1, 1, 0]]).bool()
    found = starting_bias(tasks, targets, mask)
    # binary: log((3+1)/(1+1)); regression: mean of 2, 4, 3; classes: (1+1, 0+1, 2+1)/6
    expected = [np.log(2), 3.0, np.log(2 / 6), np.log(1 / 6), np.log(3 / 6)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_starting_bias_without_labels_is_indifferent() -> None:
    tasks = make_tasks("brm")
    found = starting_bias(tasks, torch.zeros(4, 3), torch.zeros(4, 3, dtype=torch.bool))
    np.testing.assert_allclose(found, [0, 0, *[np.log(1 / 3)] * 3], rtol=1e-6)


def test_starting_bias_is_the_best_constant() -> None:
    data = make_data("brm", rows=600, missing=0.2)
    losses = TaskLosses(data.tasks)
    shares = label_shares(data.mask.T)
    start = starting_bias(data.tasks, data.targets, data.mask)

    def mean(bias: Tensor) -> Tensor:
        return losses.means(bias[:, None].expand(-1, 600), data.targets.T, shares)

    best = mean(start)
    for output in range(losses.outputs):
        for shift in (-0.1, 0.1):
            moved = start.clone()
            moved[output] += shift
            t = losses.task_of_output[output]
            assert mean(moved)[t] > best[t]


def test_predictions_by_kind() -> None:
    tasks = make_tasks("brm")
    outputs = outputs_for(tasks)
    binary, value, classes = predictions(tasks, outputs)
    assert (binary.shape, value.shape, classes.shape) == ((3, 10), (3, 10), (3, 10, 3))
    np.testing.assert_allclose(binary, torch.sigmoid(outputs[:, 0].double()))
    np.testing.assert_allclose(value, outputs[:, 1])
    np.testing.assert_allclose(classes.sum(axis=-1), 1)
    np.testing.assert_allclose(classes[1, 4], outputs[1, 2:, 4].double().softmax(0))

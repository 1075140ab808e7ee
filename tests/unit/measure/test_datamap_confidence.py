"""Confidence in the true label, of every kind of task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import make_tasks

from cotrain.engine.models.losses import TaskLosses
from cotrain.measure.datamaps.confidence import (
    Judged,
    confidence,
    judge,
    judge_binary,
    judge_classes,
    judge_values,
    stacked,
)
from cotrain.tasks import Kind, Task

KINDS = "brmbr"


def batch(rows: int = 64, seed: int = 0) -> tuple[TaskLosses, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    losses = TaskLosses(make_tasks(KINDS))
    outputs = 3 * torch.randn(losses.outputs, rows, generator=draw)
    targets = torch.randint(0, 2, (len(KINDS), rows), generator=draw).float()
    targets[2] = torch.randint(0, 3, (rows,), generator=draw).float()
    for t in (1, 4):
        targets[t] = torch.randn(rows, generator=draw)
    return losses, outputs, targets


def test_binary_is_one_minus_the_distance_to_the_label() -> None:
    z = torch.tensor([-30.0, -2.0, 0.0, 0.3, 30.0])
    for y in (0.0, 1.0):
        found = judge_binary(z, torch.full((5,), y))
        expected = 1 - (y - z.double().sigmoid()).abs()
        assert found.confidence[0].double() == pytest.approx(expected, abs=1e-7)
        assert found.correct[0].tolist() == (expected > 0.5).tolist()


def test_classes_are_the_softmax_and_the_one_largest_logit() -> None:
    z = torch.tensor([[1.0, 2.0, 0.0], [1.0, 1.0, 0.0], [0.1, 0.0, 0.2]])
    found = judge_classes(z, torch.tensor([1, 0, 2]))
    expected = z.softmax(dim=1)[range(3), [1, 0, 2]]
    assert found.confidence[0] == pytest.approx(expected, abs=1e-7)
    assert found.correct.tolist() == [
        [True, False, True]
    ]  # a tie, and a share of less than one half
    assert float(expected[2]) < 0.5


def test_values_are_the_relative_likelihood_and_half_a_deviation() -> None:
    found = judge_values(torch.tensor([0.0, 0.49, 0.5, -3.0]), torch.zeros(4))
    assert found.confidence[0] == pytest.approx(
        np.exp([0.0, -0.120050, -0.125, -4.5]).tolist(), abs=1e-6
    )
    assert found.correct.tolist() == [[True, True, False, False]]


def test_all_kinds_at_once_equal_each_alone() -> None:
    losses, outputs, targets = batch()
    found = judge(losses, outputs, targets, torch.ones_like(targets, dtype=torch.bool))
    apart = stacked(
        judge_binary(outputs[0], targets[0]),
        judge_values(outputs[1], targets[1]),
        judge_classes(outputs[2:5].T, targets[2]),
        judge_binary(outputs[5], targets[3]),
        judge_values(outputs[6], targets[4]),
    )
    assert torch.equal(found.confidence, apart.confidence)
    assert torch.equal(found.correct, apart.correct)
    assert found.labelled.all()
    assert 0.2 < float(found.correct.float().mean()) < 0.8


def test_confidence_is_what_the_loss_says() -> None:
    losses, outputs, targets = batch()
    found = judge(losses, outputs, targets, torch.ones_like(targets, dtype=torch.bool))
    expected = confidence(losses.per_example(outputs, targets))
    assert float((found.confidence - expected).abs().max()) < 1e-6


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_permuting_tasks_permutes_the_judgement_bit_for_bit(order: list[int]) -> None:
    losses, outputs, targets = batch()
    mask = targets > -0.5
    moved = TaskLosses([losses.tasks[t] for t in order])
    columns = torch.cat([outputs[losses.slices[t]] for t in order])
    found = judge(moved, columns, targets[order], mask[order])
    for part, expected in zip(found, judge(losses, outputs, targets, mask), strict=True):
        assert torch.equal(part, expected[order])


@pytest.mark.parametrize("rows", [1, 15, 16, 33, 2004])
def test_a_task_and_its_negation_are_judged_bit_for_bit_alike(rows: int) -> None:
    """Wherever they stand among the tasks: the last bit of torch.sigmoid depends on the place."""
    tasks = [Task(name=n, kind=Kind.BINARY, classes=("0", "1")) for n in ("a", "not a", "a too")]
    z = 8 * torch.randn(rows, generator=torch.Generator().manual_seed(0))
    z[:4] = torch.tensor([0.0, 1e-9, 200.0, -200.0])[:rows]
    y = torch.arange(rows) % 2.0
    mask = torch.ones(3, rows, dtype=torch.bool)
    outputs, targets = torch.stack([z, -z, z]), torch.stack([y, 1 - y, y])
    for part in judge(TaskLosses(tasks), outputs, targets, mask):
        assert torch.equal(part[0], part[1])
        assert torch.equal(part[0], part[2])
    assert torch.equal(judge_binary(z, y).confidence, judge_binary(-z, 1 - y).confidence)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), float("-inf"), 1e30, -5.0])
def test_a_masked_target_has_no_influence(poison: float) -> None:
    losses, outputs, targets = batch()
    mask = torch.rand(targets.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    found = judge(losses, outputs, torch.where(mask, targets, poison), mask)
    for part, expected in zip(found, judge(losses, outputs, targets, mask), strict=True):
        assert torch.equal(part[mask], expected[mask])


def test_a_diverged_output_is_not_taken_for_a_missing_label() -> None:
    losses, outputs, targets = batch(rows=2)
    outputs[:] = torch.nan
    found = judge(losses, outputs, targets, torch.ones_like(targets, dtype=torch.bool))
    assert found.confidence.isnan().all()
    assert found.labelled.all()
    assert not found.correct.any()


def test_missing_labels_of_ones_own_loop() -> None:
    nan = float("nan")
    assert judge_binary(torch.zeros(3), torch.tensor([1.0, nan, -1.0])).labelled.tolist() == [
        [True, False, False]
    ]
    assert judge_classes(torch.zeros(2, 3), torch.tensor([-100, 2])).labelled.tolist() == [
        [False, True]
    ]
    assert judge_values(torch.zeros(2), torch.tensor([nan, -1.0])).labelled.tolist() == [
        [False, True]
    ]


def test_batches_come_out_tasks_first_and_without_gradients() -> None:
    z = torch.zeros(7, 3, requires_grad=True)
    for found in (
        judge_binary(z, torch.zeros(7, 3)),
        judge_values(z, torch.zeros(7, 3)),
        stacked(*[judge_classes(z, torch.zeros(7, dtype=torch.long))] * 3),
    ):
        assert isinstance(found, Judged)
        assert all(part.shape == (3, 7) and not part.requires_grad for part in found)


def test_integer_and_boolean_labels() -> None:
    z = torch.tensor([1.0, -1.0])
    for labels in (torch.tensor([1, 0], dtype=torch.int8), torch.tensor([True, False])):
        assert judge_binary(z, labels).correct.all()

"""Data maps by hand, against a slow reference, and on trainings whose difficult labels are known."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from cotrain.engine.models.losses import TaskLosses
from cotrain.measure.datamaps.confidence import judge, judge_binary
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.tasks import Kind, Task

Array = NDArray[Any]


def test_three_epochs_by_hand() -> None:
    """Example 0 is learnt, 1 is forgotten and learnt again, 2 is left out of the second epoch."""
    maps = DataMaps(["a", "b"], rows=3, snapshots=(2,))
    nan = np.nan
    epochs = [
        ([0, 1, 2], [[0.5, 0.8, 0.2], [0.9, nan, nan]], [[0, 1, 0], [1, 0, 0]]),
        ([1, 0], [[0.4, 0.7], [nan, 0.3]], [[0, 1], [0, 0]]),
        ([2, 1, 0], [[0.4, 0.6, 0.9], [nan, nan, 0.3]], [[0, 1, 1], [0, 0, 0]]),
    ]
    for rows, confidence, correct in epochs:
        maps.record(np.array(rows), np.array(confidence), np.array(correct, dtype=bool))
        maps.end_epoch()
    found = maps.result()
    assert found.epochs == (2, 3)

    def near(array: Array, expected: list[list[float]]) -> None:
        assert array == pytest.approx(np.array(expected), abs=1e-5, nan_ok=True)

    near(found.confidence(0), [[0.6, 0.6, 0.2], [0.6, nan, nan]])
    near(found.confidence(), [[0.7, 0.6, 0.3], [0.5, nan, nan]])
    # √(.1² + .1²), √(.2² + .2²), one observation; √(.3² + .3²)
    near(found.variability(0), [[0.141421, 0.282843, nan], [0.424264, nan, nan]])
    # √((.2² + 0 + .2²)/2) = .2 twice, √(.1² + .1²); √((.4² + .2² + .2²)/2) = √.12
    near(found.variability(), [[0.2, 0.2, 0.141421], [0.346410, nan, nan]])
    near(found.correctness(0), [[0.5, 0.5, 0], [0.5, nan, nan]])
    near(found.correctness(), [[2 / 3, 2 / 3, 0], [1 / 3, nan, nan]])
    near(found.forgetting(), [[0, 1, 0], [1, nan, nan]])
    assert found.observed[-1].tolist() == [[3, 3, 2], [3, 0, 0]]
    # Examples 0 of both: (.0² + .282843²)/2 at the first snapshot, (.2² + .14641²)/2 at the second.
    expected = np.sqrt((0 + 0.08 + 0.04 + 0.146410**2) / 4)
    near(found.distances(), [[0, expected], [expected, 0]])


def reference(history: list[list[tuple[float, bool]]]) -> tuple[Array, ...]:
    """μ, s, correctness and forgetting of cells whose observations are all stored."""
    rows = []
    for seen in history:
        values = np.array([value for value, _ in seen])
        right = [correct for _, correct in seen]
        forgotten = 0
        for before, after in pairwise(right):
            forgotten += before and not after
        rows.append((np.mean(values), np.std(values, ddof=1), np.mean(right), forgotten))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("epochs", [2, 3, 30, 300])
def test_against_a_reference_that_stores_everything(epochs: int) -> None:
    draw = np.random.default_rng(epochs)
    tasks, rows = 3, 21
    maps = DataMaps(["a", "b", "c"], rows=rows)
    mask = draw.random((tasks, rows)) < 0.6
    level = draw.random((tasks, rows))
    history: dict[tuple[int, int], list[tuple[float, bool]]] = {}
    for epoch in range(epochs):
        order = draw.permutation(rows)[: rows if epoch < 2 else rows - 3]  # some are left out
        for part in np.array_split(order, 4):
            values = np.clip(level[:, part] + 0.2 * draw.normal(size=(tasks, len(part))), 0, 1)
            values = values.astype(np.float32)
            right = draw.random(values.shape) < 0.5
            maps.record(part, values, right, mask[:, part])
            for t in range(tasks):
                for b, row in enumerate(part):
                    history.setdefault((t, int(row)), []).append((values[t, b], right[t, b]))
        maps.end_epoch()
    found = maps.result()
    cells = [(t, i) for t in range(tasks) for i in range(rows) if mask[t, i]]
    expected = reference([history[cell] for cell in cells])
    measured = (found.confidence(), found.variability(), found.correctness(), found.forgetting())
    for array, wanted, within in zip(measured, expected, (8.5e-6, 8.5e-6, 1e-7, 0), strict=True):
        values = np.array([array[cell] for cell in cells])
        assert np.abs(values - wanted).max() <= within
        assert np.isnan(array[~mask]).all()
    assert found.observed[-1][mask].tolist() == [len(history[cell]) for cell in cells]


EASY, NEAR, FLIPPED = slice(0, 160), slice(160, 240), slice(240, 280)


def problem() -> tuple[torch.Tensor, torch.Tensor]:
    """280 rows: far from the border, close to it, and far from it with the label flipped."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(280, 10))
    x[:, 0] = draw.choice([-1, 1], 280) * draw.uniform(2, 3, 280)
    x[NEAR, 0] = 0.1 * draw.normal(size=80)
    y = x[:, 0] > 0
    y[FLIPPED] = ~y[FLIPPED]
    return torch.from_numpy(x).float(), torch.from_numpy(y).float()


@cache
def trained_alone(negate: bool = False) -> DataMap:
    """A user's own loop with the recorder in it; the negation also starts from a negated output."""
    x, y = problem()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 1))
    if negate:
        y = 1 - y
        with torch.no_grad():
            net[2].weight.neg_()  # type: ignore[operator, union-attr]
            net[2].bias.neg_()  # type: ignore[operator, union-attr]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    maps = DataMaps(["side"], rows=280, snapshots=(5,))
    draw = torch.Generator().manual_seed(0)
    for _ in range(20):
        for rows in torch.randperm(280, generator=draw).split(40):
            logits = net(x[rows]).squeeze(1)
            maps.record(rows, *judge_binary(logits, y[rows]))
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(logits, y[rows]).backward()
            optimizer.step()
        maps.end_epoch()
    return maps.result()


def test_easy_near_and_flipped_labels_land_in_their_corners() -> None:
    """A fifth of the labels far from the border are flipped, so a calibrated network is .8 sure there."""
    found = trained_alone()
    mu, s = found.confidence()[0], found.variability()[0]
    assert 0.7 < mu[EASY].mean() < 0.85
    assert 0.5 < mu[NEAR].mean() < 0.62
    assert 0.2 < mu[FLIPPED].mean() < 0.3
    assert mu[FLIPPED].max() < np.quantile(mu[EASY], 0.05)
    assert np.abs(mu[NEAR] - 0.5).mean() < 0.5 * np.abs(mu[FLIPPED] - 0.5).mean()
    easy, hard = mu - s > 0.5, mu + s < 0.5
    assert (easy[EASY].mean() > 0.95, hard[EASY].mean() == 0) == (True, True)
    assert (hard[FLIPPED].mean() > 0.9, easy[FLIPPED].mean() == 0) == (True, True)
    ambiguous = ~easy & ~hard
    assert ambiguous[NEAR].mean() > ambiguous[EASY].mean() + 0.05
    right = found.correctness()[0]
    assert (right[EASY].mean() > 0.97, right[FLIPPED].mean() < 0.1) == (True, True)
    forgotten = found.forgetting()[0]
    assert forgotten[EASY].mean() < 0.02
    assert forgotten[NEAR].mean() > 0.1


def test_a_task_and_its_negation_have_the_same_map_bit_for_bit() -> None:
    plain, negated = trained_alone(), trained_alone(negate=True)
    assert (plain.confidence_levels == negated.confidence_levels).all()
    assert (plain.variability_levels == negated.variability_levels).all()
    assert (plain.correct == negated.correct).all()
    assert (plain.forgotten == negated.forgotten).all()


def test_flipped_labels_of_a_shared_network_with_missing_ones() -> None:
    """Three tasks of each kind in one network through the fused outputs, a tenth of labels wrong."""
    draw = np.random.default_rng(1)
    x = draw.normal(size=(400, 6))
    tasks = (
        Task(name="binary", kind=Kind.BINARY, classes=("0", "1")),
        Task(name="classes", kind=Kind.MULTICLASS, classes=("x", "y", "z")),
        Task(name="value", kind=Kind.REGRESSION),
    )
    truth = np.stack([x[:, 0] > 0, x[:, :3].argmax(axis=1), x[:, 1]])
    wrong, mask = draw.random(truth.shape) < 0.1, draw.random(truth.shape) < 0.8
    moved = np.stack([1 - truth[0], (truth[1] + 1) % 3, truth[2] + 3])
    targets = torch.from_numpy(np.where(wrong, moved, truth)).float()
    labelled, inputs, losses = (
        torch.from_numpy(mask),
        torch.from_numpy(x).float(),
        TaskLosses(tasks),
    )
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, losses.outputs))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    maps = DataMaps([task.name for task in tasks], rows=400)
    for _ in range(15):
        for rows in torch.randperm(400).split(50):
            outputs, seen = net(inputs[rows]).T, labelled[:, rows]
            maps.record(rows, *judge(losses, outputs, targets[:, rows], seen))
            optimizer.zero_grad()
            (losses.per_example(outputs, targets[:, rows]) * seen).sum().div(50).backward()
            optimizer.step()
        maps.end_epoch()
    mu = maps.result().confidence()
    assert (np.isfinite(mu) == mask).all()
    for t in range(3):
        clean, flipped = mu[t][mask[t] & ~wrong[t]], mu[t][mask[t] & wrong[t]]
        assert len(flipped) > 20
        assert flipped.mean() < clean.mean() - 0.25
        assert np.median(flipped) < np.quantile(clean, 0.2)

"""The curves over the number of rows, from given scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import make_data

from cotrain.arrays import Array
from cotrain.engine.recipe import Recipe
from cotrain.stats import seeds_and_rows_interval, student_interval
from cotrain.transfer.few_rows import MOST_TARGETS, few_shot_cost, largest_targets, usable
from cotrain.transfer.few_shot import FewShot

NAN = np.nan
# Two numbers of rows, two targets, (scratch, encoder, trees), two seeds.
SCORES = np.array(
    [
        [[[0.5, 0.6], [0.7, 0.8], [0.5, 0.5]], [[0.6, 0.7], [0.7, 0.8], [0.6, 0.6]]],
        [[[0.8, 0.9], [0.8, 0.8], [0.7, 0.9]], [[0.9, NAN], [0.9, 0.9], [0.9, 0.9]]],
    ]
)
STEADY = np.zeros((2, 2, 3))  # two draws of the test rows that change nothing


def make_curves(scores: Array = SCORES, redrawn: Array = STEADY) -> FewShot:
    return FewShot(
        tasks=("a", "b"),
        rows=(16, 300),
        scores=scores,
        redrawn=redrawn,
        trainings=5,
        examples=9,
        joint_runs=0.31,
        seconds=1.0,
    )


@pytest.fixture
def curves() -> FewShot:
    return make_curves()


def test_means_are_over_targets_that_everyone_has_a_score_of(curves: FewShot) -> None:
    assert [m.value for m in curves.mean("scratch")] == pytest.approx([0.6, 0.85])
    assert [m.value for m in curves.mean("encoder")] == pytest.approx([0.75, 0.8])
    assert [m.value for m in curves.mean("trees")] == pytest.approx([0.55, 0.8])


def test_gains_are_paired_by_seed(curves: FewShot) -> None:
    first, second = curves.gain("scratch")
    # Seeds of the first: .55 → .7 and .65 → .8, the same gain twice.
    assert (first.value, first.low, first.high) == pytest.approx((0.15, 0.15, 0.15))
    # Of the second: 0 and -.1; t(.975, 1) = 12.7062 times the standard error .05.
    assert (second.value, second.low) == pytest.approx((-0.05, -0.05 - 12.7062 * 0.05), abs=1e-5)
    assert curves.gain("trees")[0].value == pytest.approx(0.2)


def test_gains_are_paired_by_test_row() -> None:
    redrawn = np.zeros((3, 2, 3))
    redrawn[:, 0] = np.array([[-0.1], [0.0], [0.1]])  # all contenders alike: no gain changes
    redrawn[:, 1, 1] = [-0.1, 0.0, 0.1]
    first, second = make_curves(redrawn=redrawn).gain("scratch")
    assert (first.low, first.high) == pytest.approx((0.15, 0.15))
    # Standard error .05 over seeds, standard deviation .1 over test rows.
    half = np.hypot(12.7062 * 0.05, 1.95996 * 0.1)
    assert second.high == pytest.approx(-0.05 + half, abs=1e-5)


def test_rows_without_a_metric_are_no_draws() -> None:
    seen = seeds_and_rows_interval(np.array([0.5, 0.5]), np.array([0.4, np.nan, 0.6]))
    assert seen.high - seen.value == pytest.approx(1.95996 * np.std([0.4, 0.6], ddof=1), abs=1e-5)
    assert np.isnan(seeds_and_rows_interval(np.array([0.5, 0.5]), np.array([np.nan] * 3)).low)


def test_it_says_when_it_pays(curves: FewShot) -> None:
    lines = str(curves).splitlines()
    assert lines[1].split() == ["16", "0.600", "0.750", "0.550", "+0.150", "[+0.150,", "+0.150]"]
    where = "mean test score, 2 targets; intervals over test rows and seeds"
    assert " ".join(lines[3:5]) == f"Pre-finetuning pays at 16 rows ({where})."
    assert lines[-1] == (
        "5 networks were trained for these curves: 0.3× one joint run, within the budget, in 1 s."
    )
    assert max(map(len, lines)) <= 92
    figure = curves.figure()
    assert [trace["name"] for trace in figure["data"]] == ["from scratch", "pre-finetuned", "trees"]
    assert figure["data"][1]["y"] == pytest.approx([0.75, 0.8])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (-0.3, "costs at 16 rows"),
        (0.0, "makes no proven difference over starting from scratch"),
    ],
)
def test_it_says_when_it_does_not(change: float, said: str) -> None:
    scores = SCORES.copy()
    scores[0, :, 1] = scores[0, :, 0] + change + np.array([0.01, -0.01])
    where = "mean test score, 2 targets; intervals over test rows and seeds"
    assert make_curves(scores).verdict() == f"Pre-finetuning {said} ({where})."


def test_it_is_saved_and_loaded(curves: FewShot, tmp_path: Path) -> None:
    curves.save(tmp_path / "f.safetensors")
    found = FewShot.load(tmp_path / "f.safetensors")
    assert (found.tasks, found.rows, found.examples) == (("a", "b"), (16, 300), 9)
    np.testing.assert_array_equal(found.scores, SCORES)


def test_intervals_are_students() -> None:
    found = student_interval(np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    # Standard deviation .158114, t(.975, 4) = 2.77645.
    half = 2.77645 * 0.158114 / 5**0.5
    assert (found.low, found.high) == pytest.approx((0.3 - half, 0.3 + half), abs=1e-5)


def test_the_largest_targets_stand_for_many() -> None:
    data = make_data("b" * 14, rows=60)
    found = largest_targets(data)
    sizes = data.mask.sum(dim=0).tolist()
    assert len(found) == MOST_TARGETS
    assert found == sorted(found)
    left = [sizes[t] for t in range(14) if t not in found]
    assert min(sizes[t] for t in found) >= max(left)


def test_few_rows_show_every_class_and_are_not_all() -> None:
    data = make_data("b", rows=60)
    labels = len(data.labels(0)[0])
    assert usable(data, 0, [1, 2, labels - 1, labels]) == [2, labels - 1]


def test_what_the_curves_cost() -> None:
    data = make_data("bb", rows=60)
    # 16 rows for 100 epochs from either start for either target; a joint run is 60 rows for 30 epochs.
    found = few_shot_cost(data, (16, 16, 900), Recipe(epochs=30), len(data))
    assert found == pytest.approx(2 * 2 * 1600 / (60 * 30))

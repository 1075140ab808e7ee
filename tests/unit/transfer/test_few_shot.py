"""The curves over the number of rows, from given scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import make_data

from cotrain.transfer.few_shot import MOST_TARGETS, FewShot, largest_targets, over_seeds

NAN = np.nan
# Two numbers of rows, two targets, (scratch, encoder, trees), two seeds.
SCORES = np.array(
    [
        [[[0.5, 0.6], [0.7, 0.8], [0.5, 0.5]], [[0.6, 0.7], [0.7, 0.8], [0.6, 0.6]]],
        [[[0.8, 0.9], [0.8, 0.8], [0.7, 0.9]], [[0.9, NAN], [0.9, 0.9], [0.9, 0.9]]],
    ]
)


@pytest.fixture
def curves() -> FewShot:
    return FewShot(
        tasks=("a", "b"), rows=(16, 300), scores=SCORES, trainings=5, examples=9, seconds=1.0
    )


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


def test_it_says_when_it_pays(curves: FewShot) -> None:
    lines = str(curves).splitlines()
    assert lines[1].split() == ["16", "0.600", "0.750", "0.550", "+0.150", "[+0.150,", "+0.150]"]
    assert (
        lines[-1]
        == "Pre-finetuning pays at 16 rows (mean test score, 2 targets; intervals over seeds alone)."
    )
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
    curves = FewShot(
        tasks=("a", "b"), rows=(16, 300), scores=scores, trainings=5, examples=9, seconds=1.0
    )
    where = "mean test score, 2 targets; intervals over seeds alone"
    assert curves.verdict() == f"Pre-finetuning {said} ({where})."


def test_it_is_saved_and_loaded(curves: FewShot, tmp_path: Path) -> None:
    curves.save(tmp_path / "f.safetensors")
    found = FewShot.load(tmp_path / "f.safetensors")
    assert (found.tasks, found.rows, found.examples) == (("a", "b"), (16, 300), 9)
    np.testing.assert_array_equal(found.scores, SCORES)


def test_intervals_are_students() -> None:
    found = over_seeds(np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
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

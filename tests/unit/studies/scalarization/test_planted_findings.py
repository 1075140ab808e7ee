"""The three findings, planted and recovered; left out and not found."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from tiny import make_tasks
from unit.studies.scalarization.planted import RATES, Planted

from cotrain.folder import RunFolder
from cotrain.results import Interval
from cotrain.studies.estimates import with_intervals
from cotrain.studies.findings import Verdict
from cotrain.studies.scalarization.estimates import (
    Estimates,
    best_weights,
    gains,
    numbers_and_draws,
)
from cotrain.studies.scalarization.findings import findings
from cotrain.studies.scalarization.pairs import Grid
from cotrain.studies.scalarization.scores import PairScores, collect

Ends = tuple[float, float, float]
GRID = Grid(
    shares=(0.1, 0.3, 0.7, 0.9), widths=(8, 32, 128), depths=(1, 2), learning_rates=RATES, seeds=3
)


def train(trainer: Planted, grid: Grid = GRID) -> PairScores:
    pairs = list(combinations(range(trainer.tasks), 2))
    return collect(trainer, make_tasks("b" * trainer.tasks), pairs, grid)


def estimates(trainer: Planted) -> Estimates:
    return with_intervals(Estimates, numbers_and_draws(train(trainer), seed=0))


def verdicts(trainer: Planted) -> list[Verdict]:
    return [finding.verdict for finding in findings(estimates(trainer))]


def test_nothing_planted_nothing_found() -> None:
    found = estimates(Planted())
    growth, stability, conflicts = (finding.verdict for finding in findings(found))
    assert (growth, stability) == (Verdict.UNDECIDED, Verdict.UNDECIDED)
    assert conflicts is not Verdict.REFUTED
    assert not found.uniform_trend.significant
    assert not found.agreement.significant
    assert not found.regret.significant
    assert abs(found.agreement.value) < 0.1
    assert abs(found.yardstick.value) < 0.15


@pytest.mark.slow
def test_nothing_planted_is_seldom_found() -> None:
    found = [estimates(Planted(seed=seed)) for seed in range(1, 9)]
    for name in ("uniform_trend", "best_trend", "agreement", "regret", "correlation"):
        significant = sum(getattr(one, name).significant for one in found)
        assert significant <= 3, f"{name}: {significant} of 8"


@pytest.mark.parametrize(
    ("growth", "verdict"), [(0.03, Verdict.CONFIRMED), (-0.03, Verdict.REFUTED)]
)
def test_growth_with_size(growth: float, verdict: Verdict) -> None:
    found = estimates(Planted(growth=growth))
    assert findings(found)[0].verdict is verdict
    assert found.uniform_trend.low < growth < found.uniform_trend.high
    assert found.uniform_trend.value == pytest.approx(growth, abs=0.005)
    assert found.best_trend.value == pytest.approx(growth, abs=0.005)
    smallest, largest = found.uniform_gain[0], found.uniform_gain[-1]
    assert largest.value - smallest.value == pytest.approx(growth * np.log10(32), abs=0.01)


def test_steady_favourites_are_found_at_any_size() -> None:
    trainer = Planted(preference=0.3)
    found, scores = estimates(trainer), train(trainer)
    assert findings(found)[1].verdict is Verdict.CONFIRMED
    assert found.agreement.value > 0.8
    assert found.agreement.value == pytest.approx(found.yardstick.value, abs=0.05)
    assert abs(found.regret.value) < 0.01
    assert found.transfer.low > 0.01
    best = best_weights(scores.valid, scores.weights)
    favourites = [trainer._favourite(pair, GRID.sizes[0]) for pair in combinations(range(6), 2)]
    hits = [
        [scores.weights[at] == f for at, f in zip(row, favourites, strict=True)] for row in best
    ]
    assert np.mean(hits) > 0.9


def test_favourites_that_change_with_the_size_cost_something() -> None:
    found = estimates(Planted(preference=0.3, steady=False))
    assert findings(found)[1].verdict is Verdict.REFUTED
    assert found.regret.low > 0.02
    assert found.yardstick.value > 0.8
    assert abs(found.agreement.value) < 0.3


@pytest.mark.parametrize(
    ("agreement", "yardstick", "regret", "expected"),
    [
        ((0.3, 0.2, 0.4), (0.2, 0.1, 0.3), (0.0, -0.01, 0.01), Verdict.CONFIRMED),
        ((0.05, 0.01, 0.09), (0.9, 0.85, 0.95), (0.0, -0.01, 0.01), Verdict.UNDECIDED),
        ((0.3, 0.2, 0.4), (0.2, 0.1, 0.3), (0.0, -0.2, 0.2), Verdict.UNDECIDED),
        ((0.3, 0.2, 0.4), (0.3, 0.1, 0.6), (0.0, -0.01, 0.01), Verdict.UNDECIDED),
        ((0.05, -0.01, 0.1), (0.0, -0.2, 0.0), (0.0, -0.01, 0.01), Verdict.UNDECIDED),
        ((0.3, 0.2, 0.4), (0.2, 0.1, 0.3), (0.05, 0.01, 0.09), Verdict.REFUTED),
        ((-0.3, -0.4, -0.2), (0.2, 0.1, 0.3), (0.0, -0.01, 0.01), Verdict.REFUTED),
    ],
)
def test_stability_is_not_confirmed_for_want_of_evidence(
    agreement: Ends, yardstick: Ends, regret: Ends, expected: Verdict
) -> None:
    agreed, same, lost = (
        Interval(value=value, low=low, high=high)
        for value, low, high in (agreement, yardstick, regret)
    )
    found = replace(estimates(Planted(tasks=3)), agreement=agreed, yardstick=same, regret=lost)
    assert findings(found)[1].verdict is expected


def test_telling_conflicts() -> None:
    found = estimates(Planted(telling=True, noise=0.005))
    assert findings(found)[2].verdict is Verdict.REFUTED
    assert found.correlation.low > 0.8
    assert verdicts(Planted(telling=False))[2] is not Verdict.REFUTED


def test_conflicts_that_say_nothing_are_confirmed_with_many_pairs() -> None:
    found = estimates(Planted(tasks=13, noise=0.02, seed=1))
    assert found.correlation.high < 0.3
    assert found.correlation.low > -0.3
    assert findings(found)[2].verdict is Verdict.CONFIRMED


def test_everything_is_chosen_before_the_test_split_is_opened() -> None:
    trainer = Planted(tasks=3)
    scores = train(trainer)
    kinds = [line.split()[0] for line in trainer.said]
    assert kinds == ["valid"] * 6 + ["conflicts"] * 6 + ["test"] * 6
    assert (scores.learning_rates == 3e-3).all()


def test_sizes_stand_by_their_parameters() -> None:
    scores = train(Planted(tasks=2), replace(GRID, widths=(32, 8), depths=(5, 1)))
    assert [str(size) for size in scores.sizes] == ["8x1", "32x1", "8x5", "32x5"]
    assert scores.parameters == (80, 320, 400, 1600)


def test_gains_are_over_each_task_alone() -> None:
    trainer = Planted(tasks=3, noise=0.0)
    scores = train(trainer)
    found = gains(scores.valid)
    for at, pair in enumerate(combinations(range(3), 2)):
        np.testing.assert_allclose(found[:, at, 1:-1], trainer._own(pair))
        np.testing.assert_array_equal(found[:, at, -1, :, 0], 0)
        np.testing.assert_array_equal(found[:, at, 0, :, 1], 0)
        assert np.isnan(found[:, at, -1, :, 1]).all()
        assert np.isnan(found[:, at, 0, :, 0]).all()


def test_few_pairs_speak_for_themselves_only() -> None:
    found = estimates(Planted(tasks=3, growth=0.05, preference=0.3))
    assert found.uniform_trend.low > 0
    for one in (found.agreement, found.yardstick, found.correlation):
        assert np.isfinite(one.value)
        assert np.isnan([one.low, one.high]).all()
    assert [finding.verdict for finding in findings(found)] == [
        Verdict.CONFIRMED,
        Verdict.UNDECIDED,
        Verdict.UNDECIDED,
    ]


def test_a_single_size_and_a_single_pair_are_undecided() -> None:
    scores = train(Planted(tasks=2, growth=0.05), replace(GRID, widths=(8,), depths=(1,)))
    found = with_intervals(Estimates, numbers_and_draws(scores, seed=0))
    assert np.isnan(found.uniform_trend.value)
    assert np.isnan(found.agreement.value)
    assert np.isnan(found.correlation.value)
    assert {finding.verdict for finding in findings(found)} == {Verdict.UNDECIDED}
    assert "changes by – (uniform weights)" in findings(found)[0].evidence


def test_best_weights_by_hand() -> None:
    weights = (0.0, 0.25, 0.5, 0.75, 1.0)
    valid = np.zeros((1, 3, 5, 1, 2))
    valid[0, 0, 3] = 0.1
    valid[0, 1, (0, 4)] = 9.0  # one task only
    valid[0, 2, 1], valid[0, 2, 2] = 0.1, np.nan
    assert best_weights(valid, weights).tolist() == [[3, 2, 1]]


def test_turning_a_pair_around_changes_nothing() -> None:
    scores = train(Planted(tasks=5, growth=0.02, preference=0.2))

    def turned(values: np.ndarray) -> np.ndarray:
        around = values.copy()
        around[..., 1:4, :, :, :] = values[..., 1:4, ::-1, :, ::-1]
        return around

    symmetric = {0.1: 0.9, 0.3: 0.7, 0.5: 0.5}
    assert all(1 - a == pytest.approx(b) for a, b in symmetric.items())
    other = replace(
        scores, valid=turned(scores.valid), test=turned(scores.test), redrawn=turned(scores.redrawn)
    )
    here, there = (numbers_and_draws(own, seed=0) for own in (scores, other))
    for name, values in here.items():
        np.testing.assert_allclose(values, there[name], atol=1e-12, err_msg=name)


def test_scores_are_kept(tmp_path: Path) -> None:
    scores = train(Planted(tasks=3), replace(GRID, widths=(8,)))
    folder = RunFolder(tmp_path)
    scores.write(folder)
    again = PairScores.read(folder)
    assert (again.sizes, again.parameters) == (scores.sizes, scores.parameters)
    assert (again.pairs, again.weights) == (scores.pairs, scores.weights)
    for name in ("learning_rates", "valid", "test", "redrawn", "conflict"):
        np.testing.assert_array_equal(getattr(again, name), getattr(scores, name))

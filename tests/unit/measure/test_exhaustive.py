"""All sets trained: the gains by hand, errors paired by seed, and the limit of eight tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tiny import make_development, small_engine

from cotrain.arrays import Array
from cotrain.engine.member import Member
from cotrain.engine.objective import EngineObjective
from cotrain.engine.tuning import Setting, member_scores
from cotrain.errors import InputError
from cotrain.grouping import sample_gains
from cotrain.measure.gains.exhaustive import exhaustive_gains
from cotrain.measure.gains.sets import every_set

NAN = float("nan")

SCORES = {  # of (set, seed): the tasks' scores
    ((1, 0), 0): (0.5, NAN), ((1, 0), 1): (0.6, NAN), ((1, 0), 2): (0.7, NAN),
    ((0, 1), 0): (NAN, 1.0), ((0, 1), 1): (NAN, 2.0), ((0, 1), 2): (NAN, 3.0),
    ((1, 1), 0): (0.7, 0.0), ((1, 1), 1): (0.7, 2.0), ((1, 1), 2): (0.9, 4.0),
}  # fmt: skip


class Fake:
    """Looks scores up, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[tuple[int, ...], int]] = []
        self.calls = 0

    def __call__(self, weights: Array, seeds: Sequence[int]) -> Array:
        assert weights.dtype == np.float64
        rows = zip([tuple(map(int, row)) for row in weights], seeds, strict=True)
        asked = list(rows)
        self.asked += asked
        self.calls += 1
        return np.array([SCORES[row] for row in asked])


def test_gains_and_paired_errors_by_hand() -> None:
    fake = Fake()
    found = exhaustive_gains(fake, ["a", "b"], seeds=3)
    assert fake.calls == 1  # one population
    assert sorted(fake.asked) == sorted(SCORES)
    assert found.tasks == ("a", "b")
    assert found.sets.tolist() == [[True, False], [False, True], [True, True]]
    # with b, a gains 0.2, 0.1, 0.2; b gains -1, 0, 1
    np.testing.assert_allclose(found.gain, [[0, NAN], [NAN, 0], [0.5 / 3, 0]], atol=1e-15)
    error = np.sqrt([(2 * (0.1 / 3) ** 2 + (0.2 / 3) ** 2) / 2 / 3, 1 / 3])
    np.testing.assert_allclose(found.standard_error, [[0, NAN], [NAN, 0], error], atol=1e-15)


def test_one_seed_has_no_error() -> None:
    found = exhaustive_gains(Fake(), ["a", "b"], seeds=1)
    np.testing.assert_allclose(found.gain, [[0, NAN], [NAN, 0], [0.2, -1.0]])
    assert np.isnan(found.standard_error).all()


def noise(weights: Array, seeds: Sequence[int]) -> Array:
    """Different for every set, task and seed, as if trained."""
    rows = [
        np.random.default_rng([*map(int, row), seed]).normal(size=len(row))
        for row, seed in zip(weights, seeds, strict=True)
    ]
    return np.where(weights > 0, rows, NAN)


def test_the_same_sets_gain_the_same_when_they_are_sampled() -> None:
    names = ["a", "b", "c"]
    every = exhaustive_gains(noise, names, seeds=4)
    some = sample_gains(noise, names, trainings=28, max_groups=2, seeds=range(4))
    assert len(some.sets) == len(every.sets) == 7
    at = [int(row @ (1 << np.arange(3))) - 1 for row in some.sets]
    assert sorted(at) == list(range(7))
    np.testing.assert_allclose(every.gain[at], some.gain, atol=1e-14)
    np.testing.assert_allclose(every.standard_error[at], some.standard_error, atol=1e-14)


def test_eight_tasks_and_no_more() -> None:
    called: list[int] = []

    def count(weights: Array, seeds: Sequence[int]) -> Array:
        called.append(len(seeds))
        return noise(weights, seeds)

    found = exhaustive_gains(count, list("abcdefgh"), seeds=1)
    assert (called, found.sets.shape) == ([255], (255, 8))
    assert len({row.tobytes() for row in found.sets}) == 255
    with pytest.raises(InputError) as caught:
        exhaustive_gains(count, list("abcdefghi"), seeds=1)
    assert str(caught.value) == (
        "all sets of 9 tasks are 511 trainings a seed: choose at most 8 tasks, or sample sets instead"
    )
    assert called == [255]


def test_one_task_has_one_set() -> None:
    assert every_set(1).tolist() == [[True]]
    found = exhaustive_gains(noise, ["only"], seeds=2)
    assert (found.gain.tolist(), found.standard_error.tolist()) == ([[0.0]], [[0.0]])


def test_every_task_is_in_half_of_the_sets() -> None:
    sets = every_set(5)
    assert sets.dtype == np.bool_
    assert sets.sum(axis=0).tolist() == [16] * 5
    assert sets[0b10110 - 1].tolist() == [False, True, True, False, True]


def test_on_the_engine(tmp_path: Path) -> None:
    development = make_development("br")
    engine = small_engine(development, tmp_path)
    setting = Setting(learning_rate=2e-2, dropout=0.0)
    asked = EngineObjective(engine=engine, stage="all", setting=setting)
    found = exhaustive_gains(asked, ["b0", "r1"], seeds=2)
    members = [
        Member(name="m", weights=weights, seed=seed, learning_rate=2e-2, dropout=0.0)
        for weights in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
        for seed in (0, 1)
    ]
    scores = member_scores(engine.train("direct", members), development.valid)
    alone = np.array([[scores[0, 0], scores[2, 1]], [scores[1, 0], scores[3, 1]]])
    gains = scores[4:] - alone
    assert np.isfinite(gains).all()
    np.testing.assert_allclose(found.gain[2], gains.mean(axis=0), atol=1e-15)
    np.testing.assert_allclose(found.standard_error[2], np.abs(gains[0] - gains[1]) / 2, atol=1e-15)
    assert asked.trainings == 6

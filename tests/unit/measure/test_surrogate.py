"""The surrogate: laws, planted truths, honest uncertainty, degenerate tables."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.errors import InputError
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.sets import every_set, random_sets
from cotrain.measure.gains.surrogate import Surrogate

Sets = NDArray[np.bool_]


def gains(sets: Sets, gain: Array, error: Array | None = None) -> Gains:
    names = [f"t{t}" for t in range(sets.shape[1])]
    return Gains.empty(names).extended(sets, gain, error)


def additive(sets: Sets, seed: int) -> Array:
    """Each helper brings each task a bonus of its own; some helpers help everybody."""
    tasks = sets.shape[1]
    rng = np.random.default_rng(seed)
    help_ = rng.normal(0, 0.05, (tasks, tasks)) + rng.normal(0, 0.05, tasks)
    np.fill_diagonal(help_, 0.0)
    return np.asarray(np.where(sets, sets @ help_.T, np.nan))


def clusters(sets: Sets, home: NDArray[np.int64]) -> Array:
    """Company of the own kind helps, of another kind hurts; less and less the more there is."""
    same = np.equal.outer(home, home)
    own = sets.astype(float) @ same.T - 1
    other = sets.sum(axis=1, keepdims=True) - 1 - own
    gain = 0.1 * np.log1p(np.maximum(own, 0)) - 0.15 * np.log1p(np.maximum(other, 0))
    return np.asarray(np.where(sets, gain, np.nan))


def random_table(tasks: int, count: int, seed: int) -> Sets:
    return random_sets(tasks, count, np.random.default_rng(seed))


def test_a_task_alone_gains_nothing_for_certain() -> None:
    sets = random_table(6, 20, 0)
    mean, deviation = Surrogate.fit(gains(sets, additive(sets, 0))).predict(np.eye(6, dtype=bool))
    own = np.eye(6, dtype=bool)
    assert (mean[own] == 0).all()
    assert (deviation[own] == 0).all()
    assert np.isnan(mean[~own]).all()
    assert np.isnan(deviation[~own]).all()


@pytest.mark.parametrize("errors", [False, True])
def test_permuting_tasks_permutes_predictions(errors: bool) -> None:
    sets = random_table(7, 25, 1)
    gain = additive(sets, 1) + np.random.default_rng(2).normal(0, 0.02, sets.shape)
    error = np.full(sets.shape, 0.02) if errors else None
    asked = random_table(7, 60, 3)
    order = np.random.default_rng(4).permutation(7)
    mean, deviation = Surrogate.fit(gains(sets, gain, error)).predict(asked)
    turned = Surrogate.fit(gains(sets[:, order], gain[:, order], error)).predict(asked[:, order])
    np.testing.assert_allclose(turned[0], mean[:, order], atol=1e-5)
    np.testing.assert_allclose(turned[1], deviation[:, order], atol=1e-5)


def test_the_unit_of_the_gains_is_moot() -> None:
    sets, asked = random_table(5, 15, 1), random_table(5, 30, 2)
    mean, deviation = Surrogate.fit(gains(sets, additive(sets, 1))).predict(asked)
    for factor in (1e-200, 1e3, 1e200):
        larger = Surrogate.fit(gains(sets, factor * additive(sets, 1))).predict(asked)
        np.testing.assert_allclose(larger[0] / factor, mean, atol=1e-6)
        np.testing.assert_allclose(larger[1] / factor, deviation, atol=1e-6)


def test_cells_that_were_not_measured_have_no_influence() -> None:
    sets, asked = random_table(5, 15, 1), random_table(5, 30, 2)
    gain = additive(sets, 1)
    gain[3, sets[3]] = np.nan
    gain[0, np.flatnonzero(sets[0])[0]] = np.nan
    full = Surrogate.fit(gains(sets, gain)).predict(asked)
    without = Surrogate.fit(gains(np.delete(sets, 3, 0), np.delete(gain, 3, 0))).predict(asked)
    np.testing.assert_array_equal(full, without)
    singles = np.concatenate([sets, np.eye(5, dtype=bool)])
    zeros = np.concatenate([gain, np.zeros((5, 5))])
    np.testing.assert_array_equal(full, Surrogate.fit(gains(singles, zeros)).predict(asked))


def test_draws_have_the_predicted_moments() -> None:
    sets, asked = random_table(5, 8, 1), every_set(5)
    surrogate = Surrogate.fit(gains(sets, additive(sets, 1)))
    mean, deviation = surrogate.predict(asked)
    draws = surrogate.sample(asked, np.random.default_rng(0), 4000)
    assert draws.shape == (4000, 31, 5)
    largest = np.nanmax(deviation)
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=5 * largest / np.sqrt(4000))
    np.testing.assert_allclose(draws.std(axis=0), deviation, atol=0.07 * largest)
    np.testing.assert_array_equal(surrogate.mean(asked), mean)
    same = surrogate.sample(asked, np.random.default_rng(0), 4000)
    np.testing.assert_array_equal(draws, same)


@pytest.mark.parametrize("errors", [False, True])
def test_it_is_the_textbook_posterior(errors: bool) -> None:
    """Block factorisation and Woodbury against one dense covariance of all gains."""
    import torch

    sets, asked = random_table(4, 6, 1), every_set(4)
    known = gains(sets, additive(sets, 1), np.full(sets.shape, 0.03) if errors else None)
    surrogate = Surrogate.fit(known)
    hyper, unit = surrogate.hyper, surrogate.observed.unit

    def points(rows: Sets) -> tuple[torch.Tensor, list[int]]:
        pairs = [(row, t) for row in rows for t in np.flatnonzero(row)]
        return torch.tensor(np.array([row for row, _ in pairs], dtype=float)), [t for _, t in pairs]

    def covariance(a: Sets, b: Sets) -> Array:
        (sets_a, task_a), (sets_b, task_b) = points(a), points(b)
        eye = torch.eye(4, dtype=torch.float64)
        total = torch.zeros((len(task_a), len(task_b)), dtype=torch.float64)
        for shared in (False, True):
            k = (
                hyper.kernel(sets_a, sets_b, shared=shared)
                - hyper.kernel(sets_a, eye[task_b], shared=shared)
                - hyper.kernel(eye[task_a], sets_b, shared=shared)
                + hyper.kernel(eye[task_a], eye[task_b], shared=shared)
            )
            total += k if shared else k * torch.tensor(np.equal.outer(task_a, task_b))
        scale = hyper.scale.numpy() * unit
        return total.numpy() * np.outer(scale[task_a], scale[task_b])

    noise = 0.03**2 if errors else surrogate.noise[points(sets)[1]] ** 2
    inverse = np.linalg.inv(covariance(sets, sets) + np.eye(sets.sum()) * (noise + 1e-8 * unit**2))
    cross = covariance(asked, sets)
    mean, deviation = surrogate.predict(asked)
    np.testing.assert_allclose(mean[asked], cross @ inverse @ known.gain[sets], atol=1e-6)
    variance = np.diag(covariance(asked, asked) - cross @ inverse @ cross.T)
    np.testing.assert_allclose(deviation[asked] ** 2, variance, atol=1e-6)


def test_no_prediction_exceeds_the_bound() -> None:
    for seed in range(5):
        sets = random_table(6, 12, seed)
        surrogate = Surrogate.fit(gains(sets, additive(sets, seed)))
        best = np.nanmax(surrogate.mean(every_set(6)), axis=0)
        assert (best <= surrogate.bound() + 1e-9).all()


def test_it_learns_additive_help() -> None:
    sets, asked = random_table(12, 40, 0), random_table(12, 200, 1)
    truth = additive(asked, 5)
    mean, _ = Surrogate.fit(gains(sets, additive(sets, 5))).predict(asked)
    unexplained = np.nansum((mean - truth) ** 2) / np.nansum(truth**2)
    assert unexplained < 0.03  # 144 numbers from 40 sets of about 6 tasks


def test_it_finds_the_planted_clusters() -> None:
    home = np.arange(12) % 3
    sets = random_table(12, 30, 0)
    noisy = clusters(sets, home) + np.random.default_rng(1).normal(0, 0.03, sets.shape)
    surrogate = Surrogate.fit(gains(sets, noisy))
    pairs = np.eye(12, dtype=bool)[:, None] | np.eye(12, dtype=bool)
    friend, foe = [], []
    for task in range(12):
        mean = surrogate.mean(pairs[task])[:, task]
        others = np.arange(12) != task
        friend.append(mean[others & (home == home[task])].mean())
        foe.append(mean[home != home[task]].mean())
    assert (np.array(friend) > np.array(foe)).all()


@pytest.mark.parametrize("noise", [0.02, 0.05])
@pytest.mark.parametrize("kind", ["additive", "clusters"])
@pytest.mark.parametrize("errors", [False, True])
def test_intervals_cover(noise: float, kind: str, errors: bool) -> None:
    hits = []
    for seed in range(3):
        sets, asked = random_table(8, 25, seed), random_table(8, 100, seed + 100)
        home = np.random.default_rng(seed).integers(0, 3, 8)
        truth, held = (
            additive(s, seed) if kind == "additive" else clusters(s, home) for s in (sets, asked)
        )
        rng = np.random.default_rng(seed)
        seen = truth + rng.normal(0, noise, sets.shape)
        error = np.full(sets.shape, noise) if errors else None
        mean, deviation = (surrogate := Surrogate.fit(gains(sets, seen, error))).predict(asked)
        if not errors:  # then a new measurement is what can be foretold
            held = held + rng.normal(0, noise, asked.shape)
            deviation = np.sqrt(deviation**2 + surrogate.noise**2)
        hits.append(np.abs(mean - held)[asked] <= 1.96 * deviation[asked])
    assert 0.85 <= np.concatenate(hits).mean() <= 0.99


def test_standard_errors_are_believed() -> None:
    sets = np.array([[1, 1, 0, 0]] * 2 + [[0, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 0]], dtype=bool)
    gain = np.where(sets, [[1.0], [0.0], [0.1], [0.1], [0.0]], np.nan)
    sure = np.array([[0.01], [1.0], [0.1], [0.1], [0.1]]) * np.ones(4)
    first = Surrogate.fit(gains(sets, gain, sure)).mean(sets[:1])
    second = Surrogate.fit(gains(sets, gain, sure[[1, 0, 2, 3, 4]])).mean(sets[:1])
    assert (first[0, :2] > 0.8).all()
    assert (second[0, :2] < 0.2).all()


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_few_tasks_and_few_sets(tasks: int) -> None:
    fixed = np.concatenate([np.eye(tasks, dtype=bool), np.ones((1, tasks), dtype=bool)])
    full = fixed.sum(axis=1, keepdims=True) == tasks
    gain = np.where(fixed, np.where(full & (tasks > 1), 0.5, 0.0), np.nan)
    for known in (Gains.empty([f"t{t}" for t in range(tasks)]), gains(fixed, gain)):
        mean, deviation = Surrogate.fit(known).predict(every_set(tasks))
        assert np.isfinite(mean[every_set(tasks)]).all()
        assert np.isfinite(deviation[every_set(tasks)]).all()
    if tasks > 1:
        assert (mean[-1] > 0.3).all()
        assert (mean[-1] < 0.51).all()


def test_constant_gains() -> None:
    sets, asked = random_table(5, 12, 0), every_set(5)
    mean, deviation = Surrogate.fit(gains(sets, np.zeros(sets.shape))).predict(asked)
    assert np.nanmax(np.abs(mean)) == 0
    assert np.isfinite(deviation[asked]).all()
    mean, _ = Surrogate.fit(gains(sets, np.where(sets, 0.3, np.nan))).predict(sets)
    np.testing.assert_allclose(mean[sets], 0.3, atol=0.02)


def test_a_task_without_any_gain_leaves_the_others_alone() -> None:
    sets, asked = random_table(5, 15, 1), random_table(5, 30, 2)
    gain = additive(sets, 1)
    gain[:, 2] = np.nan
    mean, deviation = Surrogate.fit(gains(sets, gain)).predict(asked)
    assert np.isfinite(mean[asked]).all()
    assert np.nanmean(deviation[:, 2]) > np.nanmean(deviation[:, 0])


def test_repeated_sets_are_averaged() -> None:
    sets = np.repeat(np.ones((1, 3), dtype=bool), 30, axis=0)
    gain = 0.2 + np.random.default_rng(0).normal(0, 0.05, sets.shape)
    mean, deviation = Surrogate.fit(gains(sets, gain)).predict(sets[:1])
    np.testing.assert_allclose(mean[0], gain.mean(axis=0), atol=0.03)
    assert (deviation[0] < 0.06).all()


def test_more_sets_than_the_hyper_parameters_need() -> None:
    sets, asked = random_table(10, 260, 0), random_table(10, 100, 1)
    mean, _ = Surrogate.fit(gains(sets, additive(sets, 5))).predict(asked)
    np.testing.assert_allclose(mean[asked], additive(asked, 5)[asked], atol=0.02)


def test_what_cannot_be_predicted() -> None:
    surrogate = Surrogate.fit(Gains.empty(["a", "b"]))
    with pytest.raises(
        InputError, match=r"sets must be bool \[sets, 2 tasks\], found float64 \[1, 2\]"
    ):
        surrogate.predict(np.ones((1, 2)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="set 1 has no task"):
        surrogate.predict(np.array([[True, False], [False, False]]))
    assert surrogate.predict(np.zeros((0, 2), dtype=bool))[0].shape == (0, 2)


@pytest.mark.slow
def test_a_hundred_tasks_take_about_a_minute() -> None:
    sets = random_table(100, 300, 0)
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, _ = Surrogate.fit(gains(sets, additive(sets, 0))).predict(sets)
    assert np.isfinite(mean[sets]).all()
    assert time.process_time() - began < 90

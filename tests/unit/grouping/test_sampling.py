"""Sampled gains: counted trainings, paired seeds, and what was trained anyway."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cotrain.arrays import Array
from cotrain.errors import InputError
from cotrain.grouping import TrainedSets, best_groups, sample_gains
from cotrain.measure.gains.sets import every_set, fixed_sets

NAN = float("nan")


def names(tasks: int) -> tuple[str, ...]:
    return tuple(f"t{t}" for t in range(tasks))


class Fake:
    """Every helper brings a tenth; a seed shifts all scores, and company a little."""

    def __init__(self) -> None:
        self.calls: list[tuple[Array, list[int]]] = []

    def __call__(self, weights: Array, seeds: Sequence[int]) -> Array:
        self.calls.append((weights, list(seeds)))
        shift = np.asarray(seeds, dtype=float)[:, None]
        helpers = weights.sum(axis=1, keepdims=True) - 1
        scores = 0.5 + shift + 0.1 * helpers + 0.01 * shift * (helpers > 0)
        return np.asarray(np.where(weights > 0, scores, NAN))


def test_trainings_are_counted_and_gains_paired_by_seed() -> None:
    fake, seen = Fake(), list[int]()
    gains = sample_gains(
        fake, names(5), trainings=27, max_groups=2, batch=4, seeds=(1, 3),
        watch=lambda known: seen.append(len(known.sets)),
    )  # fmt: skip
    assert [len(weights) for weights, _ in fake.calls] == [12, 8, 6]
    assert seen == [6, 10, 13]
    assert fake.calls[1][1] == [1] * 4 + [3] * 4
    size = gains.sets.sum(axis=1, keepdims=True)
    expected = 0.1 * (size - 1) + 0.02 * (size > 1)  # mean of .01 and .03
    np.testing.assert_allclose(gains.gain[gains.sets], (expected * gains.sets)[gains.sets])
    errors = 0.01 * (size > 1) * gains.sets  # sd of .01 and .03 is .0141, over √2
    np.testing.assert_allclose(gains.standard_error[gains.sets], errors[gains.sets])
    assert np.isnan(gains.gain[~gains.sets]).all()


def test_one_seed_has_no_standard_error() -> None:
    gains = sample_gains(Fake(), names(3), trainings=20, max_groups=1)
    assert len(gains.sets) == 7  # all there are
    assert np.isnan(gains.standard_error).all()
    assert best_groups(gains, max_groups=1).groups == ((0, 1, 2),)


def test_undefined_and_infinite_scores() -> None:
    def undefined(weights: Array, seeds: Sequence[int]) -> Array:
        scores = Fake()(weights, seeds)
        scores[:, 1] = NAN
        return scores

    gains = sample_gains(undefined, names(3), trainings=7, max_groups=2)
    assert np.isnan(gains.gain[:, 1]).all()
    assert np.isfinite(gains.gain[gains.sets[:, 0], 0]).all()

    def infinite(weights: Array, seeds: Sequence[int]) -> Array:
        scores = Fake()(weights, seeds)
        scores[-1, 2] = np.inf
        return scores

    with pytest.raises(InputError, match="the score of task 't2' is infinite"):
        sample_gains(infinite, names(3), trainings=7, max_groups=2)


def test_too_few_trainings() -> None:
    with pytest.raises(InputError, match="3 tasks need at least 8 trainings, found 7"):
        sample_gains(Fake(), names(3), trainings=7, max_groups=2, seeds=(0, 1))
    assert len(sample_gains(Fake(), names(3), trainings=8, max_groups=2, seeds=(0, 1)).sets) == 4


def trained(sets: Array, seeds: Sequence[int]) -> TrainedSets:
    """What :class:`Fake` says of the sets."""
    weights = np.tile(sets, (len(seeds), 1)).astype(float)
    scores = Fake()(weights, np.repeat(seeds, len(sets)).tolist())
    return TrainedSets(sets=sets, scores=scores.reshape(len(seeds), *sets.shape))


@pytest.mark.parametrize("rows", [range(6), range(5), [5, 2, 0], [5]])
def test_what_is_known_is_not_trained_and_changes_nothing(rows: Sequence[int]) -> None:
    """Singles and the set of all tasks given, all or some, in any order: the same gains for less."""
    seeds, fixed = (1, 3), fixed_sets(5)
    all_trained = sample_gains(Fake(), names(5), trainings=26, max_groups=2, batch=4, seeds=seeds)
    fake = Fake()
    gains = sample_gains(
        fake, names(5), trainings=26 - 2 * len(rows), max_groups=2, batch=4, seeds=seeds,
        known=trained(fixed[list(rows)], seeds),
    )  # fmt: skip
    assert sum(len(weights) for weights, _ in fake.calls) == 26 - 2 * len(rows)
    for name in ("sets", "gain", "standard_error"):
        np.testing.assert_array_equal(getattr(gains, name), getattr(all_trained, name))


def test_other_known_sets_count_as_evidence() -> None:
    known, fake = trained(every_set(4)[[2, 6, 14, 0, 1, 3, 7]], [0]), Fake()
    gains = sample_gains(fake, names(4), trainings=3, max_groups=2, known=known)
    assert [len(weights) for weights, _ in fake.calls] == [3]  # none of the fixed sets
    np.testing.assert_array_equal(gains.sets[:5], fixed_sets(4))
    np.testing.assert_array_equal(gains.sets[5:7], known.sets[[0, 1]])
    assert len(np.unique(gains.sets, axis=0)) == len(gains.sets) == 10
    size = gains.sets.sum(axis=1, keepdims=True)
    expected = (0.1 * (size - 1) * gains.sets)[gains.sets]
    np.testing.assert_allclose(gains.gain[gains.sets], expected, atol=1e-12)


def test_nothing_is_trained_where_all_is_known() -> None:
    fake = Fake()
    known = trained(fixed_sets(3), [0])
    gains = sample_gains(fake, names(3), trainings=0, max_groups=1, known=known)
    assert not fake.calls
    assert len(gains.sets) == 4


def test_known_scores_of_another_shape() -> None:
    sets = np.eye(3, dtype=bool)
    with pytest.raises(InputError, match="of 2 seeds and 3 tasks, found 1 and 3"):
        sample_gains(
            Fake(), names(3), trainings=9, max_groups=1, seeds=(0, 1), known=trained(sets, [0])
        )
    with pytest.raises(
        InputError, match=r"need scores \[S, n, T\], found bool \[3, 3\] and \[3, 3\]"
    ):
        TrainedSets(sets=sets, scores=np.zeros((3, 3)))
    with pytest.raises(InputError, match="must be distinct"):
        TrainedSets(sets=sets[[0, 0]], scores=np.zeros((1, 2, 3)))
    with pytest.raises(InputError, match="need a task each"):
        TrainedSets(sets=~sets & sets, scores=np.zeros((1, 3, 3)))
    infinite = TrainedSets(sets=sets, scores=np.full((1, 3, 3), np.inf))
    with pytest.raises(InputError, match="the score of task 't0' is infinite"):
        sample_gains(Fake(), names(3), trainings=1, max_groups=1, known=infinite)

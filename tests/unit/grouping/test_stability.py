"""Cautious affinities, and how often tasks stay together under resampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cotrain.errors import InputError
from cotrain.grouping import Grouping, Stability, group_tasks, robust, stability
from cotrain.measure.transference.affinity import Affinity


def affinity(mean: np.ndarray, error: float) -> Affinity:
    tasks = [f"t{i}" for i in range(len(mean))]
    samples = np.zeros((2, len(mean), len(mean)), dtype=np.float32)
    empty = Affinity.from_samples(tasks, samples, samples, method="made up")
    own = np.eye(len(mean), dtype=bool)
    errors = np.where(own, np.nan, error)
    return replace(empty, mean=np.where(own, np.nan, mean), standard_error=errors)


def blocks() -> np.ndarray:
    home = np.array([0, 0, 1, 1])
    return np.where(np.equal.outer(home, home), 1.0, -1.0)


def two(z: np.ndarray) -> Grouping:
    return group_tasks(z, max_groups=2)


def test_robust_is_the_lower_bound() -> None:
    measured = affinity(blocks(), 0.25)
    np.testing.assert_allclose(robust(measured), measured.mean - 0.25)
    np.testing.assert_allclose(robust(measured, z=0.0), measured.mean)
    np.testing.assert_allclose(robust(measured, z=2.0), measured.mean - 0.5)


def test_robust_keeps_the_mean_where_the_error_is_unknown() -> None:
    measured = affinity(blocks(), 0.25)
    measured.standard_error[0, 1] = np.nan
    assert robust(measured)[0, 1] == 1.0
    with pytest.raises(InputError, match="z must not be negative, found -1"):
        robust(measured, z=-1)


def test_a_lucky_noisy_partner_loses_to_a_sure_one() -> None:
    mean = np.zeros((3, 3))
    mean[0, 1] = mean[1, 0] = 1.0
    mean[0, 2] = mean[2, 0] = 0.9
    measured = affinity(mean, 0.0)
    measured.standard_error[0, 1] = measured.standard_error[1, 0] = 0.5
    assert (0, 1) in two(measured.mean).groups
    assert (0, 2) in two(robust(measured)).groups


def test_without_errors_nothing_moves() -> None:
    found = stability(affinity(blocks(), 0.0), two, draws=5)
    off = ~np.eye(4, dtype=bool)
    np.testing.assert_array_equal(found.together[off], (blocks()[off] > 0).astype(float))
    np.testing.assert_array_equal(found.same_server, found.together)
    np.testing.assert_allclose(found.objective, 1.0)
    assert np.isnan(np.diag(found.together)).all()
    assert "4 tasks, 5 draws: 100% of pairs decided" in str(found)
    assert "t0 with t1: 100%" in str(found)


def test_large_errors_undo_the_groups() -> None:
    small, large = (stability(affinity(blocks(), e), two, draws=60) for e in (0.2, 3.0))
    assert small.together[0, 1] > 0.95
    assert 0.1 < large.together[0, 1] < 0.95
    assert 0.1 < large.together[0, 2] < 0.9
    np.testing.assert_array_equal(large.together, large.together.T)
    assert (np.nan_to_num(large.same_server) <= np.nan_to_num(large.together) + 1e-12).all()


def test_the_seed_decides() -> None:
    measured = affinity(blocks(), 2.0)
    a, b, c = (stability(measured, two, draws=20, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a.together, b.together)
    assert not np.array_equal(a.together, c.together, equal_nan=True)
    with pytest.raises(InputError, match="draws must be at least 1, found 0"):
        stability(measured, two, draws=0)


def test_one_task() -> None:
    found = stability(affinity(np.zeros((1, 1)), 0.1), two, draws=3)
    assert str(found) == "1 task, 3 draws"
    assert found.figure()["data"]


def test_it_is_saved_and_drawn(tmp_path: Path) -> None:
    found = stability(affinity(blocks(), 1.0), two, draws=10)
    found.save(tmp_path / "stability.safetensors")
    again = Stability.load(tmp_path / "stability.safetensors")
    np.testing.assert_array_equal(again.together, found.together)
    np.testing.assert_array_equal(again.objective, found.objective)
    assert str(again) == str(found)
    trace = found.figure()["data"][0]
    assert trace["type"] == "heatmap"
    assert trace["hovertext"][0][1].endswith("%")
    assert (trace["zmin"], trace["zmax"]) == (0.0, 1.0)

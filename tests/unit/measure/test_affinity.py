"""Averages of probes and their standard errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cotrain.measure.transference.affinity import Affinity


def affinity(samples: NDArray[Any]) -> Affinity:
    return Affinity.from_samples(["a", "b"], samples, samples, method="m")


def test_affinity_is_a_mean_of_what_was_seen() -> None:
    samples = np.full((4, 2, 2), np.nan)
    samples[:, 0, 1] = [1.0, 2.0, np.nan, 6.0]
    found = affinity(samples)
    assert found.mean[0, 1] == 3.0
    assert np.isnan(found.mean[1, 0])
    assert np.isnan(found.mean.diagonal()).all()
    # two stretches: (1 + 2)/2 and 6; standard error √(Σ(x−x̄)²/1/2) = √((2.25² + 2.25²)/2) = 2.25
    assert found.standard_error[0, 1] == pytest.approx(2.25)
    assert np.isnan(found.standard_error[1, 0])
    assert (found.probes, found.method, found.tasks) == (4, "m", ("a", "b"))


def test_standard_errors_of_independent_probes() -> None:
    rng = np.random.default_rng(0)
    errors = [affinity(rng.normal(size=(400, 2, 2))).standard_error[0, 1] for _ in range(50)]
    assert float(np.mean(errors)) == pytest.approx(1 / np.sqrt(400), rel=0.1)


def test_standard_errors_know_that_neighbours_are_alike() -> None:
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.normal(size=(20, 2, 2)), 20, axis=0)  # 20 values, each seen 20 times
    found = affinity(slow).standard_error[0, 1]
    assert 0.5 < found / (slow[::20, 0, 1].std(ddof=1) / np.sqrt(20)) < 1.5
    assert found > 3 * slow[:, 0, 1].std() / np.sqrt(400)

"""Members that diverge after a good epoch: their rate is not chosen, looking at them ends nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import RECIPE, make_development, small_engine

from cotrain.engine.member import Member
from cotrain.engine.optimizers import SGD
from cotrain.studies.optimizers import inter_task
from cotrain.studies.optimizers.inter_task import compare_gradients
from cotrain.studies.optimizers.tuning import tune
from cotrain.studies.scalarization.conflicts import conflict_shares

RATES = (0.01, 5.0)
RISING = replace(RECIPE, epochs=8, warmup=0.9)


def member(rate: float) -> Member:
    """At the second rate, which is reached slowly, training gets better before it diverges."""
    return Member(name="m", weights=(1.0, 1.0), learning_rate=rate, dropout=0.0, optimizer=SGD())


def test_a_member_that_diverges_after_a_good_round_has_failed(tmp_path: Path) -> None:
    engine = small_engine(make_development("rr"), tmp_path, recipe=RISING)
    members = [member(rate) for rate in RATES]
    trained = engine.train("seen", members)
    assert trained.diverged.tolist() == [False, True]
    assert (trained.best_epoch > 0).all()

    def choose(valid: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isfinite(valid[:, 0]))

    found = tune(engine, "tuned", members, choose)
    assert np.isfinite(found.valid[0]).all()
    assert np.isnan(found.valid[1]).all()
    assert found.kept.tolist() == [0]


def test_what_is_not_finite_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The company of a member that diverges is looked at as if it were alone."""
    monkeypatch.setattr(inter_task, "PROBES", 100)  # every step
    engine = small_engine(make_development("rr"), tmp_path, recipe=RISING)
    (both, cost), (alone, less) = (
        compare_gradients(engine, [member(rate) for rate in rates]) for rates in (RATES, RATES[:1])
    )
    assert (cost.trainings, less.trainings) == (2, 1)
    assert less.examples == 8 * 96
    assert less.examples < cost.examples < 2 * less.examples  # the other one stops early
    assert np.isfinite(both).all()
    np.testing.assert_allclose(both[0], alone[0], atol=1e-5)
    shares, _ = conflict_shares(engine, [member(rate) for rate in RATES], [(0, 1)] * 2)
    assert np.isfinite(shares).all()

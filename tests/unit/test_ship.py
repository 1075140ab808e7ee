"""The judging of what ships, on numbers worked by hand, and what is stored of a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from benchmarks.ship import wanted
from benchmarks.ship.judging import (
    Pair,
    as_pair,
    below,
    gains,
    over_tables,
    regrets,
    strategies,
    within,
)
from benchmarks.ship.page import summary
from benchmarks.ship.tables import TABLES
from benchmarks.ship.trials import trial
from cotrain import Settings
from cotrain.errors import InputError


def pair(table: str, seed: int, **scores: list[float]) -> Pair:
    return Pair(table=table, seed=seed, scores={n: np.array(own) for n, own in scores.items()})


PAIRS = (
    pair("a", 0, shipped=[0.7, 0.8], single=[0.6, 0.8], trees=[0.75, 0.86], other=[0.0, 0.0]),
    pair("a", 1, shipped=[0.6, 0.8], single=[0.6, 0.9], trees=[0.66, 0.85]),
    pair("b", 0, shipped=[0.5, np.nan], single=[0.3, np.nan], trees=[0.1, np.nan]),
)


def test_a_strategy_is_a_contender_that_all_pairs_have() -> None:
    assert strategies(PAIRS) == ("single", "trees")


def test_gains_are_means_over_tasks_then_over_splits() -> None:
    # a: (0.1 + 0) / 2 = 0.05 and (0 − 0.1) / 2 = −0.05; b: only one task is known
    assert_allclose([*gains(PAIRS, "single").values()], [0.0, 0.2], atol=1e-12)
    # a: −(0.05 + 0.06) / 2 = −0.055 and −(0.06 + 0.05) / 2 = −0.055
    assert_allclose([*gains(PAIRS, "trees").values()], [-0.055, 0.4])


def test_the_interval_is_over_tables() -> None:
    # of 0 and 0.2: mean 0.1, standard error 0.1, t(1) = 12.7062
    own = over_tables(gains(PAIRS, "single"))
    assert_allclose([own.value, own.low, own.high], [0.1, -1.17062, 1.37062], atol=1e-5)


def test_regret_is_to_the_best_contender_of_each_split() -> None:
    # a, 0: trees 0.805 − 0.75; a, 1: trees 0.755 − 0.7 and single 0.75 − 0.7; b: single 0.3 − 0.5
    assert_allclose([*regrets(PAIRS).values()], [0.055, -0.2])
    assert PAIRS[0].best == "trees"


def test_equal_parts_is_no_contender_in_hand() -> None:
    own = Pair(
        table="a",
        seed=0,
        scores={
            k: np.array([v]) for k, v in {"shipped": 0.5, "joint": 0.4, "equal parts": 0.6}.items()
        },
    )
    assert own.best == "joint"
    assert own.regret == pytest.approx(-0.1)


def test_below_is_a_paired_t_over_tasks_and_splits() -> None:
    # a: −0.05, −0.06, −0.06, −0.05: mean −0.055, deviation 0.0057735, t(3) = 3.18245, half 0.009187
    own = within(PAIRS, "trees")["a"]
    assert_allclose([own.value, own.high - own.value], [-0.055, 0.009187], atol=1e-6)
    assert below(PAIRS, "trees") == ("a",)
    assert below(PAIRS, "single") == ()
    assert np.isnan(within(PAIRS, "trees")["b"].high)  # one difference proves nothing


def stored() -> dict[str, Any]:
    """As a trial stores it: R² of −7, and an ROC AUC that is not defined."""
    return {
        "table": "a",
        "seed": 2,
        "seconds": 1.0,
        "tasks": [
            {"metric": "R²", "shipped": 0.5, "test": {"joint": -7.0}},
            {"metric": "ROC AUC", "shipped": None, "test": {"joint": 0.5}},
        ],
    }


def test_low_r2_is_clipped_and_null_is_unknown() -> None:
    own = as_pair(stored())
    assert (own.table, own.seed) == ("a", 2)
    assert own.scores["joint"].tolist() == [-1.0, 0.5]
    assert_allclose(own.gains("joint"), [1.5, np.nan])


def test_the_summary_holds_every_strategy() -> None:
    found = summary(PAIRS)
    assert found["below"] == {"single": (), "trees": ("a",)}
    assert found["mean_test"]["shipped"] == pytest.approx({"a": 0.725, "b": 0.5})
    assert found["mean_regret"][0] == pytest.approx((0.055 - 0.2) / 2)


def test_a_stored_pair_is_not_run_again(tmp_path: Path) -> None:
    (tmp_path / "a-2.json").write_text('{"table": "a", "seed": 2}')

    def cut(seed: int) -> Any:
        raise AssertionError("it is there")

    assert trial("a", 2, cut, Settings(), tmp_path, None) == {"table": "a", "seed": 2}


def test_the_environment_may_ask_for_some_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COTRAIN_SHIP_ONLY", raising=False)
    assert wanted() == tuple(TABLES)
    assert len(TABLES) >= 20
    monkeypatch.setenv("COTRAIN_SHIP_ONLY", "wq, edm")
    assert wanted() == ("wq", "edm")
    monkeypatch.setenv("COTRAIN_SHIP_ONLY", "digit")
    with pytest.raises(InputError, match="digits"):
        wanted()

"""The bookkeeping of the benchmark `regret`, on a table of two tasks and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.instruments.judging import mean_and_error
from benchmarks.regret.cases import Case
from benchmarks.regret.judging import replay
from benchmarks.regret.methods import View

SETS = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)
VALID = np.array([[0.0, np.nan], [np.nan, 0.0], [0.3, -0.1]])
TEST = np.array([[0.0, np.nan], [np.nan, 0.0], [0.2, -0.4]])


def test_two_tasks_of_which_one_is_helped() -> None:
    view = View(SETS, VALID[None], (), {}, None, 2.0, 0)
    found = replay(Case([view], TEST[None]), 2)
    expected = {  # mean test gain, networks trained to decide, and in all
        "single": (0.0, 0, 2),
        "all together": (-0.1, 0, 1),
        "single or joint, chosen on validation": (0.1, 3, 3),
        "HOA": (0.1, 3, 3),
        "every set trained": (0.1, 3, 3),
        "oracle": (0.1, 3, 3),
    }
    for name, (gain, deciding, in_all) in expected.items():
        one = found[name]
        assert (one.deciding, one.in_all) == (deciding, in_all)
        assert one.gain == pytest.approx(gain)


def test_errors_by_hand() -> None:
    nan = np.nan
    plans = np.array([[1.0], [2.0], [6.0]])  # one judge: the spread of the plans
    assert mean_and_error(plans) == pytest.approx((3.0, np.std(plans, ddof=1) / 3**0.5))
    judges = np.array([1.0, 2.0, 6.0])  # one plan: the spread of the judges
    assert mean_and_error(judges[None]) == pytest.approx((3.0, judges.std(ddof=1) / 3**0.5))
    same = np.array([[nan, 2.0, 6.0], [1.0, nan, 6.0], [1.0, 2.0, nan]])  # whoever decides it
    assert mean_and_error(same) == pytest.approx((3.0, judges.std(ddof=1) / 3**0.5))


def test_a_single_plan_before_a_single_judge_has_no_error() -> None:
    gain, error = mean_and_error(np.array([[0.5]]))
    assert gain == 0.5
    assert np.isnan(error)

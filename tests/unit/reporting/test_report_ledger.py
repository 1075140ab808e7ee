"""Adding up the ledger."""

import math
from dataclasses import replace

import pytest

from cotrain.reporting import ledger
from cotrain.results import Result


def test_purposes_are_summed_in_order(tox21: Result) -> None:
    parts = ledger.by_purpose(tox21.costs)
    assert [part.purpose for part in parts] == ["deciding", "baseline", "shipping"]
    assert [part.joint_runs for part in parts] == pytest.approx([3.25, 6.2, 5.6])
    assert [part.trainings for part in parts] == [9, 51, 12]
    assert sum(part.share for part in parts) == pytest.approx(1)


def test_the_total_is_the_sum_of_the_parts(tox21: Result) -> None:
    whole, parts = ledger.total(tox21.costs), ledger.by_purpose(tox21.costs)
    assert whole.seconds == pytest.approx(sum(part.seconds for part in parts))
    assert whole.examples == sum(part.examples for part in parts)
    assert whole.joint_runs == pytest.approx(15.05)
    assert whole.share == 1


def test_trees_alone_have_no_joint_runs(tox21: Result) -> None:
    whole = ledger.total([line for line in tox21.costs if line.stage == "trees"])
    assert math.isnan(whole.joint_runs)
    assert math.isnan(whole.share)
    assert whole.seconds == 19.5


def test_deciding_nothing_costs_nothing(tox21: Result) -> None:
    assert ledger.deciding([line for line in tox21.costs if line.purpose != "deciding"]) == 0
    assert ledger.deciding(tox21.costs) == pytest.approx(3.25)


def test_an_unknown_purpose_is_not_lost(tox21: Result) -> None:
    costs = (*tox21.costs, replace(tox21.costs[0], purpose="other"))
    assert ledger.by_purpose(costs)[-1].purpose == "other"

"""What predicting takes: who is loaded, how many numbers that is, and for how many rows it is timed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny import make_data, make_tasks
from unit.run.test_contest import SOFT, contest_of, trained_all

from cotrain.arrays import Array
from cotrain.contenders import Groups, Joint, Linear, Single
from cotrain.contenders.base import Model
from cotrain.data.dataset import Rows
from cotrain.grouping import Membership
from cotrain.results import Price
from cotrain.run.contest import Contest
from cotrain.run.mixture import Mixture
from cotrain.run.prices import ROWS, price, prices
from cotrain.tasks import Task

NETWORK = (5 * 8 + 8) + (8 * 6 + 6) + (3 * 6 + 3)  # two hidden layers and three outputs
LINEAR = Linear()


def mixture_of(*weights: dict[str, float]) -> Mixture:
    return Mixture(
        tasks=make_tasks("rbr"),
        weights=weights,
        scores=({},) * 3,
        expected=(0.0,) * 3,
        shares=((),) * 3,
        sharpness={},
        reach=0.0,
    )


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Contest:
    """Three tasks, two seeds, soft groups: all of b1 and a share of each neighbour."""
    found = contest_of(tmp_path_factory.mktemp("run"), (Single(), Joint(), Groups(), LINEAR))
    found = trained_all(found, SOFT)
    found.fit_models()
    return found


@pytest.fixture
def quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    """All work takes a quarter of a second."""

    def work(own: Callable[[], None]) -> float:
        own()
        return 0.25

    monkeypatch.setattr("cotrain.run.prices._seconds", work)


def priced(networks: int, models: int = 0) -> Price:
    return Price(
        models=networks + models,
        networks=networks,
        parameters=networks * NETWORK,
        milliseconds=250.0,
    )


@pytest.mark.usefixtures("quarter")
def test_every_contender_and_what_ships_has_a_price(contest: Contest) -> None:
    """Two seeds of three networks, of one, of two groups, and of three linear models."""
    shipped = mixture_of({"joint": 0.6, "linear": 0.4}, {"joint": 1.0}, {"linear": 1.0})
    assert prices(contest, shipped, make_data("rbr", rows=7)) == {
        "single": priced(6),
        "joint": priced(2),
        "groups": priced(4),
        "linear": priced(0, 6),
        "shipped": priced(2, 4),
    }


@pytest.mark.usefixtures("quarter")
def test_networks_of_several_tasks_are_counted_once(contest: Contest) -> None:
    rows = make_data("rbr", rows=7)
    single, joint, groups, _ = contest.contenders
    assert price(contest, dict.fromkeys(range(3), (joint, groups)), rows) == priced(6)
    assert price(contest, {0: (single,), 2: (single, joint)}, rows) == priced(6)
    assert price(contest, {0: (groups,)}, rows) == priced(2)  # r0 is the first group's alone
    assert price(contest, {1: (groups,)}, rows) == priced(4)  # both groups speak for b1
    assert price(contest, {}, rows) == priced(0)


@pytest.mark.usefixtures("quarter")
def test_twins_are_one_network(tmp_path: Path) -> None:
    """One group of all tasks is the joint network."""
    everyone = Membership(weights=((1.0,) * 3,), shares=((1.0,),) * 3)
    contest = trained_all(contest_of(tmp_path, (Single(), Joint(), Groups())), everyone)
    shipped = mixture_of(*[{"joint": 0.5, "groups": 0.5}] * 3)
    found = prices(contest, shipped, make_data("rbr", rows=7))
    assert found["joint"] == found["groups"] == found["shipped"] == priced(2)


@pytest.mark.parametrize("rows", [3, 1000, 1500])
def test_a_thousand_rows_are_predicted_however_many_there_are(
    contest: Contest, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int, int]] = []
    predict, engine = Linear.predict, type(contest.engine).predict

    def model(self: Linear, task: Task, fitted: Model, data: Rows) -> Array:
        seen.append((task.name, len(data.columns), len(np.unique(data.columns[:, 0]))))
        return predict(self, task, fitted, data)

    def network(self: object, trained: object, inputs: Array) -> object:
        seen.append(("networks", len(inputs), len(np.unique(inputs[:, 0]))))
        return engine(self, trained, inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(Linear, "predict", model)
    monkeypatch.setattr(type(contest.engine), "predict", network)
    shipped = mixture_of({"linear": 0.5, "joint": 0.5}, {"linear": 1.0}, {"linear": 1.0})
    found = prices(contest, shipped, make_data("rbr", rows=rows))
    assert ROWS == 1000
    assert {one[1:] for one in seen} == {(1000, min(rows, 1000))}
    names = [name for name, *_ in seen]
    assert names.count("networks") == 3 + 1  # contenders of networks, and what ships
    assert [names.count(name) for name in ("r0", "b1", "r2")] == [
        2 * 2
    ] * 3  # seeds, alone, shipped
    assert all(own.milliseconds > 0 for own in found.values())


def test_a_contender_is_priced_on_the_tasks_that_it_answers(tmp_path: Path) -> None:
    contest = contest_of(tmp_path, (Single(), Joint(), Groups()), alone=1)
    trained_all(contest, SOFT)
    found = prices(contest, mixture_of(*[{"joint": 1.0}] * 3), make_data("rbr", rows=7))
    assert {name: own.networks for name, own in found.items()} == {
        "single": 2,
        "joint": 2,
        "groups": 4,
        "shipped": 2,
    }

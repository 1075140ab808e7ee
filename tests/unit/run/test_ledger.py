"""The ledger's arithmetic: examples, joint runs, FLOPs, and seconds shared by examples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import RECIPE, joint, make_development, small_engine

from cotrain.baselines.boosted import LightGBMTrees
from cotrain.contenders import Trees
from cotrain.engine.engine import Engine, flops_per_example
from cotrain.engine.member import Member
from cotrain.engine.trained import Trained
from cotrain.results import Cost
from cotrain.run.ledger import Ledger

A_RUN = 6 * 7 * 14  # epochs, batches, rows of a batch: 100 rows less two


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    recipe = replace(RECIPE, epochs=6, patience=2)
    return small_engine(make_development("brm", rows=100), tmp_path, recipe=recipe)


@pytest.fixture
def trained(engine: Engine) -> Trained:
    members = [
        joint(3),
        Member(name="group/0", weights=(1.0, 1.0, 0.0), learning_rate=0.0),  # stops after 3 epochs
        Member(name="group/1", weights=(0.0, 1.0, 1.0), seed=1),
    ]
    found = replace(engine.train("final", members), seconds=30.0)
    assert found.epochs_run.tolist() == [6, 3, 6]
    return found


def test_population(engine: Engine, trained: Trained) -> None:
    ledger = Ledger.of(engine, 6)
    ledger.population("all", "baseline", trained)
    (line,) = ledger.lines()
    assert (line.stage, line.purpose, line.trainings) == ("all", "baseline", 3)
    assert line.examples == 2.5 * A_RUN
    assert line.joint_runs == 2.5
    assert line.seconds == 30
    assert line.flops == line.examples * flops_per_example(engine.architecture)


def test_parts_add_up_to_the_whole(engine: Engine, trained: Trained) -> None:
    ledger = Ledger.of(engine, 6)
    ledger.population("rest", "baseline", trained.take([0]), of=trained)
    ledger.population("groups", "shipping", trained.take([1, 2]), of=trained, contender="groups")
    ledger.population("nobody", "shipping", trained.take([]), of=trained)  # no members, no line
    rest, groups = ledger.lines()
    assert (rest.trainings, groups.trainings) == (1, 2)
    assert (rest.contender, groups.contender) == ("", "groups")
    assert (rest.joint_runs, groups.joint_runs) == (1.0, 1.5)
    assert (rest.seconds, groups.seconds) == (pytest.approx(12), pytest.approx(18))


def test_measuring_is_a_cost_of_deciding(engine: Engine) -> None:
    ledger = Ledger.of(engine, 6)
    cost = Cost(trainings=1, examples=A_RUN + 187, seconds=5.0)
    ledger.measured("measure: joint run", cost)
    ledger.measured("measure: task sets", None)  # none were sampled
    (line,) = ledger.lines()
    assert line.stage == "measure: joint run"
    assert line.examples == A_RUN + 187
    assert line.purpose == "deciding"
    assert line.seconds == 5
    assert line.joint_runs == line.examples / A_RUN


def test_trees_are_not_counted_in_flops(engine: Engine) -> None:
    ledger = Ledger.of(engine, 6)
    ledger.models(Trees(learner=LightGBMTrees()), 21, 3.5)
    (line,) = ledger.lines()
    assert (line.stage, line.trainings, line.examples, line.seconds) == (
        "trees (LightGBM)",
        21,
        0,
        3.5,
    )
    assert np.isnan(line.flops)
    assert np.isnan(line.joint_runs)


def test_a_shortened_run_is_a_share_of_a_full_one(engine: Engine, trained: Trained) -> None:
    ledger = Ledger.of(engine, 24)
    ledger.population("all", "baseline", trained)
    (line,) = ledger.lines()
    assert line.joint_runs == 2.5 / 4

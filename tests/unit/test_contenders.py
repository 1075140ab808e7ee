"""Contenders as populations: weight vectors, candidates, replicas, and who wins tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import make_development, make_tasks, train

from cotrain.contenders import (
    SETTINGS,
    Setting,
    candidates,
    group_vectors,
    member_scores,
    network_predictions,
    replicas,
    single_and_joint,
    tuned,
    weights_of,
)
from cotrain.grouping import Grouping
from cotrain.models.losses import predictions
from cotrain.population.member import Member
from cotrain.population.trained import Trained, from_progress
from cotrain.result import Contender
from cotrain.tasks import score

GROUPING = Grouping(
    groups=((0, 1), (1, 2), (0, 1, 2)), server=(0, 1, 2), objective=0.0, bound=0.0, exact=True
)


def test_baselines() -> None:
    assert single_and_joint(1) == {"joint": (1.0,)}
    assert single_and_joint(2) == {
        "joint": (1.0, 1.0),
        "single/0": (1.0, 0.0),
        "single/1": (0.0, 1.0),
    }


def test_groups_that_are_baselines_are_not_trained_twice() -> None:
    known = list(single_and_joint(3).values())
    found = group_vectors(GROUPING, 3, known)
    assert found == {"group/0": (1.0, 1.0, 0.0), "group/1": (0.0, 1.0, 1.0)}


def test_candidates_and_replicas() -> None:
    grid = candidates({"a": (1.0, 0.0), "b": (1.0, 1.0)}, SETTINGS[:2])
    assert [m.name for m in grid] == ["a", "b", "a", "b"]
    assert [m.learning_rate for m in grid] == [SETTINGS[0].learning_rate] * 2 + [
        SETTINGS[1].learning_rate
    ] * 2
    assert {m.seed for m in grid} == {0}
    more = replicas([grid[0], grid[3]], 4)
    assert [m.seed for m in more] == [1, 2, 3] * 2
    assert [m.learning_rate for m in more] == sorted(m.learning_rate for m in more)
    assert {(m.name, m.weights, m.dropout) for m in more} == {
        (m.name, m.weights, m.dropout) for m in (grid[0], grid[3])
    }


@pytest.fixture(scope="module")
def trained() -> Trained:
    settings = (Setting(learning_rate=0.0, dropout=1.0), Setting(learning_rate=3e-2, dropout=0.0))
    members = candidates({"joint": (1.0,) * 3, "single/1": (0.0, 1.0, 0.0)}, settings)
    development = make_development("brm", missing=0.2)
    return from_progress(members, train(development, members), 1.0)


def test_member_scores_are_scores(trained: Trained) -> None:
    valid = make_development("brm", missing=0.2).valid
    found = member_scores(trained, valid)
    assert np.isnan(found[1]).tolist() == [True, False, True]
    values = predictions(valid.tasks, trained.outputs)
    for t in range(3):
        rows, y = valid.labels(t)
        assert found[2, t] == score(valid.tasks[t], values[t][2][rows], y)


def test_tuning_takes_the_member_that_learned(trained: Trained) -> None:
    best = tuned(trained, make_development("brm", missing=0.2).valid)
    assert [(m.name, m.learning_rate) for m in best] == [("joint", 3e-2), ("single/1", 3e-2)]


def test_tuning_names_a_member_even_if_all_diverged() -> None:
    members = [Member(name="joint", weights=(1.0,) * 3, learning_rate=1e30)]
    development = make_development("brm")
    lost = from_progress(members, train(development, members), 1.0)
    assert lost.loss.isinf().all()
    assert tuned(lost, development.valid) == tuple(members)


def test_weights_of_a_contender() -> None:
    assert weights_of(Contender.SINGLE, 1, 3, GROUPING) == (0.0, 1.0, 0.0)
    assert weights_of(Contender.JOINT, 1, 3, GROUPING) == (1.0, 1.0, 1.0)
    assert [weights_of(Contender.GROUPS, t, 3, GROUPING) for t in range(3)] == [
        (1.0, 1.0, 0.0),
        (0.0, 1.0, 1.0),
        (1.0, 1.0, 1.0),
    ]


def test_network_predictions_find_the_members() -> None:
    weights = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]
    members = tuple(Member(name=str(at), weights=w, seed=at) for at, w in enumerate(weights))
    outputs = torch.arange(6.0)[:, None, None].expand(6, 2, 4)  # member p says p
    nothing = torch.zeros(6, 2)
    trained = Trained(
        members=members,
        loss=nothing,
        best_round=nothing,
        rounds_run=nothing,
        outputs=outputs,
        models={},
        seconds=0.0,
    )
    grouping = Grouping(groups=((0, 1), (1,)), server=(0, 1), objective=0.0, bound=0.0, exact=True)
    found = network_predictions(make_tasks("rr"), trained, outputs, grouping)
    said = [{c: own[c][:, 0].tolist() for c in own} for own in found]
    assert said == [
        {Contender.SINGLE: [0, 4], Contender.JOINT: [2, 3], Contender.GROUPS: [2, 3]},
        {Contender.SINGLE: [1, 5], Contender.JOINT: [2, 3], Contender.GROUPS: [1, 5]},
    ]

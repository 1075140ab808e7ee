"""Contenders as populations: weight vectors, candidates, replicas, and who wins tuning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import make_development, make_tasks, train

from cotrain.engine.member import Change, Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.trained import Trained, from_progress
from cotrain.engine.tuning import (
    SETTINGS,
    Cast,
    Setting,
    candidates,
    group_vectors,
    member_scores,
    network_predictions,
    replicas,
    single_and_joint,
    tuned,
)
from cotrain.grouping import Grouping, Membership
from cotrain.results import Contender
from cotrain.tasks import score
from cotrain.weighting import Uncertainty

MEMBERSHIP = Membership.hard(
    Grouping(
        groups=((0, 1), (1, 2), (0, 1, 2)), server=(0, 1, 2), objective=0.0, bound=0.0, exact=True
    )
)
SOFT = Membership(
    weights=((1.0, 0.25, 0.0), (0.0, 0.75, 1.0)), shares=((1.0, 0.0), (0.25, 0.75), (0.0, 1.0))
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
    found = group_vectors(MEMBERSHIP, known)
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


def test_tuning_weighs_scores_as_the_member_weighs_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights 1 and ¼, scores .5 and .9 average .58, and .6 and .52 .584: less than .7 and .56."""
    members = [
        Member(name="soft", weights=(1.0, 0.25), learning_rate=rate) for rate in (1e-3, 3e-3)
    ]
    scores = np.array([[0.5, 0.9], [0.6, 0.52]])
    monkeypatch.setattr("cotrain.engine.tuning.member_scores", lambda trained, valid: scores)
    trained, _ = population([(1.0, 0.25)] * 2, [0, 0])
    trained = replace(trained, members=tuple(members))
    assert tuned(trained, make_development("bb").valid) == (members[1],)
    scores[0, 1] = 1.0  # .6
    assert tuned(trained, make_development("bb").valid) == (members[0],)


def test_who_speaks_for_a_contender() -> None:
    kinds = [(1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0), *SOFT.weights]
    members = [Member(name="", weights=weights, seed=seed) for seed in (0, 1) for weights in kinds]
    hard, soft = Cast(membership=MEMBERSHIP), Cast(membership=SOFT)
    assert hard.shares(members, Contender.SINGLE, 1).tolist() == [0, 0, 0, 1, 0, 0] * 2
    assert hard.shares(members, Contender.JOINT, 1).tolist() == [0, 0, 1, 0, 0, 0] * 2
    assert [hard.shares(members, Contender.GROUPS, t).tolist()[:4] for t in range(3)] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
    ]
    assert soft.shares(members, Contender.GROUPS, 1).tolist() == [0, 0, 0, 0, 0.25, 0.75] * 2


def test_models_with_equal_weights_are_one() -> None:
    twins = Membership(
        weights=((1.0, 0.5), (1.0, 0.5), (0.0, 1.0)), shares=((0.3, 0.3, 0.4), (0.25, 0.25, 0.5))
    )
    members = [Member(name="a", weights=(1.0, 0.5)), Member(name="b", weights=(0.0, 1.0))]
    shares = Cast(membership=twins).shares(members, Contender.GROUPS, 0)
    assert shares.tolist() == pytest.approx([0.6, 0.4])


def test_changing_weights_are_not_mistaken_for_uniform_ones() -> None:
    joint = Member(name="joint", weights=(1.0,) * 3)
    later = Change(epoch=2, weights=(2.0, 0.5, 0.5), learning_rate=1e-3)
    for weighted in (replace(joint, weighting=Uncertainty()), replace(joint, changes=(later,))):
        cast = Cast(membership=MEMBERSHIP, weighted=weighted)
        assert cast.networks[-1] is Contender.WEIGHTED
        members = [joint, weighted, replace(weighted, seed=1), replace(joint, seed=1)]
        assert cast.shares(members, Contender.WEIGHTED, 0).tolist() == [0, 1, 1, 0]
        assert cast.shares(members, Contender.JOINT, 0).tolist() == [1, 0, 0, 1]
        seeds = [(m.weighting, m.changes, m.seed) for m in replicas([joint, weighted], 3)]
        assert sorted(seeds, key=str) == sorted(
            [(m.weighting, m.changes, s) for m in (joint, weighted) for s in (1, 2)], key=str
        )


def population(weights: list[tuple[float, ...]], seeds: list[int]) -> tuple[Trained, torch.Tensor]:
    """Member p says p, for every task and row."""
    members = tuple(
        Member(name=str(at), weights=w, seed=seed)
        for at, (w, seed) in enumerate(zip(weights, seeds, strict=True))
    )
    tasks = len(weights[0])
    outputs = torch.arange(float(len(members)))[:, None, None].expand(-1, tasks, 4)
    nothing = torch.zeros(len(members), tasks)
    trained = Trained(
        members=members,
        loss=nothing,
        best_epoch=nothing,
        epochs_run=nothing,
        outputs=outputs,
        models={},
        diverged=torch.zeros(len(members), dtype=torch.bool),
        seconds=0.0,
    )
    return trained, outputs


def said(found: list[dict[Contender, np.ndarray]]) -> list[dict[Contender, list[float]]]:
    return [{c: own[c][:, 0].tolist() for c in own} for own in found]


def test_network_predictions_find_the_members() -> None:
    weights = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]
    trained, outputs = population(weights, [0, 0, 0, 1, 1, 1])
    grouping = Grouping(groups=((0, 1), (1,)), server=(0, 1), objective=0.0, bound=0.0, exact=True)
    found = network_predictions(
        make_tasks("rr"), trained, outputs, Cast(membership=Membership.hard(grouping))
    )
    assert said(found) == [
        {Contender.SINGLE: [0, 4], Contender.JOINT: [2, 3], Contender.GROUPS: [2, 3]},
        {Contender.SINGLE: [1, 5], Contender.JOINT: [2, 3], Contender.GROUPS: [1, 5]},
    ]


def test_soft_predictions_add_up_outputs_by_shares_within_each_seed() -> None:
    singles = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)]
    weights = [*singles, *SOFT.weights, SOFT.weights[1], *singles, SOFT.weights[0]]
    trained, outputs = population(weights, [0] * 6 + [1] * 6)
    found = network_predictions(make_tasks("rbr"), trained, outputs, Cast(membership=SOFT))
    assert said(found)[0][Contender.GROUPS] == [4, 11]
    logits = np.array([0.25 * 4 + 0.75 * 5, 0.25 * 11 + 0.75 * 6])  # mixed before the sigmoid
    assert said(found)[1][Contender.GROUPS] == pytest.approx(1 / (1 + np.exp(-logits)), abs=1e-12)
    assert said(found)[2][Contender.GROUPS] == [5, 6]

"""The contest: who is trained for whom, and who of the trained members speaks for a contender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import RECIPE, joint, make_development, population, small_engine

from cotrain.contenders import (
    Contender,
    Context,
    Groups,
    Joint,
    Linear,
    ModelContender,
    Single,
    Terms,
    Weighted,
)
from cotrain.data.folds import crossfitted
from cotrain.engine.member import Change
from cotrain.engine.trained import Trained
from cotrain.grouping import Grouping, Membership
from cotrain.run.contest import Contest
from cotrain.weighting import Uncertainty, WeightSchedule

MEMBERSHIP = Membership.hard(
    Grouping(
        groups=((0, 1), (1, 2), (0, 1, 2)), server=(0, 1, 2), objective=0.0, bound=0.0, exact=True
    )
)
TWO = Grouping(groups=((0, 1),), server=(0, 0), objective=0.0, bound=0.0, exact=True)
SOFT = Membership(
    weights=((1.0, 0.25, 0.0), (0.0, 0.75, 1.0)), shares=((1.0, 0.0), (0.25, 0.75), (0.0, 1.0))
)
NETWORKS = (Single(), Joint(), Groups())


def contest_of(
    folder: Path,
    contenders: Sequence[Contender] = NETWORKS,
    kinds: str = "rbr",
    tried: int = 1,
    **changes: Any,
) -> Contest:
    """A contest on tiny data, whose four validation rows decide."""
    engine = small_engine(make_development(kinds, rows=8, missing=0.0), folder)
    terms = Terms(
        **{
            "train": engine.development.train,
            "fold_rows": engine.development.training_size,
            "recipe": RECIPE,
            "max_groups": 3,
            "tried": tried,
            "seeds": 2,
            "alone": len(kinds),
            **changes,
        }
    )
    return Contest.of(contenders, engine, terms)


def trained_all(contest: Contest, membership: Membership) -> Contest:
    """After the stages of a run."""
    contest.tune_baselines()
    contest.train("baselines")
    contest.tune_others(membership)
    contest.train("others")
    return contest


def context_of(kinds: str, **changes: Any) -> Context:
    """The context of a run on tiny data."""
    tasks = make_development(kinds).tasks
    return Context(
        tasks=tasks, **{"drawn": tuple(range(len(tasks))), "alone": len(tasks), **changes}
    )


def trained_as(contest: Contest, trained: Trained, membership: Membership) -> Contest:
    """The contest after all of a population was trained."""
    contest._parts = [trained]
    contest.context = replace(contest.context, membership=membership)
    return contest


def test_what_contenders_want() -> None:
    context = context_of("rb")
    assert [m.weights for m in Single().members(context)] == [(1.0, 0.0), (0.0, 1.0)]
    assert [m.weights for m in Joint().members(context)] == [(1.0, 1.0)]
    three = context_of("rbr", membership=MEMBERSHIP)
    assert [m.weights for m in Groups().members(three)] == list(MEMBERSHIP.weights)
    few = context_of("rbr", drawn=(2, 0, 1), alone=2)
    assert [m.weights for m in Single().members(few)] == [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0)]
    assert [bool(Single().speakers(t, few)) for t in range(3)] == [True, False, True]


def test_prices_add_up_to_the_full_protocol() -> None:
    """All trainings at the longest setting, and four at the others: a short one and a long one."""
    train = make_development("rbr").train
    terms = Terms(train=train, fold_rows=96, recipe=RECIPE, max_groups=2, tried=3, seeds=5, alone=3)
    assert sum(own.price(terms) for own in NETWORKS) == pytest.approx(
        (3 + 1 + 2) * 5 + 3 * 4 * 1.15
    )
    alone = replace(terms, train=make_development("r").train, alone=1)
    assert sum(own.price(alone) for own in NETWORKS) == 5 + 4 * 1.15
    assert Weighted(weights=Uncertainty()).price(terms) == 5 + 4 * 1.15
    many = replace(terms, train=make_development("r" * 9).train, alone=9)
    assert Single().price(many) == 9 * 5 + 4 * 1.15
    assert Single().price(replace(many, alone=2)) == 2 * 5 + 4 * 1.15
    assert Joint().price(replace(terms, tried=1)) == pytest.approx(5 * 0.15)


def test_what_two_contenders_want_is_trained_once(tmp_path: Path) -> None:
    contest = trained_all(contest_of(tmp_path, tried=2), MEMBERSHIP)  # its third group is all tasks
    names = {member.name for member in contest.trained.members}
    assert names == {"single/0", "single/1", "single/2", "joint", "group/0", "group/1"}
    assert len(contest.trained.members) == 6 * 2
    lines = {line.stage: line for line in contest.ledger.lines()}
    assert {stage: line.trainings for stage, line in lines.items()} == {
        "tune single": 2 * 4,
        "tune joint": 2 * 2,  # seeds
        "tune groups": 2 * 4,
        "single, all seeds": 2,
    }
    assert [lines[f"tune {name}"].purpose for name in ("single", "joint", "groups")] == [
        "baseline",
        "baseline",
        "deciding",
    ]
    assert {line.contender for line in lines.values()} == {"single", "joint", "groups"}
    third = contest.shares(Groups(), 2)  # served by the joint network
    assert [m.name for m, share in zip(contest.trained.members, third, strict=True) if share] == [
        "joint"
    ] * 2


def test_one_task_has_one_network(tmp_path: Path) -> None:
    contest = contest_of(tmp_path, kinds="r")
    trained_all(contest, Membership(weights=((1.0,),), shares=((1.0,),)))
    assert len(contest.trained.members) == 2  # seeds
    (own,), _ = contest.out_of_fold()
    assert np.array_equal(own["single"], own["joint"])


def test_given_weights_are_tuned_over_different_rates(tmp_path: Path) -> None:
    """Candidates of a schedule differ in its learning rates, and yet one of them is the contender."""
    change = Change(epoch=0, weights=(1.0, 0.5, 0.5), learning_rate=3e-3)
    given = Weighted(weights=WeightSchedule(tasks=("r0", "b1", "r2"), changes=(change,)))
    contest = trained_all(contest_of(tmp_path, (*NETWORKS, given), tried=3), MEMBERSHIP)
    speaking = contest.shares(given, 0)
    assert [m.seed for m, own in zip(contest.trained.members, speaking, strict=True) if own] == [
        0,
        1,
    ]
    assert [line.trainings for line in contest.ledger.lines() if line.contender == "weighted"] == [
        3 * 2
    ]


def test_who_speaks_for_a_contender(tmp_path: Path) -> None:
    kinds = [(1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0), *SOFT.weights]
    trained = population(kinds * 2, [0] * 6 + [1] * 6)
    hard = trained_as(contest_of(tmp_path), trained, MEMBERSHIP)
    assert hard.shares(Single(), 1).tolist() == [0, 0, 0, 1, 0, 0] * 2
    assert hard.shares(Joint(), 1).tolist() == [0, 0, 1, 0, 0, 0] * 2
    assert [hard.shares(Groups(), t).tolist()[:4] for t in range(3)] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
    ]
    soft = trained_as(contest_of(tmp_path), trained, SOFT)
    assert soft.shares(Groups(), 1).tolist() == [0, 0, 0, 0, 0.25, 0.75] * 2


def test_models_with_equal_weights_are_one(tmp_path: Path) -> None:
    twins = Membership(
        weights=((1.0, 0.5), (1.0, 0.5), (0.0, 1.0)), shares=((0.3, 0.3, 0.4), (0.25, 0.25, 0.5))
    )
    trained = population([(1.0, 0.5), (0.0, 1.0)], [0, 0])
    contest = trained_as(contest_of(tmp_path, kinds="rr"), trained, twins)
    assert contest.shares(Groups(), 0).tolist() == pytest.approx([0.6, 0.4])


def test_changing_weights_are_not_mistaken_for_uniform_ones(tmp_path: Path) -> None:
    later = Change(epoch=2, weights=(2.0, 0.5, 0.5), learning_rate=1e-3)
    for changed in (
        replace(joint(3), weighting=Uncertainty()),
        replace(joint(3), changes=(later,)),
    ):
        weighted = Weighted(weights=Uncertainty())
        trained = population([(1.0,) * 3] * 4, [0, 0, 1, 1])
        members = (joint(3), changed, replace(changed, seed=1), joint(3, seed=1))
        contest = contest_of(tmp_path)
        trained_as(contest, replace(trained, members=members), MEMBERSHIP)
        contest.context = replace(contest.context, best={"weighted": (changed,)})
        assert contest.shares(weighted, 0).tolist() == [0, 1, 1, 0]
        assert contest.shares(Joint(), 0).tolist() == [1, 0, 0, 1]


def said(contest: Contest) -> list[dict[str, float]]:
    """What contenders say about the first row, the mean over seeds."""
    return [{c: float(own[c][0]) for c in own} for own in contest.out_of_fold()[0]]


def test_predictions_find_the_members(tmp_path: Path) -> None:
    weights = [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)]
    grouping = Grouping(groups=((0, 1), (1,)), server=(0, 1), objective=0.0, bound=0.0, exact=True)
    contest = contest_of(tmp_path, kinds="rr")
    trained_as(contest, population(weights, [0, 0, 0, 1, 1, 1]), Membership.hard(grouping))
    assert said(contest) == [
        {"single": (0 + 4) / 2, "joint": (2 + 3) / 2, "groups": (2 + 3) / 2},
        {"single": (1 + 5) / 2, "joint": (2 + 3) / 2, "groups": (1 + 5) / 2},
    ]


def test_soft_predictions_add_up_outputs_by_shares_within_each_seed(tmp_path: Path) -> None:
    singles = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)]
    weights = [*singles, *SOFT.weights, SOFT.weights[1], *singles, SOFT.weights[0]]
    trained = population(weights, [0] * 6 + [1] * 6)
    found = said(trained_as(contest_of(tmp_path), trained, SOFT))
    assert found[0]["groups"] == (4 + 11) / 2
    logits = np.array([0.25 * 4 + 0.75 * 5, 0.25 * 11 + 0.75 * 6])  # mixed before the sigmoid
    assert found[1]["groups"] == pytest.approx(np.mean(1 / (1 + np.exp(-logits))), abs=1e-7)
    assert found[2]["groups"] == (5 + 6) / 2


def test_every_row_is_predicted_by_the_model_that_left_it_out(tmp_path: Path) -> None:
    """Five folds, two models: two fifths of the rows decide; a third model would add its own."""
    contest = contest_of(tmp_path, (*NETWORKS, Linear()), kinds="rr")
    plain = make_development("rr", rows=40, missing=0.2)
    folded = crossfitted(plain, seeds=2, seed=0)
    contest.engine = replace(contest.engine, development=folded)
    contest.ledger = replace(contest.ledger, engine=contest.engine)
    trained_all(contest, Membership.hard(TWO))
    contest.fit_models()
    found, labels = contest.out_of_fold()
    held = [folded.fold(seed).held for seed in range(2)]
    order = np.sort(np.concatenate(held))
    for t in range(2):
        rows, known = labels[t]
        expected = folded.rows.rows(order)
        np.testing.assert_array_equal(known, expected.labels(t)[1])
        np.testing.assert_array_equal(rows, expected.labels(t)[0])
        for seed, own in enumerate(held):
            places = np.searchsorted(order, own)
            inputs = folded.rows.rows(own)
            (linear,) = [c for c in contest.contenders if c.name == "linear"]
            assert isinstance(linear, ModelContender)
            model = contest.models[linear.label][t][seed]
            np.testing.assert_allclose(
                found[t]["linear"][places], linear.predict(plain.tasks[t], model, inputs)
            )
            joint = [m.name == "joint" and m.seed == seed for m in contest.trained.members]
            outputs = contest.engine.predict(contest.trained, inputs.inputs)[joint.index(True), t]
            np.testing.assert_allclose(found[t]["joint"][places], outputs, atol=1e-5)

"""What may ship: everything, one contender, or a mixture of few networks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import make_tasks, population
from unit.run.test_contest import MEMBERSHIP, contest_of, trained_as

from cotrain import InputError, Settings
from cotrain.arrays import Array
from cotrain.contenders import ExtraTrees, Groups, Joint, Linear, Single
from cotrain.grouping import Membership
from cotrain.run.contest import Contest
from cotrain.run.mixture import Mixture, mix
from cotrain.run.shipping import check_shipping, network_count, what_ships
from cotrain.stats import finite_mean

ONES = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
FIELD = (Single(), Joint(), Groups(), Linear())
SMALL = Settings(seeds=2)


def decided(contest: Contest, noise: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contender is off by so much, independently, on 500 rows that decide."""
    rng = np.random.default_rng(0)
    labels = [(np.arange(500), rng.normal(size=500)) for _ in contest.context.tasks]
    predictions: list[dict[str, Array]] = [
        {
            own.name: y + noise[own.name] * rng.normal(size=500)
            for own in contest.contenders
            if contest.answers(own, t)
        }
        for t, (_, y) in enumerate(labels)
    ]
    monkeypatch.setattr(Contest, "out_of_fold", lambda _: (predictions, labels))


@pytest.fixture
def contest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contest:
    """Three tasks, two seeds: networks of 6 singles, 2 joint, 4 of the groups besides the joint ones."""
    weights = [*ONES, *MEMBERSHIP.weights]  # the last group is the joint network
    found = contest_of(tmp_path, FIELD, kinds="rrr")
    trained_as(found, population(weights * 2, [0] * 6 + [1] * 6), MEMBERSHIP)
    found.models = {"linear": {t: [] for t in range(3)}}
    decided(found, {"single": 0.1, "joint": 0.5, "groups": 0.3, "linear": 1.0}, monkeypatch)
    return found


def networks_of(contest: Contest, mixture: Mixture) -> int:
    """Networks that predict what ships, counted one by one."""
    kinds = {
        (member.kind, member.seed)
        for t, own in enumerate(mixture.weights)
        for contender in contest.networks
        if contender.name in own
        for member, share in zip(contest.trained.members, contest.shares(contender, t), strict=True)
        if share
    }
    return len(kinds)


def test_networks_are_counted_once(contest: Contest) -> None:
    single, joint, groups = contest.networks
    assert [network_count(contest, [own]) for own in (single, joint, groups)] == [6, 2, 6]
    assert network_count(contest, [single, joint]) == 8
    assert network_count(contest, [joint, groups]) == 6  # task 2 is served by the joint network
    assert network_count(contest, [single, joint, groups]) == 12
    assert network_count(contest, []) == 0


def test_by_default_the_best_mixture_of_all(contest: Contest) -> None:
    found = what_ships(contest, SMALL)
    assert found == mix(contest.context.tasks, *contest.out_of_fold(), SMALL.seed)
    assert max(found.mean_weights(), key=lambda name: found.mean_weights()[name]) == "single"
    assert set(found.scores[0]) == {"single", "joint", "groups", "linear"}


@pytest.mark.parametrize("name", ["single", "joint", "groups", "linear"])
def test_one_contender_ships_if_asked(contest: Contest, name: str) -> None:
    found = what_ships(contest, replace(SMALL, ship=name))
    assert found.weights == ({name: 1.0},) * 3
    assert found.decided == name
    scores = [own[name] for own in found.scores]
    assert found.expected == pytest.approx(scores)


@pytest.mark.parametrize(
    ("most", "names"),
    [
        (0, {"linear"}),
        (1, {"linear"}),
        (2, {"joint", "linear"}),
        (5, {"joint", "linear"}),
        (6, {"single"}),
        (7, {"single"}),
    ],
)
def test_the_best_of_so_many_networks(contest: Contest, most: int, names: set[str]) -> None:
    """Joint networks are 2; 6 are the singles, of errors .1, or the groups, of .3, with joint for free."""
    found = what_ships(contest, replace(SMALL, max_models=most))
    assert {name for own in found.weights for name in own} == names


def test_more_networks_are_never_worse_and_never_too_many(contest: Contest) -> None:
    found = [what_ships(contest, replace(SMALL, max_models=most)) for most in range(14)]
    assert all(networks_of(contest, own) <= most for most, own in enumerate(found))
    expected = [round(float(finite_mean(np.array(own.expected))), 9) for own in found]
    assert expected == sorted(expected)
    assert found[13] == found[12]
    assert expected[12] >= round(float(np.mean(what_ships(contest, SMALL).expected)), 9)


def test_what_is_equally_good_ships_with_all_that_may(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first set of equals, so that a run without a limit and one with a wide limit ship the same."""
    decided(contest, dict.fromkeys(("single", "joint", "groups", "linear"), 0.0), monkeypatch)
    found = what_ships(contest, replace(SMALL, max_models=12))
    assert found == what_ships(contest, SMALL)
    assert found.weights == ({"single": 1.0},) * 3  # the others are its twins


def test_a_contender_without_an_answer_cannot_ship_alone(
    contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    contest.context = replace(contest.context, alone=1)
    decided(contest, {"single": 0.1, "joint": 0.5, "groups": 0.3, "linear": 1.0}, monkeypatch)
    (first,) = contest.context.drawn[:1]
    others = ", ".join(task.name for t, task in enumerate(make_tasks("rrr")) if t != first)
    message = (
        "'single' cannot ship: of so many tasks it was trained for some only, not for "
        f"{others}; raise --budget, or ship 'best'"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        what_ships(contest, replace(SMALL, ship="single"))
    assert "single" in what_ships(contest, SMALL).weights[first]


@pytest.mark.parametrize("most", [2, 4, 6, 12])
def test_few_networks_answer_every_task(
    contest: Contest, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where models and single networks are of some tasks only, no set without joint or groups will do."""
    contest.context = replace(contest.context, alone=1)
    contest.models = {"linear": {0: []}}
    decided(contest, {"single": 0.1, "joint": 0.5, "groups": 0.3, "linear": 0.0}, monkeypatch)
    found = what_ships(contest, replace(SMALL, max_models=most))
    assert networks_of(contest, found) <= most
    assert found.weights[0] == {"linear": 1.0}
    for own in found.weights[1:]:
        assert set(own) & {"joint", "groups"}
        assert sum(own.values()) == pytest.approx(1)


def test_groups_of_one_network_each_are_singles(contest: Contest) -> None:
    alone = Membership(weights=tuple(ONES), shares=tuple(ONES))
    contest.context = replace(contest.context, membership=alone)
    single, _, groups = contest.networks
    assert network_count(contest, [single, groups]) == network_count(contest, [groups]) == 6


@pytest.mark.parametrize("name", ["best", "single", "joint", "groups", "linear"])
def test_known_names_may_ship(name: str) -> None:
    check_shipping(Settings(ship=name), FIELD, make_tasks("rb"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("singel", "did you mean 'single'?"),
        ("bst", "did you mean 'best'?"),
        ("xyz", "there are: best, single, joint, groups, linear"),
    ],
)
def test_unknown_names_are_refused(name: str, hint: str) -> None:
    message = f"there is no contender {name!r} to ship: {hint}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_shipping(Settings(ship=name), FIELD, make_tasks("rb"))


def test_too_few_networks_for_many_tasks_are_refused_before_training() -> None:
    """Forty tasks get models that are no networks; the others need one network from every seed."""
    few = Settings(max_models=4)
    check_shipping(few, FIELD, make_tasks("r" * 40))
    message = (
        "max_models 4 is too few: of 41 tasks only some get models that are no networks, and one "
        "network from each of 5 seeds has to answer the others; give at least 5, or fewer seeds"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_shipping(few, FIELD, make_tasks("r" * 41))
    check_shipping(replace(few, max_models=5), FIELD, make_tasks("r" * 41))
    check_shipping(replace(few, seeds=4), FIELD, make_tasks("r" * 41))
    with pytest.raises(InputError, match=r"max_models is about the best mixture: leave it out, or"):
        check_shipping(replace(few, ship="joint"), FIELD, make_tasks("r" * 41))
    thorough = type("Thorough", (ExtraTrees,), {"name": "mine", "tasks": _all_of_them})()
    check_shipping(few, (*FIELD, thorough), make_tasks("r" * 41))


def test_what_answers_some_tasks_cannot_ship_and_says_so_before_training() -> None:
    check_shipping(Settings(ship="linear"), FIELD, make_tasks("r" * 40))
    check_shipping(Settings(ship="joint"), FIELD, make_tasks("r" * 41))
    with pytest.raises(InputError, match=r"'linear' cannot ship: of 41 tasks it answers some only"):
        check_shipping(Settings(ship="linear"), FIELD, make_tasks("r" * 41))


def _all_of_them(_: object, context: object) -> range:
    return range(len(context.tasks))  # type: ignore[attr-defined]

"""The answer says what the numbers say, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cotrain.grouping import Grouping, Membership
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Interval, TaskResult
from cotrain.run.answer import answer, details, signed
from cotrain.run.evaluation import Evaluation

GAIN = Interval(value=0.03, low=0.01, high=0.05)
UNSURE = Interval(value=0.01, low=-0.01, high=0.03)
LOSS = Interval(value=-0.03, low=-0.05, high=-0.01)
TASK = TaskResult(
    name="a",
    kind="binary",
    metric="ROC AUC",
    train_labels=10,
    test_labels=10,
    served_by="groups",
    blends="joint",
    partners=(),
    valid={},
    test={},
    seed_std={},
    shipped=0.8,
    gain_over_single=GAIN,
    gain_over_joint=UNSURE,
    gain_over_trees=UNSURE,
)

UNMEASURED = Affinity(
    tasks=("a", "b", "c"),
    mean=np.full((3, 3), np.nan),
    standard_error=np.full((3, 3), np.nan),
    first_order=np.full((3, 3), np.nan),
    halves=np.full((2, 3, 3), np.nan),
    probes=0,
    method="lookahead",
)


def proof_of(*served: str, gain: Interval = GAIN, blends: str = "joint") -> Evaluation:
    names = [chr(ord("a") + t) if t < 26 else f"t{t}" for t in range(len(served))]
    tasks = tuple(
        replace(TASK, name=name, served_by=server, blends=blends)
        for name, server in zip(names, served, strict=True)
    )
    overall = {
        "networks - single": gain,
        "shipped - single": UNSURE,
        "shipped - joint": UNSURE,
        "joint - single": LOSS,
    }
    return Evaluation(tasks=tasks, mean_test={"shipped": 0.8125}, overall=overall)


def groups_of(*groups: tuple[int, ...], server: tuple[int, ...]) -> Membership:
    grouping = Grouping(groups=groups, server=server, objective=0.0, bound=0.0, exact=True)
    return Membership.hard(grouping)


PAIRS = groups_of((0, 1), (2, 3), server=(0, 0, 1, 1))
G, S, J, T, B = (
    "groups",
    "single",
    "joint",
    "trees",
    "blend",
)


@pytest.mark.parametrize(
    ("served", "start"),
    [
        (
            (G, G, G, G),
            "Train together {a, b} and {c, d}: +0.030 [+0.010, +0.050] over one network a task",
        ),
        ((G, S, T, T), "Train together {a, b}: +0.030"),
        ((S, T, J, G), "Train together {c, d} and all 4 tasks in one network: +0.030"),
        ((J, J, S, S), "Train together all 4 tasks in one network: +0.030"),
        ((B, S, S, S), "Train together all 4 tasks in one network: +0.030"),
        ((S, S, S, S), "Train no tasks together: on validation the choice was single 4; shipped"),
        ((T, T, S, T), "Train no tasks together: on validation the choice was trees 3, single 1;"),
    ],
)
def test_answer(served: tuple[str, ...], start: str) -> None:
    assert answer(proof_of(*served), PAIRS).startswith(start)


def test_a_blend_counts_as_its_network() -> None:
    found = answer(proof_of(B, B, S, S, blends=G), PAIRS)
    assert found.startswith("Train together {a, b}: +0.030")
    found = answer(proof_of(B, B, B, B, blends=S), PAIRS)
    assert found.startswith("Train no tasks together: on validation the choice was blend 4")


@pytest.mark.parametrize("served", [(S, S, S, S), (T, T, T, T)])
def test_a_joint_network_that_validation_missed_is_named(served: tuple[str, ...]) -> None:
    proof = proof_of(*served, gain=UNSURE)
    plain = answer(proof, PAIRS)
    assert "validation did not show it" not in plain
    missed = replace(proof, overall=proof.overall | {"joint - single": GAIN})
    assert answer(missed, PAIRS) == (
        plain + " On test one joint network was better, +0.030 [+0.010, +0.050]: validation did "
        "not show it."
    )


def test_a_group_of_one_is_not_training_together() -> None:
    alone = groups_of((0,), (1, 2, 3), server=(0, 1, 1, 1))
    assert answer(proof_of(G, S, S, S), alone).startswith("Train no tasks together")
    # A group that serves nobody by choice is not advised either.
    assert answer(proof_of(G, G, S, S), alone).startswith("Train together {b, c, d}:")


@pytest.mark.parametrize(("gain", "unsure"), [(GAIN, False), (UNSURE, True), (LOSS, False)])
def test_doubt_is_in_the_sentence(gain: Interval, unsure: bool) -> None:
    found = answer(proof_of(G, G, G, G, gain=gain), PAIRS)
    assert signed(gain) in found
    assert (signed(gain) + " (not significant)" in found) == unsure
    starts = {GAIN: "Train together", UNSURE: "No gain from training together proven: +0.010"}
    assert found.startswith(starts.get(gain, "Training together lost: -0.030"))


def test_one_task() -> None:
    found = answer(proof_of(T), groups_of((0,), server=(0,)))
    assert found.startswith("One task, nothing to train together: a is served by trees 1; shipped")


def test_many_names_are_cut() -> None:
    found = answer(proof_of(*[G] * 9), groups_of(tuple(range(9)), server=(0,) * 9))
    assert "{a, b, c, d, e, f and 3 more}" in found


def test_details_name_what_lost() -> None:
    proof = proof_of(G, S, G, T)
    worse = [replace(task, gain_over_trees=LOSS) for task in proof.tasks[1:3]]
    tasks = (proof.tasks[0], *worse, replace(proof.tasks[3], gain_over_single=UNSURE))
    found = details(replace(proof, tasks=tasks), UNMEASURED)
    assert found == (
        "Who serves how many tasks: groups 2, single 1, trees 1 (chosen on validation, per task).",
        "shipped - joint: +0.010 [-0.010, +0.030] in mean test score, not significant.",
        "joint - single: -0.030 [-0.050, -0.010] in mean test score.",
        "Gain over single-task not significant for 1 of 4 tasks.",
        "Shipped is significantly worse than trees on: b, c.",
    )


@pytest.mark.parametrize("value", [float("nan")])
def test_an_undefined_gain_is_not_significant(value: float) -> None:
    nothing = Interval(value=value, low=value, high=value)
    found = answer(proof_of(G, G, G, G, gain=nothing), PAIRS)
    assert found.startswith(
        "No gain from training together proven: +nan [+nan, +nan] (not significant)"
    )


def test_details_name_the_strongest_helpers_and_who_helps_nobody() -> None:
    mean = np.array([[np.nan, 0.3, -0.2], [0.1, np.nan, 0.1], [0.0, 0.0, np.nan]])
    measured = replace(UNMEASURED, mean=mean, standard_error=np.full((3, 3), 0.01))
    first, second, *_ = details(proof_of(S, S, S), measured)
    assert first == (
        "Largest transference a step: b helps a (+0.3000 ± 0.0100); "
        "a helps b (+0.1000 ± 0.0100); c helps b (+0.1000 ± 0.0100)."
    )
    assert second == "On average over the other tasks, helps nobody: c."

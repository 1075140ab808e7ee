"""The answer says what the numbers say, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cotrain.contenders import Context, Groups, Joint, Linear, Single
from cotrain.grouping import Grouping, Membership
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Interval, Price, TaskResult
from cotrain.run.answer import answer, details, sentences, signed
from cotrain.run.evaluation import Evaluation
from cotrain.run.mixture import Mixture
from cotrain.tasks import Kind, Task

GAIN = Interval(value=0.03, low=0.01, high=0.05)
UNSURE = Interval(value=0.01, low=-0.01, high=0.03)
LOSS = Interval(value=-0.03, low=-0.05, high=-0.01)
FIELD = (Single(), Joint(), Groups(), Linear())
NAMES = ("single", "joint", "groups", "linear")
TASK = TaskResult(
    name="a",
    kind="binary",
    metric="ROC AUC",
    train_labels=10,
    test_labels=100,
    weights={"joint": 1.0},
    served_by="joint",
    partners=(),
    valid={},
    test=dict.fromkeys(NAMES, 0.8),
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
PRICES = {
    name: Price(models=models, networks=models, parameters=10, milliseconds=1.0)
    for name, models in (
        ("single", 20),
        ("joint", 5),
        ("groups", 10),
        ("linear", 20),
        ("shipped", 25),
    )
}


def evaluated(tasks: int = 4, **overall: Interval) -> Evaluation:
    """Unless told otherwise what ships is significantly above everybody."""
    names = [chr(ord("a") + t) for t in range(tasks)]
    gains = {f"shipped - {name}": GAIN for name in NAMES}
    pairs = {"joint - single": UNSURE, "groups - single": UNSURE}
    given = {key.replace("_", " - "): value for key, value in overall.items()}
    means = dict.fromkeys((*NAMES, "equal parts"), 0.8) | {"shipped": 0.8125}
    return Evaluation(
        tasks=tuple(replace(TASK, name=name) for name in names),
        mean_test=means,
        overall=gains | pairs | given,
    )


def decided(best: str, tasks: int = 4) -> Mixture:
    """A mixture on whose rows one contender was best."""
    scores = dict.fromkeys(NAMES, 0.7) | {best: 0.8}
    return Mixture(
        tasks=tuple(Task(name=str(t), kind=Kind.BINARY, classes=("n", "y")) for t in range(tasks)),
        weights=({"joint": 2 / 3, "linear": 1 / 3},) * tasks,
        scores=(scores,) * tasks,
        expected=(0.8,) * tasks,
        shares=((0.5, 0.5),) * tasks,
        sharpness={},
        reach=0.0,
    )


def context_of(*groups: tuple[int, ...], server: tuple[int, ...]) -> Context:
    grouping = Grouping(groups=groups, server=server, objective=0.0, bound=0.0, exact=True)
    tasks = tuple(Task(name=own, kind=Kind.REGRESSION) for own in "abcdefghi"[: len(server)])
    drawn = tuple(range(len(server)))
    return Context(
        tasks=tasks, drawn=drawn, alone=len(server), membership=Membership.hard(grouping)
    )


PAIRS = context_of((0, 1), (2, 3), server=(0, 0, 1, 1))


def said(best: str, evaluation: Evaluation, context: Context = PAIRS) -> str:
    return answer(evaluation, decided(best, len(context.tasks)), FIELD, context, PRICES)


@pytest.mark.parametrize(
    ("best", "pair", "gain", "start"),
    [
        (
            "joint",
            "joint_single",
            GAIN,
            "Train all 4 tasks together: +0.030 [+0.010, +0.050] ROC AUC over one network each.",
        ),
        (
            "groups",
            "groups_single",
            GAIN,
            "Train together {a, b} and {c, d}: +0.030 [+0.010, +0.050] ROC AUC over one network",
        ),
        (
            "joint",
            "joint_single",
            UNSURE,
            "No gain from training together is proven: +0.010 [-0.010, +0.030] ROC AUC for joint",
        ),
        (
            "joint",
            "joint_single",
            LOSS,
            "Train each task alone: joint lost, -0.030 [-0.050, -0.010] ROC AUC against one network",
        ),
        ("single", "joint_single", GAIN, "Train each task alone: no networks of several tasks did"),
    ],
)
def test_what_to_do(best: str, pair: str, gain: Interval, start: str) -> None:
    assert said(best, evaluated(**{pair: gain})).startswith(start)


@pytest.mark.parametrize(
    ("gain", "judged"),
    [(GAIN, ""), (UNSURE, " (not significant)"), (LOSS, "")],
)
def test_what_ships_is_compared_with_the_best_by_the_rows_that_decide(
    gain: Interval, judged: str
) -> None:
    found = said("linear", evaluated(shipped_linear=gain))
    assert f"Shipped: joint 67 %, linear 33 %; 0.812, {signed(gain)}{judged} over linear." in found


def test_what_ships_alone_is_not_compared_with_itself() -> None:
    same = evaluated(shipped_linear=Interval(value=0.0, low=0.0, high=0.0))
    assert " Shipped: joint 67 %, linear 33 %; 0.812. " in f"{said('linear', same)} "
    assert sentences(same, FIELD)[3] == "linear: 0.800; it ships."


def test_the_cheapest_within_the_noise() -> None:
    assert "cheapest" not in said("joint", evaluated())
    near = evaluated(shipped_groups=UNSURE, shipped_linear=LOSS)
    assert said("joint", near).endswith("Nearly as good and the cheapest: groups (0.800).")
    better = evaluated(shipped_groups=UNSURE, shipped_joint=LOSS)
    assert said("joint", better).endswith("Nearly as good and the cheapest: joint (0.800).")


def test_one_task_has_nothing_to_be_trained_with() -> None:
    one = context_of((0,), server=(0,))
    assert said("linear", evaluated(tasks=1), one).startswith("Shipped: joint 67 %, linear 33 %; ")


def test_many_names_are_cut() -> None:
    nine = context_of(tuple(range(8)), (8,), server=(0,) * 8 + (1,))
    found = said("groups", evaluated(tasks=9, groups_single=GAIN), nine)
    assert found.startswith("Train together {a, b, c, d, e, f and 2 more}")


def test_a_sentence_a_contender() -> None:
    found = sentences(evaluated(shipped_linear=UNSURE), FIELD)
    above = "shipped +0.030 [+0.010, +0.050]."
    assert found == (
        f"single: 0.800; {above}",
        f"joint: 0.800; {above}",
        f"groups: 0.800; {above}",
        "linear: 0.800; shipped +0.010 [-0.010, +0.030] (not significant).",
        "equal parts of all: 0.800.",
    )


def test_a_contender_that_answers_some_tasks_says_which() -> None:
    full = evaluated()
    others = {name: 0.8 for name in NAMES if name != "single"}
    tasks = (full.tasks[0], *(replace(task, test=others) for task in full.tasks[1:]))
    some = replace(full, tasks=tasks, mean_test=full.mean_test | {"single": float("nan")})
    assert sentences(some, FIELD)[0] == (
        "single, on 1 of 4 tasks drawn at random (a): shipped +0.030 [+0.010, +0.050]."
    )


def test_details_name_what_gains_what_loses_and_what_is_too_small() -> None:
    a, b, c, d = evaluated().tasks
    tasks = (
        a,
        replace(b, gain_over_single=LOSS, gain_over_trees=LOSS),
        replace(c, gain_over_single=UNSURE, gain_over_trees=LOSS),
        replace(d, gain_over_single=Interval(value=0.0, low=0.0, high=0.0)),
    )
    # standard error .04 / 3.92 = .0102; 100 · (2.8 · .0102 / .01)² = 816
    assert details(replace(evaluated(), tasks=tasks), None) == (
        "Over one network each, shipped gains on: a.",
        "It loses on: b.",
        "Too small to tell on 2 of 4 tasks; test labels that would tell a gain as large: "
        "c +0.010 (820, has 100).",
        "Shipped is significantly worse than single on: b.",
        "Shipped is significantly worse than trees on: b, c.",
    )


def test_details_name_the_strongest_helpers_and_who_helps_nobody() -> None:
    mean = np.array([[np.nan, 0.3, -0.2], [0.1, np.nan, 0.1], [0.0, 0.0, np.nan]])
    measured = replace(UNMEASURED, mean=mean, standard_error=np.full((3, 3), 0.01))
    *_, strongest, idle = details(evaluated(tasks=3), measured)
    assert strongest == (
        "Largest transference a step: b helps a (+0.3000 ± 0.0100); "
        "a helps b (+0.1000 ± 0.0100); c helps b (+0.1000 ± 0.0100)."
    )
    assert idle == "On average over the other tasks, helps nobody: c."
    assert details(evaluated(tasks=3), UNMEASURED) == (
        "Over one network each, shipped gains on: a, b, c.",
    )

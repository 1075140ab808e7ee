"""The numbers of a study of scale on scores whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from unit.studies.scale.planted import SIZE, PlantedScale

from cotrain.studies.findings import Verdict
from cotrain.studies.scale.estimates import numbers_and_draws
from cotrain.studies.scale.families import groups_of
from cotrain.studies.scale.result import ScaleStudy
from cotrain.studies.scale.scores import BY_VALIDATION, ScaleScores, collect
from cotrain.studies.scale.sets import ScaleGrid, ScalePlan, plan_sets
from cotrain.studies.scale.study import make_study
from cotrain.tasks import Kind, Task

SOURCES, TARGETS = range(16), range(16, 24)
GRID = ScaleGrid(draws=6)
NAMES = [f"s{s}" for s in SOURCES]
GROUPS = groups_of(NAMES, {name: "abcd"[s % 4] for s, name in enumerate(NAMES)})
TASKS = [Task(name=f"t{t}", kind=Kind.BINARY, classes=("no", "yes")) for t in (*SOURCES, *TARGETS)]
CONFIRMED, REFUTED, UNDECIDED = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.UNDECIDED


def plan() -> ScalePlan:
    return plan_sets(SOURCES, [SIZE] * 16, GROUPS, GRID)


def scores(trainer: PlantedScale, *, named: bool = True, targets: range = TARGETS) -> ScaleScores:
    family = [t % 4 if named else BY_VALIDATION for t in targets]
    return collect(trainer, TASKS, targets, family, plan())


def study(trainer: PlantedScale, **options: bool) -> ScaleStudy:
    found = scores(trainer, **options)
    return make_study(found, plan(), GROUPS, NAMES, GRID, title="planted")


def verdicts(found: ScaleStudy) -> list[Verdict]:
    return [finding.verdict for finding in found.findings]


def test_every_finding_planted() -> None:
    trainer = PlantedScale(by_tasks=0.01, relatedness=0.05, calming=0.5)
    found = study(trainer)
    assert verdicts(found) == [CONFIRMED] * 5
    # related sources: log2(4) * .01 + .05; all: log2(16) * .01 + .05 / 4; others: .02 - .05
    numbers = found.estimates
    assert numbers.related_gain.value == pytest.approx(0.07, abs=0.005)
    assert numbers.all_gain.value == pytest.approx(0.0525, abs=0.005)
    assert numbers.mismatch_gain.value == pytest.approx(-0.03, abs=0.005)
    assert numbers.mismatch_gap.value == pytest.approx(-0.10, abs=0.005)
    assert numbers.related_cost.value == 0.25
    assert numbers.spread_ratio.value == pytest.approx(2 ** (-0.5 * np.log2(17)), rel=0.3)


def test_every_finding_turned_round() -> None:
    trainer = PlantedScale(by_tasks=-0.02, by_examples=0.07, relatedness=-0.05, calming=-0.4)
    assert verdicts(study(trainer)) == [CONFIRMED, REFUTED, REFUTED, REFUTED, REFUTED]


def test_nothing_planted_nothing_found() -> None:
    found = study(PlantedScale(noise=0.003))
    assert verdicts(found) == [UNDECIDED, UNDECIDED, CONFIRMED, UNDECIDED, UNDECIDED]
    assert abs(found.estimates.trend.value) < 0.001  # a quarter of the cost at the same score


def test_more_examples_are_not_more_tasks() -> None:
    found = study(PlantedScale(by_examples=0.01, noise=0.003)).estimates
    assert found.trend.value == pytest.approx(0.01, abs=0.001)
    assert found.trend_fixed.value == pytest.approx(0, abs=0.001)
    assert found.trend.low > 0.008
    assert found.trend_fixed.low < 0 < found.trend_fixed.high


def test_the_related_group_is_found_on_validation() -> None:
    trainer = PlantedScale(relatedness=0.05)
    found = study(trainer, named=False)
    assert found.related == tuple("abcd"[t % 4] for t in TARGETS)
    assert found.by_name == (False,) * 8
    assert found.estimates.related_gain.value == pytest.approx(0.05, abs=0.005)


def test_test_scores_come_after_everything_else() -> None:
    trainer = PlantedScale()
    scores(trainer, targets=range(16, 18))
    assert trainer.said == ["pretrain", "finetune 16", "finetune 17", "test 16", "test 17"]


def test_few_targets_are_not_redrawn() -> None:
    trainer = PlantedScale(noise=1e-9)
    few = numbers_and_draws(scores(trainer, targets=range(16, 20)), seed=0)
    many = numbers_and_draws(scores(trainer), seed=0)
    assert np.ptp(few["score"]) < 1e-6 < 1e-3 < np.ptp(many["score"][:, 0])
    assert np.ptp(many["all_gain"]) < 1e-6  # targets differ in level only, and it cancels


def test_two_seeds_of_few_targets_give_no_intervals() -> None:
    trainer = PlantedScale(by_tasks=0.01, relatedness=0.05, calming=0.5, seeds=2)
    few = make_study(scores(trainer, targets=range(16, 18)), plan(), GROUPS, NAMES, GRID, title="p")
    assert verdicts(few) == [UNDECIDED] * 5
    numbers = few.estimates
    assert numbers.trend.value > 0.005
    assert np.isnan([numbers.trend.low, numbers.spread_ratio.high, numbers.by_size[0].low]).all()
    assert (
        "2 seeds of so few targets give no intervals, so nothing is decided: use --seeds 3"
        in str(few)
    )
    assert " (no interval), than none by " in " ".join(str(few).split())
    pages = "".join(section.text for section in few.sections())
    assert "nan" not in pages + str(few)
    assert "–" not in pages


def test_a_seed_drawn_alone_has_no_spread() -> None:
    drawn = numbers_and_draws(scores(PlantedScale(seeds=2)), seed=0)["spread_none"]
    alone = np.isnan(drawn)
    assert 0.4 < alone.mean() < 0.6
    assert drawn[~alone].min() > 0.001


def test_the_order_of_targets_does_not_matter() -> None:
    found = scores(PlantedScale(relatedness=0.05))
    turned = replace(
        found,
        targets=found.targets[::-1],
        family=found.family[::-1],
        valid=found.valid[:, ::-1],
        test=found.test[:, ::-1],
    )
    expected = numbers_and_draws(found, seed=0)
    for name, own in numbers_and_draws(turned, seed=0).items():
        np.testing.assert_allclose(own[0], expected[name][0])


def test_words_and_pictures() -> None:
    found = study(PlantedScale(by_tasks=0.01, relatedness=0.05, calming=0.5))
    text = str(found)
    assert "16 sources in 4 groups" in text
    assert "CONFIRMED here: a small related set is competitive at lower cost" in text
    assert "takes 25 % of" in text
    assert max(map(len, text.splitlines())) <= 110
    by_size, by_cost, by_target, spread = found.sections()
    assert len(by_size.drawing["data"]) == 3
    assert by_size.drawing["data"][0]["x"] == [1, 2, 4, 8, 16]
    assert len(by_cost.drawing["data"][0]["x"]) == 16  # none and 15 unions
    assert "epoch of 2,560 rows in 2.6 s, 25.6 k examples in 26 s" in by_cost.text
    assert "t16                            none 0.700, all +0.045, a +0.065" in by_target.text
    assert "chosen on validation" not in by_target.text
    assert "no sources" in spread.drawing["data"][1]["name"]

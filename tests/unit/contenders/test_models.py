"""What every contender of models keeps: the laws of folds, of missing labels, of the order of tasks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cuts import cuts_of, other_labels
from tiny import make_data, make_development, only_tasks

from cotrain.arrays import Array
from cotrain.baselines.boosted import LightGBMTrees
from cotrain.contenders import ExtraTrees, Linear, ModelContender, Trees
from cotrain.contenders.base import one_cut
from cotrain.data.dataset import Development, TaskData
from cotrain.run.predictor import STANDARD

CONTENDERS = (Trees(), Trees(learner=LightGBMTrees()), Linear(), ExtraTrees())
KINDS = "bmr"
FOLDS = 3


@pytest.fixture(params=CONTENDERS, ids=lambda own: own.label)
def contender(request: pytest.FixtureRequest) -> ModelContender:
    found: ModelContender = request.param
    if found.label == "trees (LightGBM)":
        pytest.importorskip("lightgbm")
    return found


def predictions(own: ModelContender, cuts: list[Development], tasks: int = 3) -> list[list[Array]]:
    """``[T][S]`` predictions of the rows that each model leaves out."""
    return [
        [
            own.predict(cuts[0].tasks[t], model, cut.valid)
            for model, cut in zip(own.fit(cuts, t, tried=1), cuts, strict=True)
        ]
        for t in range(tasks)
    ]


def test_labels_of_a_fold_change_no_prediction_of_it(contender: ModelContender) -> None:
    data = make_data(KINDS, rows=120, missing=0.2)
    before = predictions(contender, cuts_of(data, FOLDS))
    for s in range(FOLDS):
        after = predictions(contender, cuts_of(other_labels(data, slice(s, None, FOLDS)), FOLDS))
        for t in range(len(KINDS)):
            np.testing.assert_array_equal(after[t][s], before[t][s])
            assert not np.allclose(after[t][s - 1], before[t][s - 1])


def test_values_under_missing_labels_change_nothing(contender: ModelContender) -> None:
    data = make_data(KINDS, rows=60)
    noise = torch.where(data.mask, data.targets, torch.ones_like(data.targets))
    changed = replace(data, targets=noise)
    for a, b in zip(
        predictions(contender, cuts_of(data, FOLDS)),
        predictions(contender, cuts_of(changed, FOLDS)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_the_order_of_tasks_does_not_matter(contender: ModelContender) -> None:
    development = make_development(KINDS, rows=60, missing=0.2)
    order = [2, 0, 1]
    found = predictions(contender, [development] * 2)
    turned = predictions(contender, [only_tasks(development, order)] * 2)
    for at, t in enumerate(order):
        np.testing.assert_array_equal(turned[at], found[t])


def test_other_tasks_do_not_matter(contender: ModelContender) -> None:
    development = make_development("rrb", rows=60, missing=0.0)
    found = predictions(contender, [development])
    for t in range(3):
        (alone,) = predictions(contender, [only_tasks(development, [t])], tasks=1)
        np.testing.assert_allclose(alone, found[t], atol=1e-10)


def test_round_trip_to_the_bit(contender: ModelContender, tmp_path: Path) -> None:
    cuts = cuts_of(make_data(KINDS, rows=60), FOLDS)
    for t, task in enumerate(cuts[0].tasks):
        models = contender.fit(cuts, t, tried=1)
        contender.save(models, tmp_path / "x")
        again = contender.load(tmp_path / "x")
        assert len(again) == FOLDS
        for one, other, cut in zip(models, again, cuts, strict=True):
            np.testing.assert_array_equal(
                contender.predict(task, one, cut.valid), contender.predict(task, other, cut.valid)
            )


def test_a_fold_with_all_of_a_class(contender: ModelContender) -> None:
    data = make_data("b", rows=60, missing=0.0)
    fold = torch.arange(60)[:, None] % FOLDS
    (found,) = predictions(
        contender, cuts_of(replace(data, targets=(fold == 0).float()), FOLDS), tasks=1
    )
    assert all(np.isfinite(own).all() for own in found)
    np.testing.assert_allclose(found[0], 0.0, atol=1e-9)  # it has seen no positive


def test_what_is_one_cut() -> None:
    development = make_development("b")
    assert one_cut([development] * 3)
    assert not one_cut(cuts_of(development.train, 3))


def test_linear_keeps_nothing_after_the_last_task() -> None:
    own, cuts = Linear(), cuts_of(make_data("rr", missing=0.0), FOLDS)
    first = own.fit(cuts, 0, tried=1)
    assert len(own._prepared) == FOLDS
    own.fit(cuts, 1, tried=1)
    assert own._prepared == []
    assert own == Linear()
    same = own.fit([cuts[0]] * 2, 0, tried=1)
    assert same[0] is same[1]
    np.testing.assert_array_equal(same[0].weights, first[0].weights)


def test_extra_trees_of_one_cut_differ_by_seed() -> None:
    data: TaskData = make_data("r", missing=0.0)
    cut = Development(train=data, valid=data)
    ((a, b),) = predictions(ExtraTrees(), [cut, cut], tasks=1)
    assert not np.array_equal(a, b)


def test_a_saved_run_knows_them() -> None:
    assert {own.label for own in STANDARD} >= {own.label for own in CONTENDERS}

"""Cross-fitted boosted trees: rounds come from other folds, by hand and by the law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cotrain.arrays import Array
from cotrain.baselines.boosted import HistTrees, LightGBMTrees, TreeData, TreeLearner
from cotrain.baselines.folds import fit_folds, stopping_rows
from cotrain.tasks import Kind, Task

LEARNERS: list[TreeLearner] = [HistTrees(), LightGBMTrees()]
IDS = ["hist", "lightgbm"]
NUMBER = Task(name="r", kind=Kind.REGRESSION)
THREE = Task(name="m", kind=Kind.MULTICLASS, classes=("x", "y", "z"))


@pytest.fixture(autouse=True)
def _has_lightgbm(request: pytest.FixtureRequest) -> None:
    named = "learner" in request.fixturenames
    if named and isinstance(request.getfixturevalue("learner"), LightGBMTrees):
        pytest.importorskip("lightgbm")


def rows_of(rows: int = 160) -> tuple[Array, Array]:
    rng = np.random.default_rng(3)
    columns = rng.normal(size=(rows, 3))
    return columns, columns[:, 0] + 0.5 * columns[:, 1] ** 2 + 0.3 * rng.normal(size=rows)


def folds_of(columns: Array, labels: Array, folds: int, task: Task = NUMBER) -> list[TreeData]:
    at = np.arange(len(labels)) % folds
    return [
        TreeData(
            task=task,
            columns=columns[at != s],
            labels=labels[at != s],
            valid_columns=columns[at == s],
            valid_labels=labels[at == s],
            categorical=np.zeros(columns.shape[1], dtype=bool),
        )
        for s in range(folds)
    ]


def predictions(learner: TreeLearner, folds: list[TreeData]) -> list[Array]:
    models = fit_folds(learner, folds, candidates=1)
    return [
        learner.predict(own.task, m, own.valid_columns)
        for own, m in zip(folds, models, strict=True)
    ]


@pytest.mark.parametrize("folds", [2, 3, 5])
@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_labels_of_a_fold_change_no_prediction_of_it(learner: TreeLearner, folds: int) -> None:
    columns, labels = rows_of()
    before = predictions(learner, folds_of(columns, labels, folds))
    for s in range(folds):
        changed = np.where(np.arange(len(labels)) % folds == s, -3 * labels + 1, labels)
        after = predictions(learner, folds_of(columns, changed, folds))
        np.testing.assert_array_equal(after[s], before[s])
        assert not np.allclose(after[(s + 1) % folds], before[(s + 1) % folds])


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_rounds_are_the_mean_of_two_other_folds(learner: TreeLearner) -> None:
    columns, labels = rows_of()
    folds, at = folds_of(columns, labels, 4), np.arange(len(labels)) % 4
    best = []
    for stop in (2, 3):
        train = [n for other in (2, 3, 0) if other != stop for n in np.flatnonzero(at == other)]
        data = replace(
            folds[1],
            columns=columns[train],
            labels=labels[train],
            valid_columns=columns[at == stop],
            valid_labels=labels[at == stop],
        )
        best.append(learner.rounds(learner.fit(data, learner.candidates[0], 1)))
    expected = learner.fit(folds[1], learner.candidates[0], 1, round(sum(best) / 2))
    np.testing.assert_array_equal(
        predictions(learner, folds)[1],
        learner.predict(NUMBER, expected, folds[1].valid_columns),
    )


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_so_many_rounds_without_looking_at_validation_rows(learner: TreeLearner) -> None:
    columns, labels = rows_of()
    data = folds_of(columns, labels, 4)[0]
    without = replace(data, valid_labels=data.valid_labels * 0)
    seven, same = (learner.fit(own, learner.candidates[0], 0, 7) for own in (data, without))
    count = seven.n_iter_ if isinstance(learner, HistTrees) else seven.num_trees()
    assert count == 7
    np.testing.assert_array_equal(
        *(learner.predict(NUMBER, model, columns) for model in (seven, same))
    )


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_the_best_round_is_that_of_the_least_error(learner: TreeLearner) -> None:
    columns, labels = rows_of()
    data = folds_of(columns, labels, 4)[0]
    stopped = learner.fit(data, learner.candidates[0], 0)
    best = learner.rounds(stopped)

    def error(rounds: int) -> float:
        model = learner.fit(data, learner.candidates[0], 0, rounds)
        found = learner.predict(NUMBER, model, data.valid_columns)
        return float(np.mean((found - data.valid_labels) ** 2))

    assert error(best) <= min(error(best + d) for d in (-8, -1, 1, 8) if best + d > 0) + 1e-12


def test_fold_0_chooses_the_setting() -> None:
    columns, labels = rows_of()
    good = HistTrees.candidates[0]
    learner = HistTrees(candidates=(good | {"learning_rate": 1e-6}, good))
    found = fit_folds(learner, folds_of(columns, labels, 3), candidates=2)
    assert [model.learning_rate for model in found] == [good["learning_rate"]] * 3


def test_folds_without_labels_stop_nothing() -> None:
    columns, labels = rows_of(40)
    known = np.arange(40) % 4 != 2
    first, second, last = folds_of(columns[known], labels[known], 3)
    none = replace(first, columns=columns[known], labels=labels[known])
    none = replace(none, valid_columns=columns[:0], valid_labels=labels[:0])
    folds = [first, second, none, last]
    (one, two) = stopping_rows(folds, 1)
    np.testing.assert_array_equal(one.valid_labels, folds[3].valid_labels)
    np.testing.assert_array_equal(one.labels, folds[0].valid_labels)
    np.testing.assert_array_equal(two.valid_labels, folds[0].valid_labels)
    (own,) = stopping_rows(folds[:2], 0)
    assert (len(own.labels), len(own.valid_labels)) == (15, 5)  # every fourth of 20


@pytest.mark.parametrize("learner", LEARNERS, ids=IDS)
def test_rare_classes_in_folds(learner: TreeLearner) -> None:
    columns, _ = rows_of(60)
    labels = np.where(np.arange(60) % 3 == 0, 2.0, 0.0)  # fold 0 has all of a class, and only it
    found = predictions(learner, folds_of(columns, labels, 3, THREE))
    for own in found:
        assert own.shape == (20, 3)
        np.testing.assert_allclose(own.sum(axis=1), 1)
    assert found[0][:, 0].min() > 0.99  # it knows of no other

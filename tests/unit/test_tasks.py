"""Metrics against scikit-learn, and where they are not defined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from tiny import make_tasks

from cotrain.tasks import Task, output_slices, score

BINARY, CLASSES, VALUE = make_tasks("bmr")
TIED = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(-5, 5))
ROWS = st.integers(2, 40)


@settings(deadline=None)
@given(
    ROWS.flatmap(
        lambda n: st.tuples(
            st.lists(TIED, min_size=n, max_size=n),
            st.lists(st.integers(0, 1), min_size=n, max_size=n),
        )
    )
)
def test_roc_auc_is_sklearn(pair: tuple[list[float], list[int]]) -> None:
    prediction, target = np.array(pair[0]), np.array(pair[1], dtype=float)
    found = score(BINARY, prediction, target)
    if len(set(pair[1])) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(roc_auc_score(target, prediction), abs=1e-12)
        assert score(BINARY, -prediction, target) == pytest.approx(1 - found, abs=1e-12)
        assert score(BINARY, -prediction, 1 - target) == pytest.approx(found, abs=1e-12)


@settings(deadline=None)
@given(
    ROWS.flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, 2), min_size=n, max_size=n),
            st.lists(st.integers(0, 2), min_size=n, max_size=n),
        )
    )
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_balanced_accuracy_is_sklearn(pair: tuple[list[int], list[int]]) -> None:
    predicted, target = np.array(pair[0]), np.array(pair[1], dtype=float)
    found = score(CLASSES, np.eye(3)[predicted], target)
    if len(set(pair[1])) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(balanced_accuracy_score(target, predicted), abs=1e-12)


@settings(deadline=None)
@given(
    ROWS.flatmap(
        lambda n: st.tuples(
            st.lists(st.floats(-9, 9), min_size=n, max_size=n),
            st.lists(st.integers(-9, 9), min_size=n, max_size=n),
        )
    )
)
def test_r_squared_is_sklearn(pair: tuple[list[float], list[int]]) -> None:
    prediction, target = np.array(pair[0]), np.array(pair[1], dtype=float)
    found = score(VALUE, prediction, target)
    if len(set(pair[1])) < 2:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(r2_score(target, prediction), rel=1e-9, abs=1e-9)


def test_levels_of_an_uninformed_guess() -> None:
    target = np.tile([0.0, 1.0, 2.0], 10)
    assert score(BINARY, np.full(20, 0.3), np.tile([0.0, 1.0], 10)) == 0.5
    assert score(CLASSES, np.tile([0.2, 0.5, 0.3], (30, 1)), target) == pytest.approx(1 / 3)
    assert score(VALUE, np.full(30, target.mean()), target) == pytest.approx(0)


@pytest.mark.parametrize("task", [BINARY, CLASSES, VALUE])
def test_no_rows_no_score(task: Task) -> None:
    empty: NDArray[np.float64] = np.zeros((0, 3)) if task is CLASSES else np.zeros(0)
    assert np.isnan(score(task, empty, np.zeros(0)))


@pytest.mark.parametrize("value", [0.1, 1e-9, 12345.678])
def test_a_constant_value_has_no_r_squared(value: float) -> None:
    assert np.isnan(score(VALUE, np.linspace(0, 1, 7), np.full(7, value)))


def test_perfect_predictions() -> None:
    target = np.array([0.0, 1.0, 2.0, 1.0])
    assert score(VALUE, target, target) == 1
    assert score(CLASSES, np.eye(3)[target.astype(int)], target) == 1
    assert score(BINARY, target, (target > 0).astype(float)) == 1


def test_outputs_and_slices() -> None:
    assert [task.outputs for task in (BINARY, CLASSES, VALUE)] == [1, 3, 1]
    slices = output_slices((BINARY, CLASSES, VALUE, CLASSES))
    assert [(s.start, s.stop) for s in slices] == [(0, 1), (1, 4), (4, 5), (5, 8)]
    names = [task.metric_name for task in (BINARY, CLASSES, VALUE)]
    assert names == ["ROC AUC", "balanced accuracy", "R²"]

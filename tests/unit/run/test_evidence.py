"""Probabilities as evidence: by hand, back again, and what sharpness and weights they get."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cotrain.run.evidence import (
    DOUBT,
    evidence,
    probabilities,
    residuals_of,
    shares_of,
    sharpness_of,
    worth,
)
from cotrain.tasks import Kind, Task

BINARY = Task(name="b", kind=Kind.BINARY, classes=("no", "yes"))
THREE = Task(name="m", kind=Kind.MULTICLASS, classes=("x", "y", "z"))
NUMBER = Task(name="r", kind=Kind.REGRESSION)
RARE = np.array([0.9, 0.1])


def test_the_share_itself_is_no_evidence() -> None:
    for shares in (RARE, np.array([0.2, 0.3, 0.5])):
        prediction = shares[1:2] if len(shares) == 2 else shares[None]
        found = evidence(prediction, shares, 1.7)
        np.testing.assert_allclose(found, 1 / len(shares))
        np.testing.assert_allclose(probabilities(found, shares), prediction)


def test_by_hand() -> None:
    """p = .5 of a class of share .1: doubted .48, odds .48/.1 against .52/.9, so 4.8 / (4.8 + .5778)."""
    assert DOUBT == 0.05
    (found,) = evidence(np.array([0.5]), RARE, 1.0)
    assert found == pytest.approx(4.8 / (4.8 + 0.52 / 0.9))
    (back,) = probabilities(np.array([found]), RARE)
    assert back == pytest.approx(0.48)


def test_order_is_kept_and_certainty_is_finite() -> None:
    prediction = np.random.default_rng(0).random(200)
    prediction[:2] = 0.0, 1.0
    truth = np.random.default_rng(1).integers(0, 2, 200)
    for sharpness in (0.1, 1.0, 4.0):
        found = probabilities(evidence(prediction, RARE, sharpness), RARE)
        assert 0 < found.min() < found.max() < 1
        assert roc_auc_score(truth, found) == roc_auc_score(truth, prediction)


def test_both_forms_of_two_classes_agree() -> None:
    prediction = np.random.default_rng(0).random(50)
    both = np.stack([1 - prediction, prediction], axis=1)
    for function in (lambda p: evidence(p, RARE, 0.6), lambda p: probabilities(p, RARE)):
        np.testing.assert_allclose(function(prediction), function(both)[:, 1])
        np.testing.assert_allclose(function(both).sum(axis=1), 1)


def test_values_stay() -> None:
    values, none = np.array([-3.0, 7.0]), np.zeros(0)
    assert evidence(values, none, 0.2) is values
    assert probabilities(values, none) is values


def test_shares_are_smoothed() -> None:
    assert shares_of(BINARY, (np.arange(8), np.zeros(8))).tolist() == [0.9, 0.1]
    labels = np.array([0.0, 0, 0, 2])
    assert shares_of(THREE, (np.arange(4), labels)).tolist() == [4 / 7, 1 / 7, 2 / 7]
    assert shares_of(NUMBER, (np.arange(4), labels)).tolist() == []


@pytest.mark.parametrize("factor", [0.4, 1.0, 3.0])
def test_sharpness_undoes_what_was_too_sure(factor: float) -> None:
    """Log-odds that are ``factor`` times the true ones get sharpness 1 / ``factor``, nearly."""
    rng = np.random.default_rng(0)
    odds = 0.5 * rng.normal(size=20_000)
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    prediction = 1 / (1 + np.exp(-factor * odds))
    labels = (np.arange(20_000), truth)
    shares = [shares_of(BINARY, labels)]
    found = sharpness_of("a", [BINARY], [{"a": prediction}], [labels], shares)
    doubted = (1 - DOUBT) * prediction + DOUBT / 2  # which flattens, and sharpness makes up for it
    slope = np.polyfit(odds, np.log(doubted / (1 - doubted)), 1)[0]
    assert found == pytest.approx(1 / slope, rel=0.08)
    assert sharpness_of("a", [NUMBER], [{"a": prediction}], [labels], [np.zeros(0)]) == 1.0


def test_classes_count_alike() -> None:
    """Nine of ten rows are of class 0: saying nothing costs 1, saying 0 everywhere costs more."""
    labels = (np.arange(100), (np.arange(100) % 10 == 0).astype(float))
    shares = np.array([0.9, 0.1])

    def loss(prediction: float) -> float:
        found = residuals_of(np.full(100, prediction), labels, shares)
        return float(np.sum(found**2) / 100)

    assert loss(0.5) == pytest.approx(1)
    assert loss(0.0) == pytest.approx(2)  # all of one class wrong: half of the weight, twice as far
    assert loss(1.0) == pytest.approx(2)
    three = (np.arange(6), np.arange(6) % 3.0)
    third = residuals_of(np.full((6, 3), 1 / 3), three, np.full(3, 1 / 3))
    assert np.sum(third**2) / 6 == pytest.approx(1)
    values = residuals_of(np.zeros(2), (np.arange(2), np.array([-3.0, 3.0])), np.zeros(0))
    assert values.tolist() == [-1, 1]


def test_rare_classes_make_labels_worth_less() -> None:
    """Of 100 labels with 4 positives, as much as of 2 · 2 / (1/4 + 1/96) = 15.36 in equal classes."""
    assert 100 * worth(np.array([0.96, 0.04])) == pytest.approx(15.36)
    assert worth(np.full(4, 0.25)) == 1
    assert worth(np.zeros(0)) == 1

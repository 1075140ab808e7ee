"""What ships: weights on the simplex, by hand, drawn together where labels are few, and never twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import make_tasks

from cotrain.arrays import Array
from cotrain.run.mixture import SMALLEST, Mixture, in_words, mix
from cotrain.stats import Labels, draw_rows, redraw
from cotrain.tasks import score

ALL = ("single", "joint", "trees")


def numbers(
    noise: list[dict[str, float]], rows: int, seed: int = 0
) -> tuple[list[dict[str, Array]], list[Labels]]:
    """Tasks of unit variance whose contenders err independently by so much."""
    rng = np.random.default_rng(seed)
    predictions, labels = [], []
    for own in noise:
        y = rng.normal(size=rows)
        labels.append((np.arange(rows), y))
        predictions.append({c: y + s * rng.normal(size=rows) for c, s in own.items()})
    return predictions, labels


def mixed(noise: list[dict[str, float]], rows: int, seed: int = 0, **options: object) -> Mixture:
    predictions, labels = numbers(noise, rows, seed)
    return mix(make_tasks("r" * len(noise)), predictions, labels, seed, **options)  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(4, 60), st.sampled_from("brm"))
def test_weights_are_on_the_simplex_and_not_small(
    seed: int, tasks: int, rows: int, kind: str
) -> None:
    rng = np.random.default_rng(seed)
    of = make_tasks(kind * tasks)
    predictions, labels = [], []
    for _ in of:
        p = {c: rng.dirichlet(np.ones(3), rows) for c in ALL}
        p = p if kind == "m" else {c: own[:, 0] for c, own in p.items()}
        predictions.append(p)
        y = rng.normal(size=rows) if kind == "r" else rng.integers(0, 2, rows)
        known = np.flatnonzero(rng.random(rows) < 0.8)
        labels.append((known, y[known].astype(float)))
    found = mix(of, predictions, labels, seed)
    for t, own in enumerate(found.weights):
        assert sum(own.values()) == pytest.approx(1)
        assert min(own.values()) >= SMALLEST
        assert list(own.values()) == sorted(own.values(), reverse=True)
        shipped = found.predict(t, predictions[t])
        assert np.isfinite(shipped).all()
        if kind == "m":
            np.testing.assert_allclose(shipped.sum(axis=1), 1)


def test_independent_errors_are_weighted_by_their_precision() -> None:
    """Variances 1 and 3: the best weights are 3/4 and 1/4, and R² is 1 − 3/4."""
    found = mixed([{"a": 1.0, "b": 3**0.5}], rows=20_000)
    assert found.weights[0]["a"] == pytest.approx(0.75, abs=0.02)
    assert found.expected[0] == pytest.approx(1 - 0.75, abs=0.02)
    assert found.scores[0]["a"] == pytest.approx(0, abs=0.04)


def test_a_contender_that_is_right_gets_everything() -> None:
    found = mixed([{"single": 2.0, "joint": 0.01, "trees": 2.0}], rows=400)
    assert found.weights == ({"joint": 1.0},)
    assert found.decided == "joint"


def test_errors_that_cancel_are_mixed() -> None:
    rng = np.random.default_rng(0)
    y, error = rng.normal(size=(2, 300))
    labels = [(np.arange(300), y)]
    found = mix(make_tasks("r"), [{"single": y + error, "trees": y - error}], labels, 0)
    assert found.weights[0] == pytest.approx({"single": 0.5, "trees": 0.5}, abs=1e-6)
    assert found.expected[0] == pytest.approx(1)


def test_few_labels_give_equal_parts_and_many_their_own() -> None:
    """Ten tasks, each with a favourite of its own: ten rows cannot tell, a thousand do."""
    noise = [{c: 0.6 if at % 3 == place else 0.9 for place, c in enumerate(ALL)} for at in range(9)]
    few, many = mixed(noise, rows=8), mixed(noise, rows=1000)
    assert few.reach < many.reach
    spread = [max(own.values()) - 1 / 3 for own in few.weights]
    assert max(spread) < 0.1
    for at, own in enumerate(many.weights):
        assert max(own, key=lambda c: own[c]) == ALL[at % 3]
        assert own[ALL[at % 3]] == pytest.approx(0.81 / (0.81 + 2 * 0.36), abs=0.12)


def test_a_task_without_labels_has_the_common_weights() -> None:
    noise = [{"single": 2.0, "joint": 0.5, "trees": 0.5}] * 3
    predictions, labels = numbers(noise, rows=500)
    labels[1] = (labels[1][0][:0], labels[1][1][:0])
    found = mix(make_tasks("rrr"), predictions, labels, 0)
    assert found.weights[1] == pytest.approx({"joint": 0.5, "trees": 0.5}, abs=0.06)
    assert np.isnan(found.expected[1])


def test_twins_count_once() -> None:
    predictions, labels = numbers([{"single": 0.5, "trees": 0.5}], rows=10)
    predictions[0] = {"single": predictions[0]["single"], "joint": predictions[0]["single"]} | {
        "trees": predictions[0]["trees"]
    }
    found = mix(make_tasks("r"), predictions, labels, 0)
    assert set(found.weights[0]) == {"single", "trees"}
    assert set(found.scores[0]) == {"single", "joint", "trees"}


def test_only_some_may_ship() -> None:
    noise = [{"single": 2.0, "joint": 0.01, "trees": 1.0}]
    found = mixed(noise, rows=100, among=("trees",))
    assert found.weights == ({"trees": 1.0},)
    assert found.scores[0]["joint"] > 0.99


def test_tasks_that_a_contender_does_not_answer() -> None:
    predictions, labels = numbers([{"joint": 1.0, "trees": 0.2}] * 4, rows=300)
    for own in predictions[:2]:
        own["single"] = own["trees"] + 0.001
    found = mix(make_tasks("rrrr"), predictions, labels, 0)
    assert ["single" in own for own in found.scores] == [True, True, False, False]
    for t, own in enumerate(found.weights):
        assert set(own) <= set(predictions[t])
        assert found.expected[t] > 0.9


def test_the_order_of_the_contenders_and_the_tasks_does_not_matter() -> None:
    noise = [
        {"single": 0.9, "joint": 0.5, "trees": 0.7},
        {"single": 0.3, "joint": 0.8, "trees": 0.6},
    ]
    predictions, labels = numbers(noise, rows=60)
    tasks = make_tasks("rr")
    found = mix(tasks, predictions, labels, 0)
    turned = [dict(reversed(own.items())) for own in reversed(predictions)]
    other = mix(tasks[::-1], turned, labels[::-1], 0)
    for t in range(2):
        assert found.weights[t] == pytest.approx(other.weights[1 - t], abs=1e-6)
    assert mix(tasks, predictions, labels, 0) == found


def test_rare_classes_are_mixed_by_what_tells_them_apart() -> None:
    """One of 25 rows is positive. One contender is far too sure; another knows the share, no more."""
    rng = np.random.default_rng(0)
    y = (np.arange(1000) % 25 == 0).astype(float)
    latent = 2.0 * y + rng.normal(size=1000)
    odds = 2 * latent - 2  # the evidence that there is, to which the share is added
    sure = 1 / (1 + np.exp(-(3 * odds - np.log(24))))
    knows = np.clip(0.04 + 0.001 * rng.normal(size=1000), 0, 1)
    found = mix(make_tasks("b"), [{"a": sure, "b": knows}], [(np.arange(1000), y)], 0)
    assert found.weights[0]["a"] > 0.9
    assert found.expected[0] == pytest.approx(score(make_tasks("b")[0], sure, y), abs=0.01)
    shipped = found.predict(0, {"a": sure, "b": knows})
    assert shipped.mean() == pytest.approx(0.04, abs=0.03)  # a probability still


def test_a_mixture_knows_its_tasks() -> None:
    found = mixed([{"a": 1.0}], rows=10)
    found.check(make_tasks("r"))
    for other in ("rr", "b"):
        with pytest.raises(ValueError, match="is about other tasks"):
            found.check(make_tasks(other))


def test_mean_weights_and_words() -> None:
    predictions, labels = numbers([{"a": 0.01, "b": 3.0}, {"a": 3.0, "b": 0.01}], rows=400)
    found = mix(make_tasks("rr"), predictions, labels, 0)
    assert found.mean_weights() == {"a": 0.5, "b": 0.5}
    assert found.decided == in_words({"a": 0.5, "b": 0.5}) == "a 50 %, b 50 %"
    assert in_words({"a": 1.0}) == "a"


def test_draws_keep_the_number_of_rows() -> None:
    draw = np.random.default_rng(0)
    counts = np.stack([draw_rows(draw, 50) for _ in range(400)])
    assert (counts.sum(axis=1) == 50).all()
    assert float(counts.var(axis=0).mean()) == pytest.approx(49 / 50, rel=0.1)  # binomial(50, 1/50)
    rows, target = redraw((np.array([1, 3]), np.array([0.5, 0.25])), np.array([9, 2, 9, 0]))
    assert (rows.tolist(), target.tolist()) == ([1, 1], [0.5, 0.5])

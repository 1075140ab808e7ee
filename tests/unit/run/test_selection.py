"""Who serves a task: the shrunken advantages, ties, and tasks without a score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import make_tasks

from cotrain.arrays import Array
from cotrain.run.selection import Selection, blend, select, shrunk
from cotrain.stats import Labels, draw_rows, redraw
from cotrain.tasks import Task

ALL = ("single", "joint", "groups", "trees")


def world(
    best: list[str], noise: float = 2.0, rows: int = 200
) -> tuple[list[Labels], dict[str, list[Array]]]:
    """Regression tasks on which the named contender predicts far better than the others."""
    rng = np.random.default_rng(0)
    labels: list[Labels] = []
    found: dict[str, list[Array]] = {c: [] for c in ALL}
    for winner in best:
        y = rng.normal(size=rows)
        labels.append((np.arange(rows), y))
        for c in ALL:
            found[c].append(y + rng.normal(size=rows) * (0.1 if c == winner else noise))
    return labels, found


def selected(
    tasks: tuple[Task, ...], found: dict[str, list[Array]], labels: list[Labels], seed: int
) -> Selection:
    """From predictions of one seed."""
    one_seed = [{c: own[t][None] for c, own in found.items()} for t in range(len(tasks))]
    return select(tasks, one_seed, ALL[:3], labels, seed)


def test_clear_winners_serve() -> None:
    best = ["single", "joint", "groups", "trees"]
    labels, found = world(best)
    selection = selected(make_tasks("rrrr"), found, labels, 0)
    assert list(selection.served_by) == best
    assert list(selection.network[:3]) == best[:3]
    for t, winner in enumerate(best):
        scores = selection.valid[t]
        assert set(scores) == {*ALL, "blend"}
        assert max(scores, key=lambda c: scores[c]) == winner
        assert scores[winner] > 0.9


def test_a_blend_serves_when_errors_cancel() -> None:
    rng = np.random.default_rng(0)
    y, error = rng.normal(size=(2, 300))
    far = [y + rng.normal(size=300) * 3]
    found = {
        "single": [y + error],
        "joint": far,
        "groups": far,
        "trees": [y - error],
    }
    selection = selected(make_tasks("r"), found, [(np.arange(300), y)], 0)
    assert selection.served_by == ("blend",)
    assert selection.network == ("single",)
    assert selection.valid[0]["blend"] == pytest.approx(1)


def test_ties_go_to_the_simpler() -> None:
    y = np.random.default_rng(0).normal(size=50)
    found = {c: [y * 0.5, y * 0.5] for c in ALL}
    selection = selected(make_tasks("rr"), found, [(np.arange(50), y)] * 2, 0)
    assert selection.served_by == ("single",) * 2
    assert selection.network == ("single",) * 2


def test_a_task_without_a_score_goes_to_the_simplest() -> None:
    labels, found = world(["joint", "joint", "joint"])
    labels[1] = (labels[1][0][:0], labels[1][1][:0])
    selection = selected(make_tasks("rrr"), found, labels, 0)
    assert np.isnan(list(selection.valid[1].values())).all()
    assert selection.served_by[0] == selection.served_by[2] == "joint"
    assert selection.served_by[1] == "single"  # all tie


def test_selections_are_repeatable() -> None:
    labels, found = world(["single", "trees"], noise=0.12)
    tasks = make_tasks("rr")
    assert selected(tasks, found, labels, 3) == selected(tasks, found, labels, 3)


def test_shrinkage_by_hand() -> None:
    # One contender: d = 0, 2, 4: mean 2, variance 4. s² = 1, 1, 4: mean 2, so τ² = 2.
    # 2 − 2 · 2/3 = 2/3; 2; 2 + 2 · 2/6 = 8/3
    found = shrunk(np.array([[0.0, 2.0, 4.0]]), np.array([[1.0, 1.0, 4.0]]))
    np.testing.assert_allclose(found, [[2 / 3, 2, 8 / 3]])


def test_shrinkage_leaves_a_single_task_alone() -> None:
    d = np.array([[0.3], [-0.3]])
    np.testing.assert_array_equal(shrunk(d, np.full((2, 1), 9.0)), d)


@given(st.integers(2, 6), st.integers(0, 10**6), st.floats(0, 10))
def test_shrinkage_moves_towards_the_mean(tasks: int, seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    d = rng.normal(size=(3, tasks))
    mean = d.mean(axis=1, keepdims=True)
    found = shrunk(d, noise * rng.random((3, tasks)))
    assert (np.abs(found - mean) <= np.abs(d - mean) + 1e-12).all()
    assert ((found - mean) * (d - mean) >= -1e-12).all()


def test_shrinkage_pays() -> None:
    """True advantages N(0, ½²) seen with noise N(0, 1): shrinking brings the error down."""
    rng = np.random.default_rng(0)
    true = 0.5 * rng.normal(size=(200, 30))
    seen = true + rng.normal(size=true.shape)
    error = ((shrunk(seen, np.ones_like(seen)) - true) ** 2).mean()
    assert error < 0.35  # the best linear rule reaches 0.25 · 1 / 1.25 = 0.2
    assert ((seen - true) ** 2).mean() > 0.95


def test_a_selection_knows_its_tasks() -> None:
    selection = Selection(
        tasks=make_tasks("b"),
        served_by=("joint",),
        network=("joint",),
        valid=({},),
    )
    selection.check(make_tasks("b"))
    for other in ("bb", "r"):
        with pytest.raises(ValueError, match="is about other tasks"):
            selection.check(make_tasks(other))


def test_blend_is_the_middle() -> None:
    np.testing.assert_array_equal(blend(np.array([0.0, 1.0]), np.array([1.0, 1.0])), [0.5, 1.0])


def test_draws_keep_the_number_of_rows() -> None:
    draw = np.random.default_rng(0)
    counts = np.stack([draw_rows(draw, 50) for _ in range(400)])
    assert (counts.sum(axis=1) == 50).all()
    assert float(counts.var(axis=0).mean()) == pytest.approx(49 / 50, rel=0.1)  # binomial(50, 1/50)
    rows, target = redraw((np.array([1, 3]), np.array([0.5, 0.25])), np.array([9, 2, 9, 0]))
    assert (rows.tolist(), target.tolist()) == ([1, 1], [0.5, 0.5])

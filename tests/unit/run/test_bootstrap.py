"""Paired bootstrap intervals: coverage where the truth is known, exactness where nothing varies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny import STANDARD, make_tasks, task_data

from cotrain.arrays import Array
from cotrain.data.dataset import TaskData
from cotrain.grouping import Membership, exact_grouping
from cotrain.results import Interval
from cotrain.run.bootstrap import EQUAL, bootstrap, contender_scores
from cotrain.run.evaluation import Evaluation, evaluate
from cotrain.run.mixture import Mixture
from cotrain.stats import interval
from cotrain.tasks import score

NETWORKS = ("single", "joint", "groups")
TASK = make_tasks("r")[0]


def mixture_of(*weights: dict[str, float], kind: str = "r") -> Mixture:
    """Ships these; classes are as frequent as each other."""
    tasks = make_tasks(kind * len(weights))
    return Mixture(
        tasks=tasks,
        weights=weights,
        scores=({},) * len(weights),
        expected=(0.0,) * len(weights),
        shares=(() if kind == "r" else (0.5, 0.5),) * len(weights),
        sharpness=dict.fromkeys((*NETWORKS, "trees"), 1.0),
        reach=0.0,
    )


def drawn(y: Array, single: Array, joint: Array, seed: int, task: str = "r") -> dict[str, Array]:
    """``[R, 1]`` bootstrap scores; groups and trees as single."""
    found = dict.fromkeys((*NETWORKS, "trees"), single) | {"joint": joint}
    labels = [(np.arange(len(y)), y)]
    return bootstrap(mixture_of({"joint": 1.0}, kind=task), [found], labels, len(y), seed)


def test_intervals_cover_the_true_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """R² of two predictors with error variances .5 and .8 on unit-variance targets: the truth is .3."""
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 150)
    rng, runs, covered, widths = np.random.default_rng(0), 120, 0, []
    for run in range(runs):
        y = rng.normal(size=200)
        single, joint = (y + np.sqrt(v) * rng.normal(size=(1, 200)) for v in (0.8, 0.5))
        found = drawn(y, single, joint, run)
        value = score(TASK, joint[0], y) - score(TASK, single[0], y)
        gain = interval(value, found["joint"][:, 0] - found["single"][:, 0])
        covered += gain.low <= 0.3 <= gain.high
        widths.append(gain.high - gain.low)
    assert 0.89 <= covered / runs <= 0.99
    assert 0.2 < float(np.mean(widths)) < 0.6


def test_intervals_of_equal_predictors_seldom_exclude_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 100)
    rng, runs, false = np.random.default_rng(1), 100, 0
    for run in range(runs):
        y = rng.normal(size=100)
        single, joint = (y + rng.normal(size=(1, 100)) for _ in range(2))
        found = drawn(y, single, joint, run)
        value = score(TASK, joint[0], y) - score(TASK, single[0], y)
        gain = interval(value, found["joint"][:, 0] - found["single"][:, 0])
        false += gain.significant
    assert false / runs <= 0.13


def test_noisy_seeds_do_not_lose_by_construction() -> None:
    """Equal ensembles, one with noisier seeds: redrawing seeds must not make a difference of it."""
    rng, y = np.random.default_rng(3), np.random.default_rng(4).normal(size=400)
    base = y + 0.5 * rng.normal(size=400)
    noise = rng.normal(size=(5, 400))
    noise -= noise.mean(axis=0)
    found = drawn(y, base + 2.0 * noise, np.repeat(base[None], 5, axis=0), 0)
    differences = found["joint"][:, 0] - found["single"][:, 0]
    assert np.percentile(differences, 10) > 0.1  # the bias that is taken out
    gain = interval(0.0, differences)
    assert gain.low < 0 < gain.high
    assert not gain.significant


def test_pairing_makes_alike_predictors_sharp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 200)
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    single = (y + rng.normal(size=200))[None]
    found = drawn(y, single, single + 0.01 * rng.normal(size=(1, 200)), 0)
    difference = found["joint"] - found["single"]
    assert difference.std() < 0.05 * found["single"].std()


def test_equal_predictions_differ_by_exactly_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 50)
    y = np.random.default_rng(0).normal(size=40)
    found = drawn(y, y[None] * 0.5, y[None] * 0.5, 0)
    gain = interval(0.0, found["joint"][:, 0] - found["trees"][:, 0])
    assert gain == Interval(value=0.0, low=0.0, high=0.0)
    assert not gain.significant


def test_perfect_predictions_score_one_in_every_replicate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 50)
    y = np.tile([0.0, 1.0], 20)
    found = drawn(y, y[None], 1 - y[None], 0, task="b")
    assert (found["single"] == 1).all()
    assert (found["joint"] == 0).all()
    assert (found[EQUAL] == 1).all()  # three to one
    assert (found["shipped"] == 0).all()


def test_seeds_are_drawn_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two seeds, one perfect and one constant: three ensembles, ½² of the draws with one seed twice."""
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 400)
    y = np.tile([0.0, 1.0], 50)
    found = drawn(y, np.stack([y, np.full(100, 0.5)]), y[None].repeat(2, axis=0), 0, task="b")
    assert (found["single"] == 0.5).mean() == pytest.approx(0.25, abs=0.07)
    assert (found["single"] == 1).mean() == pytest.approx(0.75, abs=0.07)
    assert (found["joint"] == 1).all()


def test_bootstrap_is_repeatable_and_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 20)
    rng = np.random.default_rng(0)
    y, a, b = rng.normal(size=(3, 30))
    first, again, other = (drawn(y, a[None], b[None], seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["joint"], again["joint"])
    assert (first["joint"] != other["joint"]).any()


def test_interval_by_hand() -> None:
    found = interval(7.0, np.arange(1001.0))
    assert (found.value, found.low, found.high) == (7.0, 25.0 - 493, 975.0 - 493)  # median 500 → 7
    with_gaps = interval(7.0, np.concatenate([np.arange(1001.0), [np.nan] * 99]))
    assert with_gaps == found


@pytest.mark.parametrize(("value", "drawn"), [(0.0, [np.nan] * 3), (np.nan, [1.0, 2.0]), (0.0, [])])
def test_an_interval_that_is_not_defined(value: float, drawn: list[float]) -> None:
    found = interval(value, np.array(drawn))
    assert np.isnan(found.low)
    assert np.isnan(found.high)
    assert not found.significant


def test_scores_are_of_the_seed_mean_on_labelled_rows() -> None:
    rng = np.random.default_rng(0)
    p = {c: rng.normal(size=(3, 20)) for c in (*NETWORKS, "trees")}
    rows, y = np.array([1, 5, 7, 19]), rng.normal(size=4)
    shipped = {"groups": 0.75, "trees": 0.25}
    found = contender_scores(mixture_of(shipped), 0, p, (rows, y))
    for c in p:
        assert found[c] == pytest.approx(score(TASK, p[c].mean(axis=0)[rows], y))
    mean = {c: own.mean(axis=0)[rows] for c, own in p.items()}
    assert found["shipped"] == pytest.approx(
        score(TASK, 0.75 * mean["groups"] + 0.25 * mean["trees"], y)
    )
    assert found[EQUAL] == pytest.approx(score(TASK, np.mean(list(mean.values()), axis=0), y))


def proven(*weights: dict[str, float]) -> tuple[Evaluation, TaskData, list[dict[str, Array]]]:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(60, 2))
    mask = np.ones((60, 2), dtype=bool)
    mask[:20, 1] = False
    data = task_data(torch.zeros(60, 1), y, mask, "rr")
    noise = dict(zip((*NETWORKS, "trees"), (0.9, 0.7, 0.5, 0.6), strict=True))
    p = [{c: y[:, t] + s * rng.normal(size=(3, 60)) for c, s in noise.items()} for t in range(2)]
    z = np.array([[0.0, 1.0], [1.0, 0.0]])
    grouping = exact_grouping(z, max_groups=1)
    return (
        evaluate(
            mixture_of(*weights), data, p, STANDARD, Membership.hard(grouping), [100, 70], seed=0
        ),
        data,
        p,
    )


def test_proof_traces_every_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 100)
    proof, data, p = proven({"groups": 1.0}, {"groups": 0.5, "trees": 0.5})
    for t, row in enumerate(proof.tasks):
        rows, y = data.labels(t)
        for c in p[t]:
            assert row.test[c] == pytest.approx(score(TASK, p[t][c].mean(axis=0)[rows], y))
            alone = [score(TASK, one[rows], y) for one in p[t][c]]
            assert row.seed_std[c] == pytest.approx(np.std(alone, ddof=1))
        assert set(row.weights) == ({"groups"} if t == 0 else {"groups", "trees"})
        assert row.gain_over_single.value == pytest.approx(row.shipped - row.test["single"])
        assert row.gain_over_trees.low <= row.gain_over_trees.value <= row.gain_over_trees.high
    assert [row.test_labels for row in proof.tasks] == [60, 40]
    assert [row.train_labels for row in proof.tasks] == [100, 70]
    assert [row.partners for row in proof.tasks] == [("r0", "r1")] * 2
    assert proof.tasks[0].shipped == proof.tasks[0].test["groups"]
    assert [row.served_by for row in proof.tasks] == ["groups", "groups 50 %, trees 50 %"]
    for c in (*NETWORKS, "trees", EQUAL):
        expected = np.mean([row.test[c] for row in proof.tasks])
        assert proof.mean_test[c] == pytest.approx(expected)
    assert proof.mean_test["shipped"] == pytest.approx(np.mean([r.shipped for r in proof.tasks]))
    for pair, gain in proof.overall.items():
        a, b = pair.split(" - ")
        assert gain.value == pytest.approx(proof.mean_test[a] - proof.mean_test[b])
        assert gain.low <= gain.high


def test_shipping_single_gains_exactly_nothing_over_single(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cotrain.run.bootstrap.MOST_REPLICATES", 50)
    proof, _, _ = proven({"single": 1.0}, {"single": 1.0})
    nothing = Interval(value=0.0, low=0.0, high=0.0)
    assert proof.overall["shipped - single"] == nothing
    assert all(row.gain_over_single == nothing for row in proof.tasks)
    assert proof.overall["shipped - joint"].value < 0

"""Planted findings are recovered, planted absent they are not found; estimates by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cotrain.arrays import Array
from cotrain.errors import InputError
from cotrain.stats import student_interval
from cotrain.studies.findings import Verdict
from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES
from cotrain.studies.optimizers.estimates import (
    estimate,
    fronts,
    near_best,
)
from cotrain.studies.optimizers.findings import CONFLICT, apart
from cotrain.studies.optimizers.study import OptimizerStudy

OPTIMIZERS, METHODS, TASKS = ("SGD", "Adam", "task Adam"), ("uniform", "UW", "IT-MTL"), ("a", "b")
DRAWS, RATES, SEEDS = 61, 4, 3
CELLS = (len(OPTIMIZERS), len(METHODS))


def planted(
    *,
    better: tuple[float, float, float] = (0.0, 0.0, 0.0),
    conflict: float = 0.0,
    magnitude: float = 0.0,
    robust: float | None = None,
    noise: float = 0.01,
    seed: int = 0,
) -> OptimizerStudy:
    """A study of two binary tasks whose truth is known.

    Args:
        better: By how much each optimizer's scores lie above those of the tasks alone.
        conflict: Share of conflicts between tasks beyond those between samples.
        magnitude: Magnitude similarity likewise.
        robust: By how much features learned together score higher on corrupted images.
        noise: Deviation of a score from seed to seed, and from draw to draw.
        seed: Of the noise.
    """
    rng = np.random.default_rng(seed)

    def scores(*shape: int, draws: int = DRAWS) -> Array:
        own = 0.7 + noise * rng.normal(size=(1, *shape, SEEDS, len(TASKS)))
        return own + noise * rng.normal(size=(draws, *[1] * len(shape), 1, len(TASKS)))

    shift = np.array(better)[:, None, None, None]
    rates = np.array([0.05, 0.0, 0.002, 0.1])[:, None, None]  # the second is best
    sets = 1 + len(CORRUPTIONS) * SEVERITIES
    robustness = np.zeros((1, 2, SEEDS, 0, len(TASKS)))
    if robust is not None:
        robustness = np.moveaxis(scores(2, sets), 3, 2)
        robustness[:, 0, :, 1:] += robust
    gradients = rng.normal(scale=noise, size=(len(OPTIMIZERS), SEEDS, 2, 3)) + 0.5
    gradients[:, :, 0, 1] += conflict
    gradients[:, :, 0, 2] += magnitude
    return OptimizerStudy(
        tasks=TASKS,
        kinds=("binary", "binary"),
        optimizers=OPTIMIZERS,
        rules=("SGD", "Adam", "TaskAdam"),
        methods=METHODS,
        rates=np.tile(10.0 ** np.arange(-4, 0), (3, 1)),
        chosen=np.full(CELLS, 1),
        valid=scores(*CELLS, RATES, draws=1)[0] + shift[..., None] - rates,
        test=scores(*CELLS) + shift,
        lone=(0, 1),
        alone_valid=scores(2, draws=1)[0],
        alone_test=scores(2),
        baseline=np.array([0, 1]),
        gradients=gradients,
        robustness=robustness,
        steady="Adam",
        seed=0,
        engine="none",
        trainings=10,
        examples=1000,
        seconds=60.0,
        notes=(),
    )


def verdicts(study: OptimizerStudy) -> list[Verdict]:
    return [finding.verdict for finding in study.findings]


@pytest.mark.parametrize(
    ("better", "expected"),
    [
        ((0.0, 0.05, 0.0), Verdict.CONFIRMED),
        ((0.05, 0.0, 0.0), Verdict.REFUTED),
        ((0.0, 0.0, 0.05), Verdict.UNDECIDED),
    ],
)
def test_whether_adam_beats_sgd(better: tuple[float, float, float], expected: Verdict) -> None:
    found = planted(better=better)
    assert verdicts(found)[0] is expected
    text = str(found.findings[0])
    if expected is Verdict.CONFIRMED:
        assert "Adam is better with 3 of 3 methods" in " ".join(text.split())


@pytest.mark.parametrize(
    ("more", "direction", "size"),
    [
        (-0.05, Verdict.CONFIRMED, Verdict.CONFIRMED),
        (0.05, Verdict.REFUTED, Verdict.REFUTED),
    ],
)
def test_gradients_of_tasks_and_of_samples(more: float, direction: Verdict, size: Verdict) -> None:
    assert verdicts(planted(conflict=more, magnitude=more))[1:] == [direction, size]


@pytest.mark.parametrize(
    ("robust", "expected"),
    [(0.05, Verdict.CONFIRMED), (-0.05, Verdict.REFUTED)],
)
def test_robustness(robust: float, expected: Verdict) -> None:
    found = planted(robust=robust)
    assert verdicts(found)[3] is expected
    assert len(found.sections()) == 4
    assert len(planted().sections()) == 3


def test_where_nothing_is_planted_little_is_found() -> None:
    """Intervals of 95 % that exclude a true zero: 3 of 60 verdicts to be expected."""
    found = [verdicts(planted(robust=0.0, seed=seed)) for seed in range(15)]
    assert sum(verdict is not Verdict.UNDECIDED for row in found for verdict in row) <= 6


def test_it_prints_draws_saves_and_loads(tmp_path: Path) -> None:
    found = planted(better=(0.0, 0.05, 0.0), robust=0.02)
    found.save(tmp_path / "study.safetensors")
    again = OptimizerStudy.load(tmp_path / "study.safetensors")
    assert str(again) == str(found)
    assert [str(section) for section in again.sections()] == [str(s) for s in found.sections()]
    for section in again.sections():
        assert section.figure()["data"]
        assert section.about.endswith(".")
    assert np.array_equal(again.test, found.test)
    assert again.figure() == found.figure()
    with pytest.raises(InputError, match="is missing or damaged"):
        OptimizerStudy.load(tmp_path / "nothing.safetensors")


def test_permuting_tasks_changes_nothing() -> None:
    found = planted(better=(0.0, 0.05, 0.0), robust=0.02)
    turned: dict[str, Any] = {
        name: getattr(found, name)[..., ::-1].copy()
        for name in ("valid", "test", "alone_valid", "alone_test", "baseline", "robustness")
    }
    again = replace(found, tasks=("b", "a"), **turned)
    for method in METHODS:
        for optimizer in OPTIMIZERS:
            a, b = found.delta(optimizer, method), again.delta(optimizer, method)
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))
    assert verdicts(again) == verdicts(found)


def test_delta_m_by_hand() -> None:
    """Seed 0: .77 and .84 over .7, −10 and −20 %; seed 1: .63 over .9 and .7 over .7, 30 and 0 %."""
    found = planted()
    test, alone = found.test.copy(), found.alone_test.copy()
    test[0, 1, 2, :2] = [[0.77, 0.84], [0.63, 0.7]]
    alone[0, 0, :2, 0], alone[0, 1, :2, 1] = [0.7, 0.9], [0.7, 0.7]  # each task's own baseline
    losses = replace(found, test=test, alone_test=alone).losses
    np.testing.assert_allclose(losses[0, 1, 2, :2], [[-10, -20], [30, 0]], atol=1e-9)


def test_intervals_over_rows_and_seeds_by_hand() -> None:
    """Seeds alone: Student's; rows alone: percentiles; both: the root of the sum of squares."""
    seeds = np.tile([1.0, 2.0, 3.0], (201, 1))
    rows = np.linspace(-1, 1, 201)
    rows = np.concatenate([[0.0], rows])[:201, None] + np.full(3, 2.0)
    a, b, both = (estimate(values) for values in (seeds, rows, seeds + rows - 2.0))
    half = 4.3027 / np.sqrt(3)
    assert (a.value, a.low, a.high) == pytest.approx((2.0, 2 - half, 2 + half), abs=1e-3)
    assert (b.low, b.high) == pytest.approx((1.05, 2.95), abs=0.02)
    assert both.high - 2 == pytest.approx(np.hypot(half, b.high - 2), abs=1e-3)


def test_fronts_by_hand() -> None:
    """Of two optimizers with two runs each, in two draws."""
    losses = np.array(
        [
            [[[0.0, 3.0], [1.0, 2.0]], [[2.0, 1.0], [2.0, 3.0]]],
            [[[9.0, 9.0], [1.0, 1.0]], [[2.0, 2.0], [1.0, 1.0]]],
        ]
    )
    assert fronts(losses).tolist() == [[2.0, 1.0], [1.0, 1.0]]


def test_rates_near_the_best_by_hand() -> None:
    losses = np.array([[[5.0, 4.2, 3.5, np.nan]], [[0.0, 9.0, 9.0, 9.0]], [[np.nan] * 4]])
    assert near_best(losses).tolist() == [[0.5], [0.25], [0.0]]


def test_the_interval_over_runs_by_hand() -> None:
    """Student's: two degrees of freedom."""
    found = student_interval(np.array([0.1, 0.2, 0.3, np.nan]))
    half = 4.3027 * 0.1 / np.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx(
        (0.2, 0.2 - half, 0.2 + half), abs=1e-4
    )
    assert np.isnan(student_interval(np.array([0.3, np.nan])).low)
    assert np.isnan(student_interval(np.array([np.nan])).value)


def test_runs_of_an_optimizer_are_no_independent_runs() -> None:
    """Two seeds of two optimizers by hand; what an optimizer has of its own widens nothing."""
    found = planted()
    gradients = np.zeros((3, 3, 2, 3))
    gradients[:, :, 0, 1] = [[0.3, 0.4, 0.5], [-0.3, -0.2, -0.1], [np.nan] * 3]
    found = replace(found, gradients=gradients)
    difference = apart(found, CONFLICT)
    half = 4.3027 * 0.1 / np.sqrt(3)
    assert (difference.value, difference.low) == pytest.approx((0.1, 0.1 - half), abs=1e-4)
    assert "over seeds, for these optimizers" in " ".join(str(found.findings[1]).split())
    assert "conflict in 10 %" in found.findings[1].evidence


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Seeds that all optimizers share: 95 % of the intervals hold the mean, to chance in 200."""
    rng, held, found = np.random.default_rng(0), 0, planted()
    for _ in range(200):
        gradients = 0.1 * rng.normal(size=(3, 3, 2, 3)) + 0.3 * rng.normal(size=(1, 3, 1, 1)) * [
            [1],
            [0],
        ]
        difference = apart(replace(found, gradients=gradients), CONFLICT)
        held += difference.low < 0 < difference.high
    assert 180 <= held <= 199


def test_a_study_without_adam_says_nothing_of_it() -> None:
    found = replace(planted(), rules=("SGD", "AdamW", "TaskAdam"))
    assert len(found.findings) == 2


def test_adam_is_known_by_its_type() -> None:
    found = planted(better=(0.0, 0.05, 0.0))
    named = replace(found, optimizers=("momentum", "adaptive", "Adam"))
    assert named.findings[0] == found.findings[0]

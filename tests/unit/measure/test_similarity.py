"""Cosine and magnitude similarity, conflicts, and their summaries."""

from __future__ import annotations

import numpy as np
import pytest

from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.gradients.similarity import (
    CONFLICT,
    COSINE,
    HIGH,
    LOW,
    MAGNITUDE,
    MEAN,
    STD,
    compared,
    conflicts,
    spread,
)


def test_compared_against_the_definitions() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(2, 5, 7)) * 10.0 ** draw.integers(-3, 4, size=(2, 5, 1))
    found = compared(vectors @ vectors.transpose(0, 2, 1))
    assert found.shape == (2, 5, 5, 2)
    for part in range(2):
        for i, a in enumerate(vectors[part]):
            for j, b in enumerate(vectors[part]):
                lengths = np.linalg.norm(a), np.linalg.norm(b)
                cosine = a @ b / (lengths[0] * lengths[1])
                magnitude = 2 * lengths[0] * lengths[1] / (lengths[0] ** 2 + lengths[1] ** 2)
                assert found[part, i, j, COSINE] == pytest.approx(cosine, abs=1e-12)
                assert found[part, i, j, MAGNITUDE] == pytest.approx(magnitude, abs=1e-12)


def test_a_zero_or_unknown_gradient_has_no_similarity() -> None:
    gram = np.array([[4.0, 0, np.nan], [0, 0, np.nan], [np.nan, np.nan, np.nan]])
    found = compared(gram)
    assert found[0, 0].tolist() == [1, 1]
    assert np.isnan(found).sum() == 2 * 8


def test_a_right_angle_is_no_conflict() -> None:
    assert conflicts(np.array([-1e-9, 0.0, 0.5, -1.0])).tolist() == [1, 0, 0, 1]
    assert np.isnan(conflicts(np.array([np.nan]))).all()


def test_spread_by_hand() -> None:
    pairs = np.array([[-0.5, 0.2], [0.5, 0.4], [0.9, 0.6], [np.nan, np.nan], [-0.1, 0.8]])
    found = spread(pairs)
    cosines, sizes = pairs[[0, 1, 2, 4]].T
    assert found.shape == (2, 5)
    for what, values in ((COSINE, cosines), (MAGNITUDE, sizes)):
        assert found[what, MEAN] == pytest.approx(values.mean())
        assert found[what, STD] == pytest.approx(values.std(ddof=1))
        assert found[what, LOW] == pytest.approx(np.percentile(values, 2.5))
        assert found[what, HIGH] == pytest.approx(np.percentile(values, 97.5))
    assert found[COSINE, CONFLICT] == 0.5
    assert np.isnan(found[MAGNITUDE, CONFLICT])


@pytest.mark.parametrize("rows", [0, 3])
def test_spread_of_nothing_known(rows: int) -> None:
    found = spread(np.full((rows, 2), np.nan))
    assert found.shape == (2, 5)
    assert np.isnan(found).all()


def test_one_pair_has_no_deviation() -> None:
    found = spread(np.array([[0.25, 0.5]]))
    assert found[:, [MEAN, LOW, HIGH]].tolist() == [[0.25] * 3, [0.5] * 3]
    assert np.isnan(found[:, STD]).all()


def gradients(grams: list[list[list[float]]]) -> Gradients:
    made = Gradients(tasks=["a", "b", "c", "d"])
    made.grams += [np.array(gram, dtype=np.float32) for gram in grams]
    made.between_tasks += [np.zeros((0, 2))] * len(grams)
    made.between_samples += [np.zeros((0, 2))] * len(grams)
    return made


def test_only_conflicting_pairs_are_listed_worst_first_and_three_at_most() -> None:
    gram = [[1, -0.5, 0.5, -0.25], [-0.5, 1, -0.75, -1], [0.5, -0.75, 1, 0], [-0.25, -1, 0, 1]]
    lines = str(gradients([gram, gram]).similarity()).splitlines()
    assert [line for line in lines if "against" in line] == [
        "  d against b: cosine -1.000 ± 0.000, conflicts 100%",
        "  c against b: cosine -0.750 ± 0.000, conflicts 100%",
        "  b against a: cosine -0.500 ± 0.000, conflicts 100%",
    ]


def test_a_run_without_conflicts_lists_none() -> None:
    lines = str(gradients([(np.eye(4) + 1).tolist()]).similarity()).splitlines()
    assert lines == [
        "4 tasks, gradients of the shared parameters, 1 probes",
        "  between tasks, whole batches   cosine +0.50, conflicts   0%, magnitude similarity 1.00",
    ]


def test_the_matrices_are_symmetric_and_know_nothing_of_themselves() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(6, 4, 3))
    found = gradients((vectors @ vectors.transpose(0, 2, 1)).tolist()).similarity()
    for matrix in (
        found.cosine,
        found.magnitude,
        found.conflict,
        found.cosine_error,
        found.magnitude_error,
        found.conflict_error,
    ):
        np.testing.assert_allclose(matrix, matrix.T, rtol=1e-6)
        assert np.isnan(matrix.diagonal()).all()
        assert np.isfinite(matrix[~np.eye(4, dtype=bool)]).all()

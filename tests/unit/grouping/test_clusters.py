"""Clusters of tasks from distances: the paper's formula, the rule, the laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from cotrain.errors import InputError
from cotrain.grouping import cluster_points, cluster_tasks
from cotrain.grouping.clusters import FUZZINESS, FuzzyCMeans, FuzzyPass, Hard, fuzzy_memberships
from cotrain.grouping.objective import Matrix

METHODS = (Hard(), FuzzyPass(), FuzzyCMeans(), FuzzyPass(fuzziness=2.0))


def distances(places: Matrix) -> Matrix:
    return np.asarray(np.linalg.norm(places[:, None] - places, axis=2))


def blobs(seed: int, sizes: tuple[int, ...] = (4, 3, 5), spread: float = 0.3) -> Matrix:
    rng = np.random.default_rng(seed)
    centres = 5 * np.eye(len(sizes), 6)
    rows = [
        centre + spread * rng.normal(size=(n, 6)) for centre, n in zip(centres, sizes, strict=True)
    ]
    return np.concatenate(rows)


def test_memberships_follow_the_formula() -> None:
    apart = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 6.0]])
    power = -2 / (FUZZINESS - 1)
    expected = apart**power / (apart**power).sum(axis=1, keepdims=True)
    assert fuzzy_memberships(apart, FUZZINESS) == pytest.approx(expected, rel=1e-9)
    assert fuzzy_memberships(apart, FUZZINESS)[1] == pytest.approx([0.5, 0.5, 0.0], abs=1e-8)
    assert fuzzy_memberships(apart, 3.0)[0] == pytest.approx(np.array([4, 2, 1]) / 7)


def test_memberships_survive_extreme_distances() -> None:
    apart = np.array([[0.0, 0.0, 1.0], [1e-100, 1e100, 1e100], [1e3, 1.0001e3, 9e9]])
    found = fuzzy_memberships(apart, FUZZINESS)
    assert found[:2].tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    assert found[2, 0] == pytest.approx(1 / (1 + 1.0001 ** (-2 / 0.07)), rel=1e-6)


@pytest.mark.parametrize("fuzziness", [1.0, 0.5, float("nan")])
def test_fuzziness_must_be_above_one(fuzziness: float) -> None:
    with pytest.raises(InputError, match="fuzziness must be above 1"):
        fuzzy_memberships(np.ones((2, 2)), fuzziness)


def test_k_means_of_the_maps_themselves() -> None:
    """Places made from distances are the maps, turned: same clusters, same memberships."""
    maps = blobs(1, spread=1.2)
    fitted = KMeans(3, n_init=20, random_state=0).fit(maps)
    found = cluster_tasks(distances(maps), clusters=3, method=FuzzyPass(fuzziness=2.0))
    apart = np.linalg.norm(maps[:, None] - fitted.cluster_centers_, axis=2)
    expected = fuzzy_memberships(apart, 2.0)
    columns = [int(expected[row].argmax()) for row in (0, 4, 7)]
    own = [int(found.labels[row]) for row in (0, 4, 7)]
    assert found.memberships[:, own] == pytest.approx(expected[:, columns], abs=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_blobs_are_found_and_counted(method: Hard | FuzzyPass | FuzzyCMeans) -> None:
    found = cluster_tasks(distances(blobs(0)), method=method)
    truth = np.repeat([0, 1, 2], [4, 3, 5])
    assert [len(set(found.labels[truth == c])) for c in range(3)] == [1, 1, 1]
    assert len(set(found.labels)) == found.memberships.shape[1] == 3
    assert max(found.silhouette, key=lambda c: found.silhouette[c]) == 3
    assert sorted(found.silhouette) == list(range(2, 12))
    assert found.memberships.sum(axis=1) == pytest.approx(1)


def test_fuzzy_c_means_is_a_fixed_point() -> None:
    """Memberships reproduce their own centres (Bezdek's two equations)."""
    maps = blobs(2, spread=2.0)
    found = cluster_tasks(distances(maps), clusters=3, method=FuzzyCMeans(fuzziness=1.5))
    weights = found.memberships**1.5
    centres = (weights.T @ maps) / weights.sum(axis=0)[:, None]
    apart = np.linalg.norm(maps[:, None] - centres, axis=2)
    assert found.memberships == pytest.approx(fuzzy_memberships(apart, 1.5), abs=8e-3)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 3)), np.zeros((0, 0)), np.array([[0, 1], [2, 0]]), np.full((2, 2), np.inf)],
)
def test_what_is_no_matrix_of_distances(wrong: Matrix) -> None:
    with pytest.raises(InputError, match="distances must be a finite symmetric matrix"):
        cluster_tasks(wrong)


def test_no_clusters_where_there_are_none() -> None:
    same = cluster_tasks(np.zeros((5, 5)))
    assert same.memberships.tolist() == [[1.0]] * 5
    alike = cluster_tasks(1 - np.eye(6))  # every pair equally far: no silhouette above 0
    assert alike.memberships.shape[1] == 1
    assert cluster_tasks(np.zeros((1, 1))).memberships.tolist() == [[1.0]]
    assert cluster_tasks(np.array([[0.0, 1.0], [1.0, 0.0]])).memberships.tolist() == [[1.0]] * 2


def test_noise_is_one_cluster() -> None:
    """Points without structure, in many and in few dimensions."""
    for seed, dimensions in ((0, 200), (1, 50), (2, 15)):
        noise = np.random.default_rng(seed).normal(size=(15, dimensions))
        found = cluster_tasks(distances(noise))
        assert 0 < max(found.silhouette.values()) < 0.25
        assert found.memberships.tolist() == [[1.0]] * 15


def test_the_rule_keeps_to_most() -> None:
    assert cluster_tasks(distances(blobs(0)), most=2).memberships.shape[1] == 2
    assert cluster_tasks(distances(blobs(0)), most=1).memberships.shape[1] == 1


def test_faint_memberships_are_none() -> None:
    found = cluster_tasks(distances(blobs(0)), clusters=3).memberships
    assert set(found.flatten().tolist()) == {0.0, 1.0}
    soft = cluster_tasks(distances(blobs(0)), clusters=3, method=FuzzyPass(fuzziness=2.0))
    faint = soft.memberships[(soft.memberships > 0) & (soft.memberships < 0.2)]
    assert len(faint) > 4
    assert faint.min() >= 0.005


def test_bad_input() -> None:
    nan = np.full((3, 3), np.nan)
    with pytest.raises(InputError, match="no two tasks share labelled examples"):
        cluster_tasks(nan)
    with pytest.raises(InputError, match="3 clusters: there are 2 tasks with different maps"):
        cluster_tasks(np.array([[0.0, 0, 1], [0, 0, 1], [1, 1, 0]]), clusters=3)
    with pytest.raises(InputError, match="4 clusters: there are 1 different points"):
        cluster_points([np.zeros((5, 2))] * 3, clusters=4)
    with pytest.raises(InputError, match="task 1 has no example on its map"):
        cluster_points([np.ones((2, 2)), np.ones((0, 2))], clusters=1)


def test_unknown_distances_count_as_average() -> None:
    """Two far pairs; the distance between one and one of the others is not known."""
    places = np.array([[0.0], [0.1], [9.0], [9.1]])
    known = distances(places)
    known[0, 3] = known[3, 0] = np.nan
    assert (
        cluster_tasks(known).labels[[0, 2]].tolist() == cluster_tasks(known).labels[[1, 3]].tolist()
    )


def test_points_are_shared_by_where_they_lie() -> None:
    rng = np.random.default_rng(0)
    easy, hard = (c + 0.02 * rng.normal(size=(200, 2)) for c in (0.9, 0.2))
    tasks = [easy, hard, np.concatenate([easy[:150], hard[:50]])]
    found = cluster_points(tasks, clusters=2).memberships
    at = int(found[0].argmax())
    assert found[:, at].tolist() == [1.0, 0.0, 0.75]


@given(st.integers(0, 2**32 - 1), st.sampled_from(METHODS))
def test_permuted_tasks_are_clustered_alike(
    seed: int, method: Hard | FuzzyPass | FuzzyCMeans
) -> None:
    rng = np.random.default_rng(seed)
    tasks = int(rng.integers(3, 9))
    known = distances(rng.normal(size=(tasks, 4)))
    if seed % 3 == 0:
        known[0, 1] = known[1, 0] = np.nan
    order = rng.permutation(tasks)
    a = cluster_tasks(known, method=method)
    b = cluster_tasks(known[np.ix_(order, order)], method=method)
    assert np.array_equal(a.memberships[order], b.memberships)
    assert a.silhouette == b.silhouette


def test_a_task_and_its_negation_are_one() -> None:
    maps = blobs(3)
    maps[11] = maps[0]
    found = cluster_tasks(distances(maps)).memberships
    assert found[11].tolist() == found[0].tolist()

"""The optima of the published matrices (Fifty et al. 2109.04617), and brute force over small ones.

Mapping, verified against the notebooks: affinity and cosine matrices as they are with singletons forbidden;
in the tables of pairs trained together (HOA) a cell is the value of task i with task j and the diagonal
is the value alone: minus the loss, or accuracy minus 100.
"""

from __future__ import annotations

import json
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cotrain.arrays import Array
from cotrain.grouping import exact_grouping
from cotrain.grouping.local import local_search
from cotrain.grouping.objective import group_score

TABLES = Path(__file__).parents[2].parent / "shared/data/gt_tag_affinity/tag_tables.json"
OPTIMA = [
    ("taskonomy", "TAG", 2, 0.32170),
    ("taskonomy", "TAG", 3, 0.34867),
    ("taskonomy", "CS", 2, 1.46994),
    ("taskonomy", "CS", 3, 1.60378),
    ("taskonomy", "HOA", 2, -0.10186),
    ("taskonomy", "HOA", 3, -0.09792),
    ("celeba", "TAG", 2, -99.4418),
    ("celeba", "TAG", 3, -92.4384),
    ("celeba", "CS", 2, 0.96622),
    ("celeba", "CS", 3, 1.30953),
    ("celeba", "HOA", 2, -6.52037),
    ("celeba", "HOA", 3, -6.49037),
]
SETS = {  # by first letters of the tasks' names; the edges are the papers' t(exture)
    ("TAG", 2): {"kt", "dns"},
    ("TAG", 3): {"ds", "dn", "kt"},
    ("HOA", 2): {"kn", "dnst"},
}


def table(study: str, kind: str) -> tuple[list[str], Array, Array]:
    """Task names, affinity, and the scores of training alone."""
    if not TABLES.exists():
        pytest.skip(f"the published tables are not at {TABLES}")
    content = json.loads(TABLES.read_text())
    key = next(key for key in content if key.startswith(study) and kind in key)
    matrix = np.array(content[key]["matrix"])
    if kind != "HOA":
        return content[key]["tasks"], matrix, np.full(len(matrix), -np.inf)
    value = matrix - 100 if study == "celeba" else -matrix
    return content[key]["tasks"], value, np.diag(value).copy()


@pytest.mark.parametrize(("study", "kind", "groups", "optimum"), OPTIMA)
def test_published_optimum(study: str, kind: str, groups: int, optimum: float) -> None:
    names, affinity, alone = table(study, kind)
    found = exact_grouping(affinity, max_groups=groups, alone=alone)
    tolerance = 5e-5 if abs(optimum) > 50 else 1e-5  # the digits that are published
    assert found.objective == pytest.approx(optimum, abs=tolerance)
    assert found.bound == found.objective
    if study == "taskonomy" and (kind, groups) in SETS:
        letter = [name[0].replace("e", "t") for name in names]
        letters = {"".join(sorted(letter[t] for t in group)) for group in found.groups}
        assert letters == SETS[kind, groups]


def test_published_optima_take_milliseconds() -> None:
    for study, kind, groups, _ in OPTIMA:
        _, affinity, alone = table(study, kind)
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            exact_grouping(affinity, max_groups=groups, alone=alone)
            seconds.append(time.perf_counter() - began)
        assert min(seconds) < 0.05


@pytest.mark.parametrize(("study", "kind", "groups", "optimum"), OPTIMA)
def test_no_published_optimum_is_beaten_by_brute_force(
    study: str, kind: str, groups: int, optimum: float
) -> None:
    _, affinity, alone = table(study, kind)
    if len(affinity) > 5 and groups > 2:
        pytest.skip("511 over 3 sets is for the solver")
    assert brute_force(affinity, alone, groups) == pytest.approx(optimum, abs=5e-5)


def brute_force(affinity: Array, alone: Array, most: int) -> float:
    """Best mean score over all collections of at most ``most`` sets; -inf if none covers."""
    tasks = len(affinity)
    filled = np.where(np.isnan(affinity), 0.0, affinity)
    rows = []
    for size in range(1, tasks + 1):
        for group in combinations(range(tasks), size):
            row = np.full(tasks, -np.inf)
            for a in group:
                others = [filled[a, b] for b in group if b != a]
                row[a] = sum(others) / len(others) if others else alone[a]
            rows.append(row)
    best = scores = np.array(rows)
    for _ in range(most - 1):  # coverage by one set more, sets may repeat
        best = np.maximum(best[:, None], scores).reshape(-1, tasks)
        best = np.unique(best, axis=0)
    return float(best.mean(axis=1).max())


CELLS = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.5, -0.25, float("nan")]), st.floats(-10, 10))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 5).flatmap(lambda t: arrays(np.float64, (t, t), elements=CELLS)),
    st.integers(1, 3),
)
def test_exact_is_brute_force(affinity: Array, groups: int) -> None:
    if len(affinity) == 5:
        groups = min(groups, 2)
    found = exact_grouping(affinity, max_groups=groups)
    expected = brute_force(affinity, np.zeros(len(affinity)), groups)
    assert found.objective == pytest.approx(expected, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 4), st.integers(1, 3), st.integers(0, 10**6), st.booleans())
def test_exact_is_brute_force_with_a_score_alone(
    tasks: int, groups: int, seed: int, forbidden: bool
) -> None:
    rng = np.random.default_rng(seed)
    affinity = rng.normal(size=(tasks, tasks))
    alone = np.full(tasks, -np.inf) if forbidden else rng.normal(size=tasks)
    found = exact_grouping(affinity, max_groups=groups, alone=alone)
    assert found.objective == pytest.approx(brute_force(affinity, alone, groups), abs=1e-9)
    stated = [group_score(affinity, alone, found.group_of(t), t) for t in range(tasks)]
    assert found.objective == pytest.approx(float(np.mean(stated)), abs=1e-9)


def test_five_groups_of_five_tasks() -> None:
    for seed in range(5):
        affinity = np.random.default_rng(seed).normal(size=(5, 5))
        found = exact_grouping(affinity, max_groups=5).objective
        every_best = np.mean(
            [max(0.0, max(affinity[a, b] for b in range(5) if b != a)) for a in range(5)]
        )
        assert found == pytest.approx(float(every_best), abs=1e-12)


def test_exact_refuses_more_tasks_than_it_can_serve() -> None:
    with pytest.raises(ValueError, match="exact grouping serves at most 15 tasks, got 16"):
        exact_grouping(np.zeros((16, 16)), max_groups=2)


def test_local_search_comes_near_the_optimum() -> None:
    shares = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        home = rng.integers(0, 3, 12)  # three kinds of tasks: company of the own kind helps
        affinity = np.where(np.equal.outer(home, home), 1.0, -1.0) + rng.normal(size=(12, 12))
        best = exact_grouping(affinity, max_groups=3)
        found = local_search(affinity, max_groups=3)
        assert found.objective <= best.objective + 1e-12
        assert best.objective <= found.bound + 1e-12
        shares.append(found.objective / best.objective)
    assert min(shares) > 0.85
    assert np.mean(shares) > 0.95

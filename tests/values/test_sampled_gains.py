"""Published tables of every set's gains, replayed: how good is the plan after training a few sets?

The whole replay with its contenders is the benchmark `sampled_gains`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.grouping import SubsetSearch, best_cover

Sets = NDArray[np.bool_]
FOLDER = Path(__file__).parents[3] / "shared" / "data" / "gt_mtgnet"
needs_tables = pytest.mark.skipif(not FOLDER.exists(), reason="needs ../shared/data/gt_mtgnet")


def ettm1() -> tuple[Sets, Array, Array]:
    """Sets, gains on validation, gains on test: seven channels of an electricity transformer."""
    sets = np.loadtxt(FOLDER / "ETTm1_x.csv") > 0
    valid, test = (
        np.where(sets, np.loadtxt(FOLDER / f"ETTm1_{part}.csv"), np.nan) for part in ("val_y", "y")
    )
    return sets, valid, test


def realised(sets: Sets, test: Array, served: list[tuple[int, ...]]) -> float:
    """Mean test gain of every task in the group that serves it."""
    row = {tuple(np.flatnonzero(one).tolist()): at for at, one in enumerate(sets)}
    return float(np.mean([test[row[group], task] for task, group in enumerate(served)]))


def replay(trained: tuple[int, ...], seed: int) -> list[float]:
    """Test gain of the plan with two groups after each number of sets, asked for five at a time."""
    sets, valid, test = ettm1()
    row = {one.tobytes(): at for at, one in enumerate(sets)}
    search = SubsetSearch(tasks=tuple("ABCDEFG"), max_groups=2, seed=seed, candidates=sets)
    found, batch = [], 8
    while len(search.gains.sets) < 8 + max(trained):
        asked = search.ask(batch)
        search.tell(asked, valid[[row[one.tobytes()] for one in asked]])
        batch = 5
        if len(search.gains.sets) - 8 in trained:
            plan = search.plan()
            found.append(realised(sets, test, [plan.group_of(t) for t in range(7)]))
    return found


@needs_tables
def test_the_references_of_ettm1() -> None:
    sets, valid, test = ettm1()
    for table, expected in ((valid, 0.1475), (test, 0.1717)):
        cover = best_cover(sets, table, 2)
        served = [cover.group_of(task) for task in range(7)]
        assert realised(sets, test, served) == pytest.approx(expected, abs=5e-5)
    assert realised(sets, test, [tuple(range(7))] * 7) == pytest.approx(0.0272, abs=5e-5)


@needs_tables
def test_few_sets_beat_the_published_predictors_on_ettm1() -> None:
    values = np.array([replay((10, 20), seed) for seed in range(4)])
    ten, twenty = values.mean(axis=0)
    assert (
        ten > 0.0844
    )  # TAG, the better of the published predictors; one group for all gains .0272
    assert twenty > 0.105  # a ridge surrogate on random sets


@needs_tables
@pytest.mark.slow
def test_ettm1_over_twenty_seeds() -> None:
    values = np.array([replay((10, 20, 40), seed) for seed in range(20)])
    ten, twenty, forty = values.mean(axis=0)
    assert ten > 0.105
    assert twenty > 0.121
    assert forty > 0.14

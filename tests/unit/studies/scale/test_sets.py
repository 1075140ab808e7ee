"""Which sets of sources a study of scale trains."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cotrain.errors import InputError
from cotrain.studies.scale.families import by_pattern
from cotrain.studies.scale.sets import ScaleGrid, plan_sets

GROUPS = {"a": range(0, 3), "b": range(3, 6), "c": range(6, 9)}


def test_sets_grow_one_within_the_other() -> None:
    plan = plan_sets(range(10), [50] * 10, GROUPS, ScaleGrid(draws=3))
    assert plan.sizes == (1, 2, 4, 8, 10)
    assert plan.examples == 50
    for own, alike in zip(plan.drawn, plan.fixed, strict=True):
        sets = [plan.sets[at] for at in own]
        assert [len(one.sources) for one in sets] == [1, 2, 4, 8, 10]
        for small, large in pairwise(sets):
            assert set(small.sources) < set(large.sources)
        cut = [plan.sets[at] for at in alike]
        assert [one.sources for one in cut] == [one.sources for one in sets]
        assert [one.labels for one in cut] == [50, 25, 12, 6, 5]
    assert plan.sets[0].sources == ()
    assert plan.sets[1].sources == tuple(range(10))
    assert {own[-1] for own in plan.drawn} == {1}
    assert len(set(plan.sets)) == len(plan.sets)


def test_all_unions_of_few_groups() -> None:
    plan = plan_sets(range(9), [50] * 9, GROUPS, ScaleGrid())
    assert len(plan.unions) == 7
    assert plan.sets[plan.unions["a", "c"]].sources == (0, 1, 2, 6, 7, 8)
    assert plan.unions["a", "b", "c"] == 1  # the groups are all there is


def test_some_unions_of_many_groups() -> None:
    groups = {f"g{n}": [n] for n in range(8)}
    plan = plan_sets(range(9), [50] * 9, groups, ScaleGrid(most_unions=12))
    sizes = [len(union) for union in plan.unions]
    assert len(plan.unions) == 12
    assert sizes == sorted(sizes)
    assert sizes.count(1) == 8
    assert plan.sets[plan.unions[tuple(groups)]].sources == tuple(
        range(8)
    )  # the ninth has no group


def test_draws_follow_the_sources_to_wherever_they_are_listed() -> None:
    plan = plan_sets([0, 1, 2, 3], [50] * 4, {"a": [0, 1], "b": [2, 3]}, ScaleGrid())
    turned = plan_sets([3, 2, 1, 0], [50] * 4, {"a": [3, 2], "b": [1, 0]}, ScaleGrid())
    for own, other in zip(plan.drawn, turned.drawn, strict=True):
        for x, y in zip(own, other, strict=True):
            assert {3 - s for s in plan.sets[x].sources} == set(turned.sets[y].sources)


@pytest.mark.parametrize(
    ("labels", "groups", "examples", "message"),
    [
        ([50] * 9, {"a": [0]}, None, "needs two groups of sources, found 1"),
        ([50] * 8 + [20], GROUPS, None, "20 examples are 2 for each of 9 sources"),
        ([50] * 8 + [20], GROUPS, 40, "more than the 20 labels of the smallest source"),
    ],
)
def test_too_little_to_go_on(
    labels: list[int], groups: dict[str, range], examples: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan_sets(range(9), labels, groups, ScaleGrid(examples=examples))


@pytest.mark.parametrize(
    ("field", "value"),
    [("draws", 0), ("seeds", 1), ("most_unions", 0), ("rows", 0), ("examples", 0), ("widths", ())],
)
def test_a_grid_that_trains_nothing(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{field} must be"):
        ScaleGrid(**{field: value})  # type: ignore[arg-type]


def test_groups_that_are_none() -> None:
    with pytest.raises(InputError, match="'dvd' is in two groups, 'media' and 'goods'"):
        by_pattern(["dvd", "baby"], {"media": ("dvd",), "goods": ("*",)})
    with pytest.raises(InputError, match=r"'cd\*' of group 'media' matches no task"):
        by_pattern(["dvd", "baby"], {"media": ("cd*",)})

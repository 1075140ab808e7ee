"""Which sets of sources encoders are pre-finetuned on.

Letters: S sources, G groups, D draws, Z sizes, X sets.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cotrain.engine.tuning import Setting
from cotrain.errors import InputError
from cotrain.studies.ranges import check_between, check_least
from cotrain.transfer import SWEEP, unions

FEWEST_LABELS = 4  # of a source in the largest set with a fixed number of examples


@dataclass(frozen=True, kw_only=True)
class ScaleGrid:
    """What a study of scale trains.

    Args:
        draws: Random orders of the sources; the first 1, 2, 4, … of each are sets.
        examples: Labels that every set has where their number is fixed; as many as the smallest source
            has if None.
        rows: Training rows of a target; None for all.
        settings: Tried for every start, none included.
        seeds: Of stage 2, at least 2.
        most_unions: Of more unions of groups, those of one group, all, and others drawn at random.
        widths: Hidden widths of the encoder.
        seed: Of the draws, stage 1 and the bootstrap.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    draws: int = 5
    examples: int | None = None
    rows: int | None = None
    settings: tuple[Setting, ...] = SWEEP
    seeds: int = 5
    most_unions: int = 15
    widths: tuple[int, ...] = (256, 256)
    seed: int = 0
    low_precision: bool = True

    def __post_init__(self) -> None:
        """Refuse what would train nothing, or fail after the training."""
        for name, least in (("draws", 1), ("seeds", 2), ("most_unions", 1)):
            check_least(name, getattr(self, name), least)
        for name in ("examples", "rows"):
            if (value := getattr(self, name)) is not None:
                check_least(name, value, 1)
        check_between("widths", self.widths, 0)


@dataclass(frozen=True, kw_only=True)
class SourceSet:
    """Sources of one encoder.

    Args:
        sources: Places, growing unless only some rows are read; empty for no stage 1.
        labels: Training labels that each of them keeps; all if None.
        epochs: Of a brief run over their rows; until early stopping if None.
        rows: How many rows a brief run reads, those of earlier sources first; all if None.
    """

    sources: tuple[int, ...]
    labels: int | None = None
    epochs: int | None = None
    rows: int | None = None


NONE = SourceSet(sources=())


@dataclass(frozen=True, kw_only=True)
class ScalePlan:
    """All sets of a study, each once, and where they are used. Places are those in ``sets``.

    Args:
        sets: ``[X]``; no sources, then all of them, come first.
        groups: ``[G]`` names.
        unions: Names of the groups of a union → place.
        sizes: ``[Z]`` growing numbers of sources, from 1 to all.
        drawn: ``[D][Z]`` places of growing random sets, with all of their labels.
        fixed: ``[D][Z]`` the same sources with the same number of labels in all, at every size.
        examples: That number.
    """

    sets: tuple[SourceSet, ...]
    groups: tuple[str, ...]
    unions: dict[tuple[str, ...], int]
    sizes: tuple[int, ...]
    drawn: tuple[tuple[int, ...], ...]
    fixed: tuple[tuple[int, ...], ...]
    examples: int


def plan_sets(
    order: Sequence[int],
    labels: Sequence[int],
    groups: Mapping[str, Sequence[int]],
    grid: ScaleGrid,
) -> ScalePlan:
    """Every set of a study.

    Args:
        order: The S sources in an order that does not depend on their places, for the draws.
        labels: ``[S]`` training labels of each.
        groups: Name → its sources; at least two.
        grid: How many of which.

    Raises:
        InputError: If there are too few groups or labels.

    >>> groups = {"a": [0, 1], "b": [2]}
    >>> plan = plan_sets(range(3), [12, 15, 90], groups, ScaleGrid(draws=1))
    >>> plan.sizes, plan.unions
    ((1, 2, 3), {('a',): 2, ('b',): 3, ('a', 'b'): 1})
    >>> [plan.sets[at].labels for at in plan.fixed[0]]
    [12, 6, 4]
    """
    sources = len(labels)
    if len(groups) < 2:
        raise InputError(f"a study of scale needs two groups of sources, found {len(groups)}")
    examples = grid.examples or min(labels)
    _check_examples(examples, labels)
    sizes = tuple(sorted({*(1 << n for n in range(sources.bit_length())), sources}))
    rng = np.random.default_rng(grid.seed)
    orders = [[order[at] for at in rng.permutation(sources)] for _ in range(grid.draws)]
    place: dict[SourceSet, int] = {}

    def of(chosen: Sequence[int], labels: int | None = None) -> int:
        own = SourceSet(sources=tuple(sorted(chosen)), labels=labels)
        return place.setdefault(own, len(place))

    of(())
    of(range(sources))
    found = {
        union: of([s for name in union for s in groups[name]])
        for union in _some_unions(tuple(groups), grid.most_unions, rng)
    }
    drawn = tuple(tuple(of(own[:size]) for size in sizes) for own in orders)
    fixed = tuple(tuple(of(own[:size], examples // size) for size in sizes) for own in orders)
    return ScalePlan(
        sets=tuple(place),
        groups=tuple(groups),
        unions=found,
        sizes=sizes,
        drawn=drawn,
        fixed=fixed,
        examples=examples,
    )


def _check_examples(examples: int, labels: Sequence[int]) -> None:
    sources, fewest = len(labels), min(labels)
    if examples > fewest:
        raise InputError(
            f"{examples:,} examples are more than the {fewest:,} labels of the smallest source: use "
            "fewer, or leave it out"
        )
    if examples // sources < FEWEST_LABELS:
        raise InputError(
            f"{examples:,} examples are {examples // sources} for each of {sources} sources, at least "
            f"{FEWEST_LABELS} are needed: leave out sources with few labels"
        )


def _some_unions(
    groups: tuple[str, ...], most: int, rng: np.random.Generator
) -> list[tuple[str, ...]]:
    """Single groups, then others, then all."""
    if 2 ** len(groups) - 1 <= most:
        return list(unions(groups))
    singles: list[tuple[str, ...]] = [(name,) for name in groups]
    others: set[tuple[str, ...]] = set()
    sizes = range(2, len(groups))
    wanted = min(max(0, most - len(groups) - 1), sum(math.comb(len(groups), n) for n in sizes))
    while len(others) < wanted:
        size = int(rng.integers(2, len(groups)))
        others.add(tuple(groups[at] for at in sorted(rng.choice(len(groups), size, replace=False))))
    return [*singles, *sorted(others, key=lambda union: (len(union), union)), groups]

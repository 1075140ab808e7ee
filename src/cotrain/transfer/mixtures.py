"""Mixtures of source tasks as weight vectors: which sources, and how much each counts by its size.

Letters: S sources.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

from cotrain.data.dataset import TaskData
from cotrain.errors import InputError

Weights = tuple[float, ...]

BY_SIZE = 1.0
"""The temperature at which every label counts alike."""

UNIFORM = math.inf
"""The temperature at which every source counts alike."""


def source_sizes(train: TaskData) -> tuple[int, ...]:
    """``[S]`` labels of each source."""
    return tuple(train.mask.sum(dim=0).tolist())


def mixture_weights(
    sizes: Sequence[int], sources: Iterable[int], *, temperature: float = BY_SIZE
) -> Weights:
    """``[S]`` weights of a mixture: 0 for what is not in it, else size^(1/temperature), of mean 1.

    At temperature 1 every label of the mixture counts alike, so a source counts by its size; at infinity
    (``UNIFORM``) every source counts alike; between, as in multilingual training (Arivazhagan et al. 2019,
    arXiv 1907.05019).

    Args:
        sizes: ``[S]`` labels of each source.
        sources: Those that are in the mixture.
        temperature: From 1 on.

    Raises:
        InputError: If the mixture is empty, a source is unknown, or the temperature is below 1.

    >>> mixture_weights([90, 10, 500], [0, 1])
    (1.8, 0.2, 0.0)
    >>> mixture_weights([90, 10, 500], [0, 1], temperature=2)
    (1.5, 0.5, 0.0)
    >>> mixture_weights([90, 10, 500], [0, 1], temperature=UNIFORM)
    (1.0, 1.0, 0.0)
    """
    if not temperature >= 1:
        raise InputError(f"temperature {temperature:g}: it is 1 (by size) up to infinity (uniform)")
    chosen = set(sources)
    unknown = chosen - set(range(len(sizes)))
    if unknown or not chosen:
        raise InputError(
            f"a mixture names sources from 0 to {len(sizes) - 1}, at least one; got {sorted(chosen)}"
        )
    raw = [float(size) ** (1 / temperature) if s in chosen else 0.0 for s, size in enumerate(sizes)]
    mean = sum(raw) / len(chosen)
    return tuple(value / mean for value in raw)


def unions(groups: Collection[str]) -> tuple[tuple[str, ...], ...]:
    """All non-empty unions of groups, small ones first.

    >>> unions(["a", "b", "c"])
    (('a',), ('b',), ('c',), ('a', 'b'), ('a', 'c'), ('b', 'c'), ('a', 'b', 'c'))
    """
    return tuple(
        union for size in range(1, len(groups) + 1) for union in combinations(groups, size)
    )

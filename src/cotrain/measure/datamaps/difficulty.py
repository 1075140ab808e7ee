"""How hard each task is: its examples' places on the data map, averaged, with standard errors.

An example with mean confidence μ and variability s is

- *easy* where μ − s > ½: one standard deviation of training does not bring its confidence to one half,
- *hard* where μ + s < ½,
- *ambiguous* otherwise.

This is our definition: Swayamdipta et al. rank the examples of one data set and cut at a third, which
gives every task the same shares. Letters: T tasks, N examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len

from cotrain.figures.text import MISSING, shorten, thousands

FloatArray = NDArray[np.float64]

_MOST_ROWS, _WIDEST_NAME = 20, 28


class Averages(NamedTuple):
    """``[T]`` means over a task's examples and their standard errors; NaN where undefined."""

    mean: FloatArray
    standard_error: FloatArray


@dataclass(frozen=True, kw_only=True)
class Difficulty:
    """Averages over the examples on each task's map: labelled and observed at least twice.

    The standard errors are those of drawing other examples, not of training again.

    Args:
        examples: ``[T]`` number of examples on the map.
        confidence: Mean confidence μ.
        variability: Standard deviation s of the confidence over epochs.
        correctness: Share of epochs with a correct prediction.
        forgetting: Forgetting events an example.
        easy: Share of easy examples.
        ambiguous: Share of ambiguous examples.
        hard: Share of hard examples.
    """

    examples: NDArray[np.int64]
    confidence: Averages
    variability: Averages
    correctness: Averages
    forgetting: Averages
    easy: Averages
    ambiguous: Averages
    hard: Averages

    @classmethod
    def from_tasks(cls, tasks: Iterable[NDArray[np.floating[Any]]]) -> Difficulty:
        """Average the examples of each task.

        Args:
            tasks: T times ``[4, N]``: confidence, variability, correctness and forgetting of a task's
                examples, NaN where undefined.
        """
        found = [_averages(_quantities(place.astype(np.float64))) for place in tasks]
        averages = np.array([each for each, _ in found])  # [T, 7, 2]
        names = [field.name for field in fields(cls)][1:]
        return cls(
            examples=np.array([count for _, count in found], dtype=np.int64),
            **{name: Averages(*averages[:, i].T) for i, name in enumerate(names)},
        )


def _quantities(place: FloatArray) -> FloatArray:
    """``[7, n]`` what is averaged, of the n examples on the map of one task, from all ``[4, N]``."""
    place = place[:, np.isfinite(place[1])]
    easy, hard = place[0] - place[1] > 0.5, place[0] + place[1] < 0.5
    return np.vstack([place, easy, ~easy & ~hard, hard])


def _averages(values: FloatArray) -> tuple[FloatArray, int]:
    """``[7, 2]`` mean and standard error of ``[7, n]``, and n."""
    quantities, count = values.shape
    undefined = np.full(quantities, np.nan)
    mean = values.mean(axis=1) if count else undefined
    error = values.std(axis=1, ddof=1) / count**0.5 if count > 1 else undefined
    return np.column_stack([mean, error]), count


def extremes(tasks: Sequence[str], values: FloatArray, most: int) -> tuple[list[int], list[int]]:
    """Tasks in rising order of their values: all, or the first and last ``most // 2``.

    Equal values go by name, undefined ones come last (and never count as extreme).

    >>> extremes(["a", "b", "c"], np.array([0.5, 0.1, np.nan]), 4)
    ([1, 0, 2], [])
    >>> extremes(["a", "b", "c", "d"], np.array([0.5, 0.1, np.nan, 0.2]), 2)
    ([1], [0])
    """
    order = sorted(range(len(tasks)), key=lambda t: (np.isnan(values[t]), values[t], tasks[t]))
    if len(order) <= most:
        return order, []
    defined = [t for t in order if not np.isnan(values[t])] or order
    half = most // 2
    return defined[:half], defined[half:][-half:]


def table(tasks: Sequence[str], difficulty: Difficulty) -> list[str]:
    """A line for each task: mean±standard error of every quantity; of many tasks the extremes."""
    low, high = extremes(tasks, difficulty.confidence.mean, _MOST_ROWS)
    quantities = [field.name for field in fields(difficulty)][1:]
    header = ["task", "examples", *quantities]
    rows = [_row(tasks[t], t, difficulty, quantities) for t in [*low, *high]]
    lines = _aligned([header, *rows])
    if high:
        lines.insert(1 + len(low), f"… {len(tasks) - len(rows):,} tasks left out")
    return [*lines, "± standard error over examples; easy: μ − s > ½, hard: μ + s < ½"]


def _row(name: str, task: int, difficulty: Difficulty, quantities: Sequence[str]) -> list[str]:
    cells = [getattr(difficulty, quantity) for quantity in quantities]
    return [
        shorten(name, _WIDEST_NAME),
        thousands(int(difficulty.examples[task])),
        *(_cell(each.mean[task], each.standard_error[task]) for each in cells),
    ]


def _cell(mean: float, error: float) -> str:
    if np.isnan(mean):
        return MISSING
    return f"{mean:.3f}±{MISSING if np.isnan(error) else f'{error:.3f}'}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    padded = [[" " * (w - cell_len(c)) for w, c in zip(widths, r, strict=True)] for r in rows]
    return [
        "  ".join([row[0] + pad[0], *(p + c for p, c in zip(pad[1:], row[1:], strict=True))])
        for row, pad in zip(rows, padded, strict=True)
    ]

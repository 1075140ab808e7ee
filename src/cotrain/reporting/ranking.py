"""Which scores stand out in a row, and which rows stand out in a table."""

import math
from collections.abc import Sequence

from cotrain.figures.text import MISSING, score
from cotrain.results import Interval, TaskResult

UNDEFINED = Interval(value=math.nan, low=math.nan, high=math.nan)


def contenders(tasks: Sequence[TaskResult]) -> tuple[str, ...]:
    """The contenders that any task was tested with, in the order of the columns."""
    tested = dict.fromkeys(contender for task in tasks for contender in task.test)
    return tuple(tested)


def best(task: TaskResult, columns: Sequence[str]) -> str:
    """The highest test score of a row as printed, so that ties to the eye are ties.

    It is empty where there is no score.

    Args:
        task: The row.
        columns: The contenders that the table shows, beside what is shipped.
    """
    shown = [task.shipped, *(task.test.get(name, math.nan) for name in columns)]
    defined = [value for value in shown if not math.isnan(value)]
    return score(max(defined)) if defined else ""


def by_gain(tasks: Sequence[TaskResult]) -> list[TaskResult]:
    """Tasks from the largest gain over single-task training to the largest loss; undefined last."""
    return sorted(tasks, key=_gain_key)


def _gain_key(task: TaskResult) -> tuple[bool, float]:
    gain = task.gain_over_single.value
    return (True, 0.0) if math.isnan(gain) else (False, -gain)


def extremes(
    tasks: Sequence[TaskResult], count: int
) -> tuple[list[TaskResult], list[TaskResult], int]:
    """The ``count`` largest gains, the ``count`` largest losses, and the number of other tasks."""
    ranked = [task for task in by_gain(tasks) if not math.isnan(task.gain_over_single.value)]
    top = ranked[:count]
    bottom = ranked[count:][-count:]
    return top, bottom, len(tasks) - len(top) - len(bottom)


def verdict(interval: Interval) -> str:
    """Whether a difference is a ``gain``, a ``loss``, ``unclear`` or ``undefined``."""
    if score(interval.value) == MISSING:
        return "undefined"
    if not interval.significant:
        return "unclear"
    return "gain" if interval.value > 0 else "loss"

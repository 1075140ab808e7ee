"""Tables and numbers as the result pages write them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(
    head: Sequence[object], rows: Iterable[Sequence[object]], *, rules: str = ""
) -> list[str]:
    """The lines of a table in Markdown.

    Args:
        head: Names of the columns.
        rows: Cells, one for each column.
        rules: A letter for each column, ``l`` or ``r``: where its cells stand; all left, if empty.
    """
    marks = ["---:" if rule == "r" else "---" for rule in rules or "l" * len(head)]
    return [f"| {line(head)} |", f"|{'|'.join(marks)}|", *(f"| {line(row)} |" for row in rows)]


def line(cells: Iterable[object]) -> str:
    """Cells side by side."""
    return " | ".join(map(str, cells))


def interval(value: float, low: float, high: float, *, digits: int = 4) -> str:
    """A difference with its 95 % interval."""
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def bold_interval(value: float, low: float, high: float, *, digits: int = 4) -> str:
    """A difference with its 95 % interval, in bold where that excludes zero."""
    text = interval(value, low, high, digits=digits)
    return f"**{text}**" if low > 0 or high < 0 else text


def with_error(value: float, error: float, *, digits: int = 4) -> str:
    """A signed value ± its standard error, if there is one."""
    known = error > 0 and not math.isnan(error)
    return f"{value:+.{digits}f}" + (f" ± {error:.{digits}f}" if known else "")


def minus(text: str) -> str:
    """With the sign that typesetters use."""
    return text.replace("-", "−")

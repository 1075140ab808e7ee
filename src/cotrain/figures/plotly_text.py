"""Untrusted text inside plotly, which reads its own small HTML in labels and hovers."""

import html
import math
import textwrap

from cotrain.figures.text import readable, shorten


def label(name: str, width: int = 28) -> str:
    """A task name for an axis: short, with plotly's tags and entities made inert.

    Quotes stay as they are: plotly decodes only a few entities, ``&quot;`` not among them.

    >>> label("<b>bold</b>")
    '&lt;b&gt;bold&lt;/b&gt;'
    """
    return html.escape(shorten(name, width), quote=False)


def hover(name: str, width: int = 60) -> str:
    """A task name in full for a hover box, on as many lines as it needs.

    >>> hover("a & b")
    'a &amp; b'
    """
    lines = textwrap.wrap(readable(name), width) or [""]
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def finite(value: float) -> float | None:
    """The value, or None (JSON ``null``) where plotly should draw nothing."""
    return float(value) if math.isfinite(value) else None


def thinned(size: int, most: int) -> list[int]:
    """Evenly spaced positions of at most ``most`` labels among ``size``.

    >>> thinned(5, 10), thinned(10, 4)
    ([0, 1, 2, 3, 4], [0, 3, 6, 9])
    """
    return list(range(0, size, max(1, math.ceil(size / most))))

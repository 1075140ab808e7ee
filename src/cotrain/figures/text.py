"""How names and numbers are written, the same way in every report."""

import math
import unicodedata

from cotrain.results import Interval

MISSING = "–"
_UNSAFE_CATEGORIES = {"Cc", "Cs"}  # control characters (terminal escapes), lone surrogates
_UNSAFE_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_PREFIXES = ("", " k", " M", " G", " T", " P", " E", " Z")


def readable(text: str) -> str:
    r"""The text on one line, with characters that act on the page instead of showing replaced.

    >>> readable("two\nlines \x1b[31mred")
    'two lines �[31mred'
    """
    return _inert(" ".join(text.split()))


def block(text: str) -> str:
    r"""The text with its lines and spaces, and characters that act on the page replaced.

    >>> block("a  b\n\x1b[31mred")
    'a  b\n�[31mred'
    """
    return "\n".join(_inert(line) for line in text.splitlines())


def _inert(line: str) -> str:
    return "".join("\ufffd" if _acts(character) else character for character in line)


def _acts(character: str) -> bool:
    return (
        unicodedata.category(character) in _UNSAFE_CATEGORIES
        or unicodedata.bidirectional(character) in _UNSAFE_DIRECTIONS
    )


def shorten(text: str, width: int) -> str:
    """A readable text of at most ``width`` characters that keeps both ends, where names differ.

    >>> shorten("assay_number_0012_viability", 15)
    'assay_n…ability'
    """
    line = readable(text)
    if len(line) <= width:
        return line
    tail = (width - 1) // 2
    return f"{line[: width - 1 - tail]}…{line[len(line) - tail :]}"


def score(value: float) -> str:
    """A score with three decimals.

    >>> score(0.83249), score(float("nan")), score(-0.0001)
    ('0.832', '–', '0.000')
    """
    if math.isnan(value):
        return MISSING
    written = f"{value:.3f}"
    return written.removeprefix("-") if float(written) == 0 else written


def signed(value: float) -> str:
    """A difference with its sign; a zero has none.

    >>> signed(0.0123), signed(-0.2), signed(0.0)
    ('+0.012', '-0.200', '0.000')
    """
    written = score(value)
    return written if math.isnan(value) or float(written) <= 0 else f"+{written}"


def limits(interval: Interval) -> str:
    """The ends of an interval.

    >>> limits(Interval(value=0.02, low=-0.01, high=0.05))
    '[-0.010, +0.050]'
    """
    if math.isnan(interval.low) and math.isnan(interval.high):
        return MISSING
    return f"[{signed(interval.low)}, {signed(interval.high)}]"


def compact(value: float) -> str:
    """Three digits and a prefix.

    >>> compact(950), compact(12_340), compact(3.4e13), compact(2.5), compact(float("nan"))
    ('950', '12.3 k', '34 T', '2.5', '–')
    """
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else str(value)
    step = 0
    while abs(value) >= 999.5 and step < len(_PREFIXES) - 1:
        value, step = value / 1000, step + 1
    return f"{value:.3g}{_PREFIXES[step]}"


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use.

    >>> duration(0.25), duration(42), duration(200), duration(9000)
    ('0.25 s', '42 s', '3.3 min', '2.5 h')
    """
    if math.isnan(seconds):
        return MISSING
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def multiple(value: float) -> str:
    """A cost as a multiple of one joint run.

    >>> multiple(2.449), multiple(0.031), multiple(25.0), multiple(float("nan"))
    ('2.4×', '0.03×', '25.0×', '–')
    """
    if math.isnan(value):
        return MISSING
    return f"{value:.2f}×" if value < 0.1 else f"{value:.1f}×"


def percent(share: float) -> str:
    """A share as whole percent.

    >>> percent(0.314), percent(float("nan"))
    ('31 %', '–')
    """
    return MISSING if math.isnan(share) else f"{share:.0%}".replace("%", " %")


def thousands(count: int) -> str:
    """A count with separators.

    >>> thousands(12345)
    '12,345'
    """
    return f"{count:,}"


def sortable(value: float) -> str:
    """What a page sorts a number by; empty (sorted last) where it is undefined.

    >>> sortable(0.125), sortable(float("nan"))
    ('0.125', '')
    """
    return "" if math.isnan(value) else f"{value:.9g}"

"""The result as one HTML file that works offline, prints, and trusts no text in it."""

import hashlib
import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from cotrain.figures.heatmap import matrix_figure
from cotrain.figures.section import Section
from cotrain.figures.style import Figure
from cotrain.figures.text import (
    block,
    compact,
    duration,
    limits,
    multiple,
    percent,
    readable,
    score,
    signed,
    sortable,
    thousands,
)
from cotrain.measure.measurement import Measurement
from cotrain.reporting import ledger
from cotrain.reporting.alternatives import alternatives_figure
from cotrain.reporting.gains import gains_figure
from cotrain.reporting.ranking import UNDEFINED, best, by_gain, contenders, verdict
from cotrain.results import GroupingSummary, Result

_WIDE_HEATMAP = 24  # tasks; from here on the heatmap takes the whole width


def render_html(result: Result, measurements: Sequence[Measurement] = ()) -> str:
    """Render the whole report.

    Args:
        result: What :mod:`cotrain.run.evaluation` found.
        measurements: Further measurements to show.

    Returns:
        The text of one self-contained HTML file. Its content security policy forbids every request
        and every script but the two that this package wrote.
    """
    return _page("report.html", _context(result) | {"measurements": measurements})


def render_measurements(title: str, measurements: Sequence[Measurement]) -> str:
    """Render measurements alone, as one self-contained HTML file like the report.

    Args:
        title: Name of the data set.
        measurements: What was measured.
    """
    return _page("measure.html", {"title": title, "measurements": measurements})


def render_study(title: str, subject: str, answer: str, sections: Sequence[Section]) -> str:
    """Render a study as one self-contained HTML file like the report, whatever was studied.

    Args:
        title: Name of the data set.
        subject: What was studied, in a few words.
        answer: What was found, as printed in the terminal.
        sections: The pictures; ``str`` of each is printed below it.
    """
    context = {"title": title, "subject": subject, "answer": answer}
    return _page("study.html", context | {"measurements": sections})


def render_grouping(
    title: str,
    grouping: GroupingSummary,
    limits: str,
    measurements: Sequence[Measurement] = (),
) -> str:
    """Render groups that were decided again, as one self-contained HTML file.

    Args:
        title: Name of the data set.
        grouping: The groups.
        limits: What they had to keep, in words.
        measurements: What else is known of them.
    """
    context = {"title": title, "grouping": grouping, "limits": limits, "measurements": measurements}
    return _page("group.html", context | {"figures": _grouping_figures(grouping)})


def _block(text: object) -> Markup:
    """Several lines as they stand, escaped."""
    return escape(block(str(text)))


def _page(template: str, context: dict[str, object]) -> str:
    nonce = hashlib.sha256(repr(context).encode("utf-8", "replace")).hexdigest()[:32]
    return (
        _environment()
        .get_template(template)
        .render(context | {"nonce": nonce, "plotly_js": _plotly_js()})
    )


def _context(result: Result) -> dict[str, object]:
    return {
        "result": result,
        "title": result.title,
        "tasks": by_gain(result.tasks),
        "columns": contenders(result.tasks),
        "verdicts": [verdict(task.gain_over_single) for task in result.tasks],
        "costs": ledger.by_purpose(result.costs),
        "total": ledger.total(result.costs),
        "deciding": ledger.deciding(result.costs),
        "figures": _figures(result),
        "wide": len(result.tasks) >= _WIDE_HEATMAP,
    }


def _figures(result: Result) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    if any(not math.isnan(task.gain_over_single.value) for task in result.tasks):
        figures["gains"] = gains_figure(result.tasks)
    if result.affinity is not None and len(result.affinity.tasks) > 1:
        figures["affinity"] = matrix_figure(
            result.affinity.tasks,
            np.array(result.affinity.mean),
            np.array(result.affinity.standard_error),
        )
    return figures | _grouping_figures(result.grouping)


def _grouping_figures(grouping: GroupingSummary) -> dict[str, Figure]:
    many = len(grouping.alternatives) > 1
    return {"alternatives": alternatives_figure(grouping)} if many else {}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cotrain.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (score, signed, limits, compact, duration, multiple, percent, thousands)
    filters = (*formats, best, verdict, sortable)
    environment.filters |= {function.__name__: function for function in filters}
    environment.filters["block"] = _block
    environment.globals |= {"nan": math.nan, "no_interval": UNDEFINED, "zip": zip}
    return environment


def _printable(value: object) -> object:
    """Every string that the template prints goes through here before it is escaped."""
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _plotly_js() -> Markup:
    from plotly.offline import get_plotlyjs  # heavy: only when a page is rendered

    return Markup(get_plotlyjs())  # plotly's own text, no part of it from the result

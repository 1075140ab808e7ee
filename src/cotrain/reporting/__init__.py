"""From a :class:`cotrain.results.Result` to what a person reads: a terminal table, one HTML file.

Reports only render. Every number was computed by :mod:`cotrain.run.evaluation` and is printed as it is
stored; the only arithmetic here is adding up the cost ledger. Names of tasks come from people's
files and are treated as hostile text in both renderings.

    from rich.console import Console
    from cotrain.reporting import print_result, render_html

    print_result(result, Console())
    Path("report.html").write_text(render_html(result), encoding="utf-8")

The HTML file needs no network: plotly.js is embedded once and a content security policy forbids
every request. plotly is imported when the first page is rendered, not when this package is.
"""

from cotrain.reporting.html import (
    render_grouping,
    render_html,
    render_measurements,
    render_study,
)
from cotrain.reporting.terminal import print_grouping, print_result

__all__ = [
    "print_grouping",
    "print_result",
    "render_grouping",
    "render_html",
    "render_measurements",
    "render_study",
]

"""Pages of results: every committed result has one, and numbers in tables do not break."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"[\s\d.,:;+\-−–±×%/()\[\]*<>≤≥msGMBk]*")


def check(app: Sphinx) -> None:
    """Warn, which stops the build, where one is without the other."""
    results = {path.stem for path in (ROOT / "benchmarks" / "results").glob("*.md")}
    pages = {path.stem for path in (ROOT / "docs" / "results").glob("*.md")} - {"index"}
    for name in sorted(results - pages):
        logging.getLogger(__name__).warning(
            "benchmarks/results/%s.md has no page: add docs/results/%s.md", name, name
        )


def mark_numbers(app: Sphinx, doctree: nodes.document, _docname: str) -> None:
    """Give cells that hold numbers and intervals the class ``num``, see ``site.css``."""
    for cell in doctree.findall(nodes.entry):
        if NUMBER.fullmatch(cell.astext()):
            cell["classes"].append("num")


def setup(app: Sphinx) -> dict[str, bool]:
    """Check before anything is read, mark before anything is written."""
    app.connect("builder-inited", check)
    app.connect("doctree-resolved", mark_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

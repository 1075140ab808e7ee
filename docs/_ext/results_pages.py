"""Every committed benchmark result has a page, and every page of results has its benchmark."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

ROOT = Path(__file__).parents[2]


def check(app: Sphinx) -> None:
    """Warn, which stops the build, where one is without the other."""
    results = {path.stem for path in (ROOT / "benchmarks" / "results").glob("*.md")}
    pages = {path.stem for path in (ROOT / "docs" / "results").glob("*.md")} - {"index"}
    for name in sorted(results - pages):
        logging.getLogger(__name__).warning(
            "benchmarks/results/%s.md has no page: add docs/results/%s.md", name, name
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Check before anything is read."""
    app.connect("builder-inited", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

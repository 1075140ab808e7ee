"""How the gallery shows what an example returns: plotly's figures without a network, in a fixed order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import plotly
import plotly.io as pio
from plotly.io.base_renderers import MimetypeRenderer

ORDER = (
    "own_table.py",
    "own_loop.py",
    "own_encoder.py",
    "domains.py",
    "transfer.py",
    "weights.py",
    "grouping.py",
    "for_a_paper.py",
)


def plotly_js() -> Path:
    """The one copy of plotly's script that all pages share."""
    return Path(plotly.__file__).parent / "package_data" / "plotly.min.js"


def in_order(name: str) -> int:
    """Place of an example in the gallery; new ones come last until they are named here."""
    return ORDER.index(name) if name in ORDER else len(ORDER)


class SiteRenderer(MimetypeRenderer):
    """A figure as a piece of HTML that reads plotly's script from the site itself."""

    def to_mimebundle(self, fig_dict: dict[str, Any]) -> dict[str, str]:
        """HTML with the path of a page in ``gallery/``."""
        script = '<script src="../_static/plotly.min.js"></script>'
        body = pio.to_html(
            fig_dict,
            include_plotlyjs=False,
            full_html=False,
            default_height="420px",
            config={"displayModeBar": False, "responsive": True},
        )
        return {"text/html": f'{script}<div class="figure">{body}</div>'}


def reset(_conf: dict[str, Any], _name: str) -> None:
    """Before every example: figures are shown by the site's renderer."""
    pio.renderers["site"] = SiteRenderer()
    pio.renderers.default = "site"

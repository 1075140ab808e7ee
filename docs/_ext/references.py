"""Links in docstrings: a public name is found wherever its module stands.

Docstrings link to the module that defines a name (``cotrain.engine.loss_weighting.Fixed``), the
reference documents it where people import it (``cotrain.weighting.Fixed``). A target whose last part is
the name of a documented object is that object, the nearest if there are several; what is internal stays
plain text.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

KINDS = ("class", "func", "meth", "data", "mod", "attr", "exc", "obj")


def resolve(
    app: Sphinx, env: BuildEnvironment, node: Any, contnode: nodes.Element
) -> nodes.Element | None:
    """The documented object that a docstring means."""
    if node.get("refdomain") != "py" or node.get("reftype") not in KINDS:
        return None
    last = node["reftarget"].lstrip(".~").rpartition(".")[2]
    found = [
        (name, entry)
        for name, entry in env.domains["py"].objects.items()
        if name.rpartition(".")[2] == last and not entry.aliased
    ]
    if not found:
        return None
    meant = node["reftarget"].split(".")
    name, entry = max(found, key=lambda one: len(set(meant) & set(one[0].split("."))))
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, contnode, name)


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen for links that Sphinx itself cannot resolve."""
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

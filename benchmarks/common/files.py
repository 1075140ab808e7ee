"""Writing and reading the results of benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Any, *, compact: bool = False) -> None:
    """JSON without NaN, which becomes null.

    Args:
        path: The file.
        content: Numbers, texts, lists and dictionaries.
        compact: Everything in one line.
    """
    if compact:
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    else:
        text = json.dumps(content, indent=1, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("NaN", "null") + "\n")


def read_json(path: Path) -> Any:
    """What the file holds."""
    return json.loads(path.read_text())


def write_page(path: Path, text: str, *, show: bool = True) -> None:
    """A page of Markdown, which is printed too unless told otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    if show:
        print(text, flush=True)

"""Where benchmarks read data and keep results."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("COTRAIN_DATA", ROOT.parent / "shared" / "data"))


def absent(folders: Iterable[str]) -> list[str]:
    """The folders of real data that are not there."""
    return [folder for folder in folders if not (DATA / folder).is_dir()]

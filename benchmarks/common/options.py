"""How a benchmark is asked to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.folders import RESULTS


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every benchmark is told.

    Args:
        quick: A small version that shows that it runs; its numbers mean nothing.
        out: The folder that results are written to.
    """

    quick: bool = False
    out: Path = RESULTS

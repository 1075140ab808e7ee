"""The grid of the scale study, which other benchmarks of sources share."""

from __future__ import annotations

from dataclasses import replace

from cotrain.studies import ScaleGrid
from cotrain.transfer import SWEEP

GRID = ScaleGrid(draws=3, widths=(64, 64), settings=(SWEEP[0], SWEEP[-2]))
QUICK_GRID = replace(GRID, draws=1, settings=(SWEEP[0],), seeds=2, most_unions=2)

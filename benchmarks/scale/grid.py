"""The grid of the scale study, which other benchmarks of sources share."""

from __future__ import annotations

from cotrain.studies import ScaleGrid
from cotrain.transfer import SWEEP

GRID = ScaleGrid(draws=3, widths=(64, 64), settings=(SWEEP[0], SWEEP[-2]))

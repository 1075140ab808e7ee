"""Scale against relatedness of source tasks: `cotrain study scale` on three data sets.

Published (Padmakumar et al. 2022): more source tasks help on average, a small related set is competitive at
lower cost, a mismatched one hurts, more tasks lower the variance over seeds. Measured here on review
domains, picture superclasses and assay families, also with the number of examples held fixed.

    python -m benchmarks scale   # writes benchmarks/results/scale_*.json, scale.{md,svg}
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.common.files import write_page
from benchmarks.common.options import Options
from benchmarks.common.source_sets import PROBLEMS
from benchmarks.scale.grid import GRID, QUICK_GRID
from benchmarks.scale.page import page, studies, write_figure
from cotrain.folder import RunFolder
from cotrain.studies import ScaleGrid, study_scale


def run(options: Options) -> None:
    """The studies, the page and the figure of all that are in the folder of results."""
    if options.quick:
        measure("reviews", QUICK_GRID, options.out)
    else:
        for name in PROBLEMS:
            measure(name, GRID, options.out)
    found = studies(options.out)
    write_page(options.out / "scale.md", page(found), show=False)
    write_figure(options.out / "scale.svg", found)


def measure(name: str, grid: ScaleGrid, out: Path) -> None:
    """Run one study and keep its result."""
    problem = PROBLEMS[name]()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = study_scale(
            problem.splits,
            targets=problem.targets,
            families=problem.families,
            out=Path(folder) / "run",
            grid=replace(grid, rows=problem.rows),
            title=name,
        )
        text = RunFolder(Path(folder) / "run").path("study.json").read_text()
    (out / f"scale_{name}.json").write_text(text)
    print(f"{name}: {time.monotonic() - began:.0f} s\n{found}", flush=True)
    for section in found.sections():
        print(f"\n{section.title}\n{section}", flush=True)

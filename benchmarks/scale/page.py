"""The page and the figure of the scale studies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from benchmarks.common.figures import Panel, Point, write_panels
from benchmarks.common.files import read_json
from benchmarks.common.markdown import table
from cotrain.results import Interval
from cotrain.studies import ScaleStudy

NAMES = ("reviews", "pictures", "assays")
ALL, FIXED = "#1a7fd4", "#c8691c"
ABOUT = """# Scale against relatedness of source tasks

`python -m benchmarks scale`. Encoders (MLP 64-64) of all unions of three or four
groups of sources, and of random sets of 1, 2, 4, … all (three random orders), are fine-tuned on unseen
targets; two settings tuned on validation for every start, none included; 5 seeds of stage 2. Once more with
the number of labels held fixed. 95 % intervals resample targets, random orders and seeds together. Every
encoder is trained once. Test rows were scored once, after everything else.

- reviews: is a review friendly? 16 domains, 1,000 hashed words; targets have 64 training rows. ROC AUC.
- pictures: which of five classes? 20 superclasses of CIFAR-100, 128 principal components; 64 training rows.
  Balanced accuracy.
- assays: ToxCast by family, Tox21's assays and two of ToxCast as targets with 256 training rows; no test
  molecule, nor its scaffold, among those of the sources. ROC AUC.

![gain over no sources against number of sources](scale.svg)

Blue: with all their labels; orange: the same sources with a fixed number of labels in all.
"""


def studies(folder: Path) -> list[ScaleStudy]:
    """Those of a folder of results."""
    read, found = TypeAdapter(ScaleStudy).validate_python, []
    for path in (folder / f"scale_{name}.json" for name in NAMES):
        if path.exists():
            content = read_json(path)
            del content["schema_version"]
            found.append(read(content))
    return found


def write_figure(path: Path, found: list[ScaleStudy]) -> None:
    """Gain over no sources by number of sources, a panel a data set."""
    panels = []
    for study in found:
        none = study.estimates.score[0].value
        points = [
            point
            for curve, colour, values in (
                ("all labels", ALL, study.estimates.by_size),
                (f"{study.examples} labels", FIXED, study.estimates.by_size_fixed),
            )
            for point in _curve(curve, colour, study.sizes, values, none)
        ]
        reach = max(2.0, *(abs(point.y) for point in points)) * 1.4
        step = max(1, round(reach / 3))
        ticks = tuple(np.arange(-2 * step, 3 * step, step).tolist())
        panels.append(
            Panel(
                title=f"{study.title}: gain over no sources, points",
                points=tuple(points),
                end=study.sizes[-1] * 1.6,
                low=-reach,
                high=reach,
                ticks=ticks,
                x_title="source tasks",
            )
        )
    write_panels(path, panels, ticks=(1, 2, 4, 8, 16, 32))


def _curve(
    name: str, colour: str, sizes: tuple[int, ...], values: tuple[Interval, ...], none: float
) -> list[Point]:
    return [
        Point(
            x=size,
            y=100 * (own.value - none),
            label=name if size == sizes[-1] else "",
            colour=colour,
            curve=name,
        )
        for size, own in zip(sizes, values, strict=True)
    ]


def page(found: list[ScaleStudy]) -> str:
    """Verdicts side by side, then every study in full."""
    claims = [finding.claim for finding in found[0].findings]
    rows = [
        (claim, *(str(one.findings[at].verdict) for one in found))
        for at, claim in enumerate(claims)
    ]
    lines = [ABOUT, *table(("finding", *(one.title for one in found)), rows)]
    for study in found:
        lines += [f"\n## {study.title}\n", "```", str(study), "```"]
        for section in study.sections():
            numbers = str(section).split("CONFIRMED here")[0].split("REFUTED here")[0]
            numbers = numbers.split("UNDECIDED here")[0].rstrip()
            lines += [f"\n{section.title}\n", "```", numbers, "```"]
    return "\n".join(lines) + "\n"

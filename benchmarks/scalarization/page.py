"""The page and the figure of the three findings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.figures import Panel, Point, write_panels
from benchmarks.common.markdown import table
from cotrain.results import Interval
from cotrain.studies.estimates import with_intervals
from cotrain.studies.findings import written
from cotrain.studies.scalarization.estimates import Estimates
from cotrain.studies.scalarization.findings import findings

POOLED = (
    "uniform_trend",
    "best_trend",
    "agreement",
    "yardstick",
    "regret",
    "transfer",
    "correlation",
)


def estimates(draws: dict[str, Any]) -> Any:
    """What the findings are judged by."""
    nothing = np.empty((len(draws["regret"]), 0))
    sizes = dict.fromkeys(("uniform_gain", "best_gain", "conflict"), nothing)
    return with_intervals(
        Estimates, {key: np.array(draws[key], dtype=float) for key in POOLED} | sizes
    )


def pooled(found: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Mean over the data sets, drawn independently; those without draws are left out."""
    means = {}
    for key in POOLED:
        every = [np.array(one["draws"][key], dtype=float) for one in found.values()]
        known = [own for own in every if np.isfinite(own[1:]).all()]
        means[key] = np.mean(known or [np.full_like(every[0], np.nan)], axis=0)
    return means


def page(found: dict[str, Any]) -> str:
    """Verdicts, a reading of them, and numbers."""
    judged = {name: estimates(one["draws"]) for name, one in found.items()}
    judged["mean over the data sets"] = estimates(pooled(found))
    rows = []
    for name, own in judged.items():
        one = found.get(name)
        counts = (str(one["pairs"]), f"{one['trainings']:,}") if one else ("", "")
        rows.append((name, *counts, *(finding.verdict for finding in findings(own))))
    head = ("data", "pairs", "trainings", "growth", "stability", "conflicts tell nothing")
    lines = [ABOUT, *table(head, rows), READING, "## Numbers", "", *numbers(judged)]
    lines += ["", "## By size", "", *by_size(found)]
    return "\n".join(lines) + "\n"


def numbers(judged: dict[str, Any]) -> list[str]:
    """What the verdicts rest on."""
    columns = {
        "uniform_trend": "gain for 10× the parameters, uniform",
        "best_trend": "the same, best weights",
        "agreement": "order of weights, small to large",
        "yardstick": "the same at one size",
        "regret": "regret of the smallest's weights",
        "transfer": "these over uniform",
        "correlation": "conflicts with gain, r",
    }
    rows = [(name, *(_cell(getattr(own, key)) for key in columns)) for name, own in judged.items()]
    return table(("data", *columns.values()), rows)


def _cell(one: Interval) -> str:
    return f"**{written(one)}**" if one.significant else written(one)


def by_size(found: dict[str, Any]) -> list[str]:
    """Gains at each size of the network."""
    rows = []
    for name, one in found.items():
        for at, size in enumerate(one["sizes"]):
            gains = [_cell(_interval(one[key][at])) for key in ("uniform_gain", "best_gain")]
            told = (name, one["metric"], str(one["rows"])) if at == 0 else ("", "", "")
            scale = (size, f"{one['parameters'][at]:,}", f"{one['alone'][at]:.3f}")
            rows.append((*told, *scale, *gains, f"{one['conflict'][at][0]:.0%}"))
    head = ("data", "metric", "training rows", "size", "parameters", "alone")
    return table((*head, "gain, uniform", "gain, best", "conflicting steps"), rows)


def _interval(numbers: list[float]) -> Interval:
    value, low, high = numbers
    return Interval(value=value, low=low, high=high)


def write_figure(path: Path, found: dict[str, Any]) -> None:
    """Gain against parameters, a panel for each data set."""
    colours = {"uniform_gain": ("uniform", "#1a7fd4"), "best_gain": ("best weights", "#c8691c")}
    panels = []
    for name, one in found.items():
        points = []
        for key, (label, colour) in colours.items():
            for at, (parameters, numbers) in enumerate(
                zip(one["parameters"], one[key], strict=True)
            ):
                value, low, high = (100 * number for number in numbers)
                last = at == len(one["sizes"]) - 1
                points.append(
                    Point(
                        x=parameters * (1.03 if key == "best_gain" else 1),
                        y=value,
                        error=(high - low) / 2,
                        label=label if last else "",
                        colour=colour,
                        curve=label,
                    )
                )
        reach = max(abs(point.y) + point.error for point in points)
        step = next(s for s in (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50) if 2.2 * s > reach)
        panels.append(
            Panel(
                title=f"{name}: gain over each task alone, in hundredths of {one['metric']}",
                points=tuple(points),
                end=max(one["parameters"]) * 2,
                low=-2.3 * step,
                high=2.3 * step,
                ticks=tuple(step * at for at in (-2, -1, 0, 1, 2)),
                x_title="shared parameters",
            )
        )
    write_panels(path, panels, ticks=(300, 1000, 3000, 10_000, 30_000, 100_000))


ABOUT = """# Scalarization: three findings of Royer et al. (2023), put to the test

`python -m benchmarks scalarization`: `cotrain.studies.study_scalarization` on four tables and two sets
of domains. Every pair of tasks is trained at three or five constant weights and each task alone, in
built-in networks of three widths and one or two depths, two or three learning rates (chosen for each
pair, weight and size on validation), two or three seeds. Gains are test scores less those of each task
alone in a network of the same size. Intervals (95 %) redraw pairs, seeds and test rows together, those
of the order of the weights pairs only; bold: zero is outside. Fewer than five pairs are not redrawn, and
have no interval of ranks and correlations. Seven numbers on six data sets: about two bold ones are to be
expected by chance.

- *growth*: the gain grows with model size. Slope of the mean gain of uniform weights over log10 of the
  shared parameters.
- *stability*: the best weights do not depend on model size. The order of the weights by validation
  score at a size against the order by test score at a larger one (rank correlation, different seeds)
  must agree at least half as well as at one size, where only noise is in the way (all of its interval
  above half of the other's upper end), and the smallest size's best weights must lose less than .02 to
  the largest one's own, both trained at the largest size (all of the interval). Refuted: the first is
  below zero, or the second above. Intervals of the two orders redraw pairs only.
- *conflicts tell nothing*: the correlation of the share of conflicting gradients with the validation
  gain, over pairs and sizes (paper: .06), has its whole interval within ±.3.

The mean over the data sets weighs them equally; it leaves out those without an interval.

![gain over training alone against model size](scalarization.svg)

## Verdicts
"""
READING = """
## What it says

- **The gain grows with model size: confirmed on the digits, undecided on the others and in the mean**
  (+.005 [−.013, +.021] for ten times the parameters). On the digits it grows by +.053 [+.030, +.077]:
  from −.074 in the smallest network, which has no room for two domains, to about zero in the largest,
  where it levels off. On the tables no size gains or loses much, so there is little that could grow.
- **The best weights are stable across model size: confirmed on yeast, undecided on the others and in
  the mean, refuted nowhere.** On yeast the order of the weights agrees between sizes (+.224 [+.162,
  +.286]) as well as at one size (+.243 [+.150, +.307]), and the smallest network's best weights cost
  the largest at most .016. In the mean it agrees half as well (+.070 [+.013, +.134] against +.137
  [+.083, +.189]), perhaps much less; the cost is small (.003 [−.016, +.018]). All of these correlations
  are low, and the search is worth nothing: the small network's best weights are level with uniform ones
  in the large network (.000 [−.015, +.015]), and on atp1d, chosen on its few validation rows,
  significantly worse (−.018).
- **Conflicting gradients do not predict the gain: undecided.** The mean correlation is +.13 [−.09,
  +.38]; the paper's .06 lies well inside, and no data set has one that differs from zero, but the
  intervals are too wide to call it none. A third of the steps conflict where gains are next to nothing.

What this cannot show: networks have 520 to 65,600 shared parameters, the paper's are thousands of times
larger; test splits are small (35 rows in atp1d, 39 in emotions), which is most of the intervals' width;
width and depth are not told apart.
"""

"""When does pre-finetuning pay? A target's score over the number of its training rows.

Letters: R numbers of rows, T targets, C contenders, S seeds, B bootstrap draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cotrain.arrays import Array
from cotrain.figures.series import Series, series_figure
from cotrain.figures.text import duration, multiple
from cotrain.folder import RunFolder
from cotrain.measure.measurement import Measurement
from cotrain.results import Interval
from cotrain.stats import finite_mean, seeds_and_rows_interval
from cotrain.transfer.finetune import SCRATCH, START

if TYPE_CHECKING:
    from cotrain.figures.style import Figure

WIDTH = 92  # characters in a printed line
FEW_SHOT = "few_shot.safetensors"
CONTENDERS = (SCRATCH, START, "trees")
NAMES = {SCRATCH: "from scratch", START: "pre-finetuned", "trees": "trees"}


@dataclass(frozen=True, kw_only=True)
class FewShot(Measurement):
    """Test scores of networks from scratch, pre-finetuned ones and trees, all trained on few rows.

    Args:
        rows: ``[R]`` training rows of the target, growing; the last number is all rows, and their mean
            number over the targets.
        scores: ``[R, T, C, S]`` test scores, C in the order of ``CONTENDERS``; NaN where a target has too
            few rows.
        redrawn: ``[B, R, C]`` their means over targets and seeds in B bootstrap draws of the test rows.
        trainings: Networks trained for the curves; on all rows they are the run's own contenders.
        examples: Training rows they processed.
        joint_runs: The same as a multiple of one joint run.
        seconds: What they took.
    """

    title: ClassVar[str] = "Few rows: when does pre-finetuning pay?"
    about: ClassVar[str] = (
        "Mean test score over the targets, each trained alone on so many of its rows: from scratch, from "
        "the pre-finetuned encoder, and by trees. Intervals are over test rows and over seeds, which draw "
        "the training rows and everything random. Settings are tuned, and training is stopped, on all "
        "validation rows. On all rows these are the contenders single, pretrained and trees, whose single "
        "models are scored here, not the mean prediction of their seeds."
    )

    rows: tuple[int, ...]
    scores: Array
    redrawn: Array
    trainings: int
    examples: int
    joint_runs: float
    seconds: float

    def mean(self, contender: str) -> list[Interval]:
        """``[R]`` mean score over targets, with its interval."""
        c = CONTENDERS.index(contender)
        return _intervals(mean_over_targets(self.scores)[:, c], self.redrawn[:, :, c])

    def gain(self, over: str) -> list[Interval]:
        """``[R]`` what starting from the encoder adds to a contender's mean score."""
        a, b = CONTENDERS.index(START), CONTENDERS.index(over)
        means = mean_over_targets(self.scores)
        return _intervals(means[:, a] - means[:, b], self.redrawn[:, :, a] - self.redrawn[:, :, b])

    def __str__(self) -> str:
        """A line for every number of rows, and one that answers."""
        lines = [f"{'rows':>8}  {'from scratch':>12}  {'pre-finetuned':>13}  {'trees':>6}  gain"]
        means = {name: self.mean(name) for name in CONTENDERS}
        for at, (rows, gain) in enumerate(zip(self.rows, self.gain(SCRATCH), strict=True)):
            values = [means[name][at].value for name in CONTENDERS]
            lines.append(
                f"{rows:>8,}  {values[0]:>12.3f}  {values[1]:>13.3f}  {values[2]:>6.3f}  "
                f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
            )
        return "\n".join([*lines, *wrap(self.verdict(), WIDTH), *wrap(self.bill(), WIDTH)])

    def bill(self) -> str:
        """What the curves cost."""
        return (
            f"{self.trainings:,} networks were trained for these curves: {multiple(self.joint_runs)} one "
            f"joint run, within the budget, in {duration(self.seconds)}."
        )

    def verdict(self) -> str:
        """At which numbers of rows pre-finetuning is proven to pay, or to cost."""
        gains = self.gain(SCRATCH)
        said = []
        for word, picked in (
            ("pays", [n for n, g in zip(self.rows, gains, strict=True) if g.low > 0]),
            ("costs", [n for n, g in zip(self.rows, gains, strict=True) if g.high < 0]),
        ):
            if picked:
                said.append(f"{word} at {', '.join(f'{n:,}' for n in picked)} rows")
        found = " and ".join(said) or "makes no proven difference over starting from scratch"
        count = f"{len(self.tasks)} target{'s' * (len(self.tasks) > 1)}"
        return f"Pre-finetuning {found} (mean test score, {count}; intervals over test rows and seeds)."

    def figure(self) -> Figure:
        """Mean scores over the number of rows."""
        series = [
            Series(name=NAMES[c], x=[rows * beside for rows in self.rows], y=self.mean(c))
            for c, beside in zip(
                CONTENDERS, (0.97, 1.0, 1.03), strict=True
            )  # so that no bar hides another
        ]
        return series_figure(
            series, x_title="training rows", y_title="mean test score", x_logarithmic=True
        )


def mean_over_targets(scores: Array) -> Array:
    """``[..., C, S]`` means of ``[..., T, C, S]`` over targets with a score of every contender and seed."""
    known = np.isfinite(scores).all(axis=(-2, -1), keepdims=True)
    return finite_mean(np.where(known, scores, np.nan), axis=-3)


def _intervals(values: Array, redrawn: Array) -> list[Interval]:
    """``[R]`` of ``[R, S]`` values and ``[B, R]`` draws."""
    return [
        seeds_and_rows_interval(own, drawn) for own, drawn in zip(values, redrawn.T, strict=True)
    ]


def read_few_shot(folder: RunFolder) -> tuple[FewShot, ...]:
    """The curves of a run that was given an encoder."""
    return (FewShot.load(folder.path(FEW_SHOT)),) if folder.has(FEW_SHOT) else ()

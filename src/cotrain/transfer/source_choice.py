"""What a choice of sources is: the ranking, the picks, and what both cost, in words and in a picture.

The unit of cost is pre-finetuning on all sources with early stopping, taken to last six epochs: it lasts
five to thirty (benchmarks/results/brief.md).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TypeVar

from cotrain.errors import InputError
from cotrain.figures.series import Series, series_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import duration, percent, shorten
from cotrain.folder import RunFolder

USUAL_EPOCHS = 6
RESULT = "sources.json"
MOST_LINES = 20


@dataclass(frozen=True, kw_only=True)
class SourceChoice:
    """Sources ranked for a target, and those picked; it prints, draws and saves itself.

    Args:
        title: Name of the data set.
        target: Name of the target.
        by: Who ranked.
        sources: ``[S]`` names, the best first.
        score: ``[S]`` what the ranker measured; 0 or less is not expected to help.
        cost: ``[S]`` share of the compute of pre-finetuning on all sources that a brief run on each takes.
        picked: Names of the chosen ones, the best first.
        rows: Share of the training rows of all sources that they are pre-finetuned on, see
            :func:`~cotrain.transfer.rows.first_rows`.
        epochs: Over these rows.
        share: Of the compute of pre-finetuning on all sources, what was allowed.
        measuring: Share of it that measuring took.
        least: Share that is needed besides, for something to be chosen; 0 if something was.
        seconds: Of measuring.
    """

    title: str
    target: str
    by: str
    sources: tuple[str, ...]
    score: tuple[float, ...]
    cost: tuple[float, ...]
    picked: tuple[str, ...]
    rows: float
    epochs: int
    share: float
    measuring: float
    least: float
    seconds: float

    def __post_init__(self) -> None:
        """Refuse what was not written whole."""
        counts = {len(self.sources), len(self.score), len(self.cost)}
        if len(counts) > 1 or not set(self.picked) <= set(self.sources):
            raise ValueError("sources, scores, costs and picks do not fit together")
        if len(set(self.picked)) < len(self.picked) or not 0 <= self.rows <= 1:
            raise ValueError("a source is picked twice, or more rows than there are")

    @property
    def pretraining(self) -> float:
        """Share of the compute that the brief run on the chosen ones will take."""
        return self.rows * self.epochs / USUAL_EPOCHS

    def __str__(self) -> str:
        """The best of the ranking, and the choice."""
        return f"{self.ranking(MOST_LINES)}\n{self.answer()}"

    def ranking(self, most: int | None = None) -> str:
        """Scores and costs, the chosen ones marked; all of them unless told."""
        shown = zip(self.sources[:most], self.score, self.cost, strict=False)
        lines = [
            f"  {'*' if name in self.picked else ' '} {shorten(name, 50):<50} {value + 0.0:>+9.3g} "
            f"{percent(cost):>6}"
            for name, value, cost in shown
        ]
        rest = len(self.sources) - len(lines)
        more = [f"    … and {rest} more"] if rest else []
        first = (
            f"{len(self.sources)} sources ranked for {shorten(self.target, 40)} by {self.by}: score (0: "
            f"nothing found), and compute of {self.epochs} epochs over each alone"
        )
        return "\n".join([first, *lines, *more])

    def answer(self) -> str:
        """What was chosen, what it costs, and why the others were left out."""
        measuring = f"measuring {percent(self.measuring)} ({duration(self.seconds)} here)"
        shares = "shares of the operations of pre-finetuning on all sources with early stopping"
        if not self.picked:
            wanted = math.ceil(100 * (self.measuring + self.least)) / 100
            fix = f"use a share of {wanted:g}" if wanted <= 1 else "rank by linear probes"
            return (
                f"chosen: none; what measuring leaves of the share buys too few labels: {fix}\n"
                f"compute: {measuring}, allowed {percent(self.share)}\n  ({shares})"
            )
        ranked = zip(self.sources, self.score, strict=True)
        unused = [value for name, value in ranked if name not in self.picked]
        useless = sum(value <= 0 for value in unused)
        reasons = (
            ("not expected to help", useless),
            ("beyond what is allowed, or of too few labels", len(unused) - useless),
        )
        left = ", ".join(f"{count} {reason}" for reason, count in reasons if count)
        return "\n".join(
            [
                f"chosen (*): {len(self.picked)}, with {percent(self.rows)} of the rows, those of the best "
                "first; others with the labels that these rows have of them",
                f"compute: {self.epochs} epochs {percent(self.pretraining)}, {measuring}, allowed "
                f"{percent(self.share)}",
                f"  ({shares})",
                *([f"left out: {left}"] if left else []),
            ]
        )

    def figure(self) -> Figure:
        """Scores by rank, the chosen ones in a colour of their own."""
        named_axis = len(self.sources) <= MOST_LINES
        first = 0 if named_axis else 1
        ranked = list(enumerate(zip(self.sources, self.score, strict=True), start=first))
        named = {
            "chosen": [one for one in ranked if one[1][0] in self.picked],
            "left out": [one for one in ranked if one[1][0] not in self.picked],
        }
        series = [
            Series(
                name=name,
                x=[rank for rank, _ in own],
                y=[value for _, (_, value) in own],
                texts=[source for _, (source, _) in own],
                joined=False,
            )
            for name, own in named.items()
            if own
        ]
        return series_figure(
            series,
            x_title="source, the best first" if named_axis else "rank",
            y_title=f"score by {self.by}",
            x_names=self.sources if named_axis else (),
        )

    def save(self, folder: RunFolder) -> None:
        """Write ``sources.json``."""
        folder.write_json(RESULT, dataclasses.asdict(self))


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What was measured, whatever share is allowed.

    Args:
        by: Who ranked.
        score: ``[S]`` in the order of the tasks.
        measuring: Share of pre-finetuning on all sources that it took.
        seconds: Of measuring.
    """

    by: str
    score: tuple[float, ...]
    measuring: float
    seconds: float


Kept = TypeVar("Kept", SourceChoice, Ranking)


def read_choice(folder: RunFolder) -> SourceChoice:
    """What :meth:`SourceChoice.save` wrote.

    Raises:
        InputError: If there is none, or the file is not what cotrain wrote.
    """
    if not folder.has(RESULT):
        raise InputError(f"{folder.root} holds no choice: give the --out folder of cotrain sources")
    return read_kept(folder, RESULT, SourceChoice)


def read_kept(folder: RunFolder, name: str, kind: type[Kept]) -> Kept:
    """What a file of the folder holds, or an error that says how to go on."""
    try:
        return folder.read(name, kind)
    except InputError as error:
        raise InputError(f"{error}: delete it and repeat cotrain sources with --resume") from error

"""Which sources to pre-finetune on for a target: rank them, and pick a set that fits a budget.

The unit of the budget is pre-finetuning on all sources, taken to last six passes over their training rows,
which is where early stopping ends it on small tables; what measuring takes counts. A set costs the share of
these rows that it has labels for.
Letters: S sources.
"""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from cotrain.artifacts import RunFolder
from cotrain.data.infer import match
from cotrain.data.taskdata import Splits, TaskData
from cotrain.errors import InputError
from cotrain.figures.series import Series, series_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import duration, percent, shorten
from cotrain.stages import claim_for
from cotrain.transfer.pretrain import check_sources
from cotrain.transfer.rankers import AnyRanker, ByLookahead, own_heads
from cotrain.transfer.source_data import of_sources, rows_of

Array = NDArray[np.float64]
PASSES = 6
RESULT = "sources.json"
MOST_LINES = 20
WORKING_FOLDER = "population"


@dataclass(frozen=True, kw_only=True)
class SourceChoice:
    """Sources ranked for a target, and those picked; it prints, draws and saves itself.

    Args:
        title: Name of the data set.
        target: Name of the target.
        by: Who ranked.
        sources: ``[S]`` names, the best first.
        score: ``[S]`` what the ranker measured; 0 or less is not expected to help.
        picked: Names of the chosen ones, the best first.
        budget: Share of the compute of pre-finetuning on all sources.
        measuring: Share that measuring took.
        pretraining: Share that pre-finetuning on the chosen ones will take.
        seconds: Of measuring.
    """

    title: str
    target: str
    by: str
    sources: tuple[str, ...]
    score: tuple[float, ...]
    picked: tuple[str, ...]
    budget: float
    measuring: float
    pretraining: float
    seconds: float

    def __str__(self) -> str:
        """The ranking and the choice."""
        shown = list(zip(self.sources, self.score, strict=True))[:MOST_LINES]
        lines = [
            f"  {'*' if name in self.picked else ' '} {shorten(name, 50):<50} {value:+.3g}"
            for name, value in shown
        ]
        rest = len(self.sources) - len(shown)
        more = [f"    … and {rest} more"] if rest else []
        return "\n".join(
            [
                f"{len(self.sources)} sources ranked for {shorten(self.target, 40)} by {self.by}",
                *lines,
                *more,
                f"chosen (*): {len(self.picked)}; they cost {percent(self.pretraining)} of pre-finetuning "
                f"on all, measuring {percent(self.measuring)} ({duration(self.seconds)}), of a budget of "
                f"{percent(self.budget)}",
            ]
        )

    def figure(self) -> Figure:
        """Scores by rank, the chosen ones in a colour of their own."""
        ranked = list(enumerate(zip(self.sources, self.score, strict=True), start=1))
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
        return series_figure(series, x_title="rank", y_title=f"score by {self.by}")

    def save(self, folder: RunFolder) -> None:
        """Write ``sources.json``."""
        folder.write_json(RESULT, dataclasses.asdict(self))


def read_choice(folder: RunFolder) -> SourceChoice:
    """What :meth:`SourceChoice.save` wrote.

    Raises:
        InputError: If there is none, or the file is not what cotrain wrote.
    """
    try:
        return TypeAdapter(SourceChoice).validate_python(folder.read_json(RESULT))
    except ValidationError as error:
        raise InputError(f"{folder.path(RESULT)} is damaged: {error.errors()[0]['msg']}") from error


def choose_sources(
    splits: Splits,
    *,
    target: str,
    out: str | Path,
    by: AnyRanker | None = None,
    budget: float = 0.35,
    most: int | None = None,
    title: str = "tasks",
) -> SourceChoice:
    """Rank all other tasks as sources for a target, and pick a set. Test rows stay sealed.

    Args:
        splits: Sources and target together, from :mod:`cotrain.data`.
        target: Name of the target.
        out: The run folder; an interrupted ranking is begun again, a finished one is read.
        by: The ranker; lookahead transference unless given.
        budget: Share of the compute of pre-finetuning on all sources, measuring included.
        most: At most so many sources.
        title: Name of the data set.

    Raises:
        InputError: If the target is not found, a source cannot be trained, or measuring alone is over
            the budget.
    """
    by = by or ByLookahead()
    if not 0 < budget <= 1:
        raise InputError(f"budget must be above 0 and at most 1, got {budget:g}")
    if most is not None and most < 1:
        raise InputError(f"at least 1 source must be allowed, got {most}")
    names = [task.name for task in splits.tasks]
    chosen = match([target], names, "target")
    if len(chosen) > 1 or len(names) < 2:
        raise InputError(f"{target!r} is {len(chosen)} of {len(names)} tasks: name one, of several")
    folder, own = RunFolder(Path(out)), names.index(chosen[0])
    sources = [t for t in range(len(names)) if t != own]
    train = of_sources(splits.development, sources)
    check_sources(train, {"all": (1.0,) * len(sources)})
    joint = own_heads(of_sources(splits.development, [*sources, own]))
    settings = {"target": chosen[0], "by": repr(by), "budget": budget, "most": most}
    claim_for(folder, splits, title, verb="sources", settings=settings)
    if folder.has(RESULT):
        return read_choice(folder)
    began = time.monotonic()
    ranked = by(RunFolder(folder.path(WORKING_FOLDER)), joint)
    measuring = ranked.examples / (PASSES * len(train.train))
    picked = pick(ranked.score, train.train, budget=budget - measuring, most=most)
    order = np.argsort(-ranked.score, kind="stable")
    found = SourceChoice(
        title=title,
        target=chosen[0],
        by=type(by).__name__.removeprefix("By").lower(),
        sources=tuple(names[sources[s]] for s in order),
        score=tuple(float(ranked.score[s]) for s in order),
        picked=tuple(names[sources[s]] for s in picked),
        budget=budget,
        measuring=measuring,
        pretraining=rows_of(train.train, picked) / len(train.train),
        seconds=time.monotonic() - began,
    )
    found.save(folder)
    return found


def pick(
    score: Array, train: TaskData, *, budget: float, most: int | None = None
) -> tuple[int, ...]:
    """Sources to train on, the best first.

    In the order of their scores, every source that still fits is taken. Those with a score of 0 or less
    are left out, unless all have one: then the first that fits is taken.

    Args:
        score: ``[S]``.
        train: Training rows of the sources.
        budget: Share of their rows that may be read.
        most: At most so many.

    Raises:
        InputError: If not one source fits.
    """
    allowed = budget * len(train)
    order = np.argsort(-score, kind="stable").tolist()
    helping = [s for s in order if score[s] > 0]
    picked: list[int] = []
    for s in helping or order:
        if len(picked) == (most or math.inf) or (picked and not helping):
            break
        if rows_of(train, [*picked, s]) <= allowed:
            picked.append(s)
    if not picked:
        least = min(rows_of(train, [s]) for s in order)
        raise InputError(
            f"after measuring, {percent(max(0.0, budget))} of the compute is left, and the smallest "
            f"source takes {percent(least / len(train))}: raise the budget"
        )
    return tuple(picked)

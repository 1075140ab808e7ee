"""Which sources to pre-finetune on for a target: rank them, and pick a set that fits a budget.

The unit of the budget is pre-finetuning on all sources with early stopping, taken to last six passes over
their training rows: it lasts five to thirty (benchmarks/results/brief.md). What measuring takes counts.
The choice is meant for a brief run of two passes
(:meth:`~cotrain.transfer.pretrain.Pretraining.brief`), a third of the unit for all sources: fewer passes
cost less of the score than fewer rows do (benchmarks/results/sources.md), so rows are dropped only where
even that does not fit, those of the last sources first.
Letters: S sources, N rows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import re
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cotrain.data.columns.infer import match
from cotrain.data.dataset import Development, Splits, TaskData
from cotrain.errors import InputError
from cotrain.figures.series import Series, series_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import duration, percent, shorten
from cotrain.folder import RunFolder
from cotrain.transfer.linear_probe import ByLinearProbe
from cotrain.transfer.pretrain import check_sources
from cotrain.transfer.rankers import AnyRanker, own_heads
from cotrain.transfer.source_data import first_rows, of_sources, rows_of

Array = NDArray[np.float64]
USUAL_PASSES = 6
PASSES = 2
FEWEST = 8  # labels of a chosen source
RANKING = "ranking.json"
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
        cost: ``[S]`` share of the compute of pre-finetuning on all sources that a brief run on each takes.
        picked: Names of the chosen ones, the best first.
        rows: Share of the training rows of all sources that they are pre-finetuned on, see
            :func:`~cotrain.transfer.source_data.first_rows`.
        passes: Over these rows.
        budget: Share of the compute of pre-finetuning on all sources.
        measuring: Share that measuring took.
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
    passes: int
    budget: float
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
        return self.rows * self.passes / USUAL_PASSES

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
            f"nothing found), and compute of {self.passes} passes over each alone"
        )
        return "\n".join([first, *lines, *more])

    def answer(self) -> str:
        """What was chosen, what it costs, and why the others were left out."""
        measuring = f"measuring {percent(self.measuring)} ({duration(self.seconds)} here)"
        shares = "shares of the operations of pre-finetuning on all sources with early stopping"
        if not self.picked:
            wanted = math.ceil(100 * (self.measuring + self.least)) / 100
            fix = f"use a budget of {wanted:g}" if wanted <= 1 else "rank by linear probes"
            return (
                f"chosen: none; what measuring leaves of the budget buys too few labels: {fix}\n"
                f"compute: {measuring}, budget {percent(self.budget)}\n  ({shares})"
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
                f"compute: {self.passes} passes {percent(self.pretraining)}, {measuring}, budget "
                f"{percent(self.budget)}",
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
    """What was measured, whatever the budget.

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
    return _read(folder, RESULT, SourceChoice)


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
        out: The run folder. An interrupted ranking is begun again; of a finished one only the set is picked
            again, under whatever budget.
        by: The ranker; linear probes unless given.
        budget: Share of the compute of pre-finetuning on all sources, measuring included.
        most: At most so many sources.
        title: Name of the data set.

    Raises:
        InputError: If the target is not found, or a source cannot be trained.
    """
    by = by or ByLinearProbe()
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
    asked = {"target": chosen[0], "by": repr(by)}
    folder.claim(splits.identity(verb="sources", title=title, settings=asked))
    if not folder.has(RANKING):
        joint = _flat(own_heads(of_sources(splits.development, [*sources, own])))
        _rank(folder, by, joint, len(train.train))
    ranking = _read(folder, RANKING, Ranking)
    score = np.array(ranking.score)
    if len(score) != len(sources) or not np.isfinite(score).all():
        raise InputError(f"{folder.path(RANKING)} is damaged: delete it and repeat the command")
    picked, rows = pick(score, train, budget=budget - ranking.measuring, most=most)
    order = np.argsort(-score, kind="stable")
    found = SourceChoice(
        title=title,
        target=chosen[0],
        by=ranking.by,
        sources=tuple(names[sources[s]] for s in order),
        score=tuple(ranking.score[s] for s in order),
        cost=tuple(
            rows_of(train.train, [s]) / len(train.train) * PASSES / USUAL_PASSES for s in order
        ),
        picked=tuple(names[sources[s]] for s in picked),
        rows=rows / len(train.train),
        passes=PASSES,
        budget=budget,
        measuring=ranking.measuring,
        least=0.0 if picked else least_budget(score, train),
        seconds=ranking.seconds,
    )
    found.save(folder)
    return found


def _rank(folder: RunFolder, by: AnyRanker, joint: Development, rows: int) -> None:
    """Measure, and keep it."""
    began = time.monotonic()
    ranked = by(RunFolder(folder.path(WORKING_FOLDER)), joint)
    shutil.rmtree(folder.path(WORKING_FOLDER), ignore_errors=True)
    found = Ranking(
        by=re.sub("([A-Z])", r" \1", type(by).__name__.removeprefix("By")).strip().lower(),
        score=tuple(ranked.score.tolist()),
        measuring=ranked.examples / (USUAL_PASSES * rows),
        seconds=time.monotonic() - began,
    )
    folder.write_json(RANKING, dataclasses.asdict(found))


def pick(
    score: Array, sources: Development, *, budget: float, most: int | None = None
) -> tuple[tuple[int, ...], int]:
    """Sources to train on, the best first, and how many of their rows; none and 0 if nothing fits.

    Rows are taken in the order of the scores until the budget of a brief run is used; sources that come
    later take part with the labels that these rows have of them. Those with a score of 0 or less are left
    out, unless all have one: then the first is taken; so are those with few labels in these rows.

    Args:
        score: ``[S]``.
        sources: Training and validation rows of the S sources.
        budget: Share of pre-finetuning on all of them.
        most: At most so many sources.
    """
    able = [s for s in np.argsort(-score, kind="stable").tolist() if _teaches(sources.train, s)]
    picked = tuple([s for s in able if score[s] > 0][:most] or able[:1])
    allowed = int(max(0.0, budget) * USUAL_PASSES / PASSES * len(sources.train))
    while True:  # a source that the rows say too little of is dropped, which may change the rows
        read = first_rows(sources, picked, allowed).train
        kept = tuple(s for s in picked if _teaches(read, s))
        if kept == picked:
            return picked, len(read)
        picked = kept


def least_budget(score: Array, sources: Development) -> float:
    """The smallest share, in hundredths, under which :func:`pick` chooses something; 1 if none."""
    shares = [n / 100 for n in range(1, 100 * PASSES // USUAL_PASSES + 2)]
    return next((share for share in shares if pick(score, sources, budget=share)[0]), 1.0)


def follow(choice: SourceChoice, splits: Splits) -> Splits:
    """The chosen sources of a data set, with as many of their training rows.

    Args:
        choice: As read back by :func:`read_choice`.
        splits: With all of the sources; other tasks are left out.

    Raises:
        InputError: If nothing was chosen, or a chosen source is not there.
    """
    tasks = [task.name for task in splits.tasks]
    if not choice.picked:
        raise InputError("no source was chosen: raise the --budget of cotrain sources")
    for name in choice.picked:
        if name not in tasks:
            raise InputError(
                f"chosen source {name!r} is not among the targets: give the --targets, and with "
                "--domain the column, of cotrain sources"
            )
    places = [tasks.index(name) for name in choice.sources if name in tasks]
    chosen = of_sources(splits.development, [tasks.index(name) for name in choice.picked])
    rows = round(choice.rows * rows_of(splits.development.train, places))
    read = first_rows(chosen, range(len(choice.picked)), rows)
    able = [s for s in range(len(choice.picked)) if _teaches(read.train, s)]
    if not able:
        raise InputError(
            f"the {rows:,} chosen rows have fewer than {FEWEST} labels of every chosen source, or all "
            "the same: raise the --budget of cotrain sources"
        )
    few = [name for s, name in enumerate(choice.picked) if s not in able]
    note = f"left out, too few labels in the chosen rows: {', '.join(few)}"
    digest = hashlib.sha256(f"{splits.digest} {choice.picked} {rows}".encode()).hexdigest()
    return replace(
        splits,
        development=of_sources(read, able),
        digest=digest,
        notes=(*splits.notes, *([note] if few else [])),
    )


def _flat(joint: Development) -> Development:
    """Inputs of any shape as one row of numbers, as rankers read them."""
    train, valid = (replace(d, inputs=d.inputs.flatten(1)) for d in (joint.train, joint.valid))
    return replace(joint, train=train, valid=valid)


def _teaches(train: TaskData, source: int) -> bool:
    """Whether it has some labels, and not all the same."""
    _, labels = train.labels(source)
    return len(labels) >= FEWEST and bool((labels != labels[0]).any())


def _read(folder: RunFolder, name: str, kind: type[Kept]) -> Kept:
    try:
        return folder.read(name, kind)
    except InputError as error:
        raise InputError(f"{error}: delete it and repeat cotrain sources with --resume") from error

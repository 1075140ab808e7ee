"""Which sources to pre-finetune on for a target: rank them, and pick a set under a share of the compute.

What measuring takes counts. The choice is meant for a brief run of two epochs
(:meth:`~cotrain.transfer.pretrain.Pretraining.brief`), a third of the unit for all sources (see
:mod:`cotrain.transfer.source_choice`): fewer epochs cost less of the score than fewer rows do
(benchmarks/results/sources.md), so rows are dropped only where even that does not fit, those of the last
sources first.
Letters: S sources, N rows.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cotrain.arrays import Array
from cotrain.data.columns.infer import match
from cotrain.data.dataset import Development, Splits, TaskData
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.transfer.pretrain import check_sources
from cotrain.transfer.rankers.by_short_run import AnyRanker, own_heads
from cotrain.transfer.rankers.linear_probe import ByLinearProbe
from cotrain.transfer.rows import first_rows, of_sources, rows_of
from cotrain.transfer.source_choice import USUAL_EPOCHS, Ranking, SourceChoice, read_kept

BRIEF_EPOCHS = 2
FEWEST = 8  # labels of a chosen source
RANKING = "ranking.json"
WORKING_FOLDER = "population"


def choose_sources(
    splits: Splits,
    *,
    target: str,
    out: str | Path,
    by: AnyRanker | None = None,
    share: float = 0.35,
    most: int | None = None,
    title: str = "tasks",
) -> SourceChoice:
    """Rank all other tasks as sources for a target, and pick a set. Test rows stay sealed.

    Args:
        splits: Sources and target together, from :mod:`cotrain.data`.
        target: Name of the target.
        out: The run folder. An interrupted ranking is begun again; of a finished one only the set is picked
            again, under whatever share.
        by: The ranker; linear probes unless given.
        share: Of the compute of pre-finetuning on all sources, measuring included, what may be used.
        most: At most so many sources.
        title: Name of the data set.

    Raises:
        InputError: If the target is not found, or a source cannot be trained.
    """
    by = by or ByLinearProbe()
    if not 0 < share <= 1:
        raise InputError(f"share must be above 0 and at most 1, got {share:g}")
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
    ranking = read_kept(folder, RANKING, Ranking)
    score = np.array(ranking.score)
    if len(score) != len(sources) or not np.isfinite(score).all():
        raise InputError(f"{folder.path(RANKING)} is damaged: delete it and repeat the command")
    picked, rows = pick(score, train, share=share - ranking.measuring, most=most)
    order = np.argsort(-score, kind="stable")
    found = SourceChoice(
        title=title,
        target=chosen[0],
        by=ranking.by,
        sources=tuple(names[sources[s]] for s in order),
        score=tuple(ranking.score[s] for s in order),
        cost=tuple(
            rows_of(train.train, [s]) / len(train.train) * BRIEF_EPOCHS / USUAL_EPOCHS
            for s in order
        ),
        picked=tuple(names[sources[s]] for s in picked),
        rows=rows / len(train.train),
        epochs=BRIEF_EPOCHS,
        share=share,
        measuring=ranking.measuring,
        least=0.0 if picked else least_share(score, train),
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
        measuring=ranked.examples / (USUAL_EPOCHS * rows),
        seconds=time.monotonic() - began,
    )
    folder.write_json(RANKING, dataclasses.asdict(found))


def pick(
    score: Array, sources: Development, *, share: float, most: int | None = None
) -> tuple[tuple[int, ...], int]:
    """Sources to train on, the best first, and how many of their rows; none and 0 if nothing fits.

    Rows are taken in the order of the scores until the share is used by a brief run; sources that come
    later take part with the labels that these rows have of them. Those with a score of 0 or less are left
    out, unless all have one: then the first is taken; so are those with few labels in these rows.

    Args:
        score: ``[S]``.
        sources: Training and validation rows of the S sources.
        share: Of the compute of pre-finetuning on all of them, what the brief run may use.
        most: At most so many sources.
    """
    able = [s for s in np.argsort(-score, kind="stable").tolist() if _teaches(sources.train, s)]
    picked = tuple([s for s in able if score[s] > 0][:most] or able[:1])
    allowed = int(max(0.0, share) * USUAL_EPOCHS / BRIEF_EPOCHS * len(sources.train))
    while True:  # a source that the rows say too little of is dropped, which may change the rows
        read = first_rows(sources, picked, allowed).train
        kept = tuple(s for s in picked if _teaches(read, s))
        if kept == picked:
            return picked, len(read)
        picked = kept


def least_share(score: Array, sources: Development) -> float:
    """The smallest share, in hundredths, under which :func:`pick` chooses something; 1 if none."""
    tried = [n / 100 for n in range(1, 100 * BRIEF_EPOCHS // USUAL_EPOCHS + 2)]
    return next((share for share in tried if pick(score, sources, share=share)[0]), 1.0)


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
        raise InputError("no source was chosen: raise the --share of cotrain sources")
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
            "the same: raise the --share of cotrain sources"
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
    """Whether a source has some labels, and not all the same."""
    _, labels = train.labels(source)
    return len(labels) >= FEWEST and bool((labels != labels[0]).any())

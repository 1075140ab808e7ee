"""What is trained, and the result, from data to :class:`~cotrain.studies.scale.result.ScaleStudy`.

Departures from the paper: the encoder is the built-in MLP, not a language model; the setting of every start
is chosen on the target's validation rows; a target's related group is its own if it has one, else the one
with the best validation score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cotrain.data.columns.infer import match
from cotrain.data.dataset import Splits
from cotrain.data.identity import row_keys
from cotrain.engine.engine import Watch
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.studies.estimates import with_intervals
from cotrain.studies.scale.estimates import ScaleEstimates, numbers_and_draws, related_groups
from cotrain.studies.scale.families import groups_of
from cotrain.studies.scale.result import ScaleSet, ScaleStudy
from cotrain.studies.scale.scores import BY_VALIDATION, ScaleScores, collect
from cotrain.studies.scale.sets import ScaleGrid, ScalePlan, plan_sets
from cotrain.studies.scale.trainer import ScaleTrainer
from cotrain.studies.study import run_study
from cotrain.transfer import source_sizes
from cotrain.transfer.rows import of_sources

DEFAULTS = ScaleGrid()


def study_scale(
    splits: Splits,
    *,
    targets: Sequence[str],
    families: Mapping[str, str],
    out: str | Path,
    grid: ScaleGrid = DEFAULTS,
    title: str = "tasks",
    allow_overlap: bool = False,
    watch: Watch = lambda _: None,
) -> ScaleStudy:
    """Pre-finetune on many sets of sources, fine-tune every target from each, and judge the findings.

    Args:
        splits: Sources and targets together, from :mod:`cotrain.data`.
        targets: Names or patterns of the tasks that stage 1 must not see; all others are sources.
        families: Name of a task → its group of related ones, of sources and targets; see
            :mod:`cotrain.studies.scale.families`.
        out: The run folder; an interrupted study of the same data and grid is continued.
        grid: What is trained.
        title: Name of the data set.
        allow_overlap: Let test rows pass whose inputs sources are trained on.
        watch: Called with progress updates.

    Raises:
        InputError: If a target is not found, there are too few sources, groups or labels, or test rows
            are training rows of sources.
    """
    tasks = splits.tasks
    names = [task.name for task in tasks]
    at = [names.index(name) for name in match(targets, names, "target")]
    sources = tuple(t for t in range(len(tasks)) if t not in at)
    groups = groups_of([names[s] for s in sources], families)
    development = of_sources(splits.development, sources) if sources else splits.development
    overlap = _overlap(splits, sources)
    if overlap and not allow_overlap:
        raise InputError(f"{overlap}: split by group, or say --allow-overlap")
    order = sorted(range(len(sources)), key=development.train.label_key)
    plan = plan_sets(order, source_sizes(development.train), groups, grid)
    own = [families.get(names[t]) for t in at]
    family = [plan.groups.index(g) if g in plan.groups else BY_VALIDATION for g in own]
    notes = (*splits.notes, *((f"{overlap}: scores may flatter",) if overlap else ()))

    def study(folder: RunFolder) -> ScaleStudy:
        trainer = ScaleTrainer(
            splits=splits, sources=sources, folder=folder, grid=grid, watch=watch
        )
        scores = collect(trainer, tasks, at, family, plan)
        called = [names[s] for s in sources]
        found = make_study(scores, plan, groups, called, grid, title=title, notes=notes)
        scores.write(folder, [one.sources for one in found.sets])
        return found

    return run_study(
        ScaleStudy,
        splits,
        study,
        name="scale",
        out=out,
        title=title,
        settings=dataclasses.asdict(grid) | {"targets": tuple(targets), "families": dict(families)},
    )


def make_study(
    scores: ScaleScores,
    plan: ScalePlan,
    groups: Mapping[str, Sequence[int]],
    sources: Sequence[str],
    grid: ScaleGrid,
    *,
    title: str,
    notes: tuple[str, ...] = (),
) -> ScaleStudy:
    """The result from what training gave."""
    related = related_groups(scores, scores.valid, np.array(scores.family))
    named = _set_names(plan)
    mean = scores.test.mean(axis=2)
    sets = tuple(
        ScaleSet(
            name=named[x],
            sources=tuple(sources[s] for s in own.sources),
            labels=own.labels,
            score=tuple(mean[x].tolist()),
            epoch_examples=float(scores.epoch_examples[x]),
            epoch_seconds=float(scores.epoch_seconds[x]),
            examples=float(scores.examples[x]),
            seconds=float(scores.seconds[x]),
        )
        for x, own in enumerate(plan.sets)
    )
    return ScaleStudy(
        title=title,
        targets=scores.targets,
        related=tuple(plan.groups[g] for g in related),
        by_name=tuple(own != BY_VALIDATION for own in scores.family),
        groups={name: tuple(sources[s] for s in own) for name, own in groups.items()},
        sets=sets,
        unions={" + ".join(union): x for union, x in plan.unions.items()},
        sizes=plan.sizes,
        draws=len(plan.drawn),
        seeds=scores.test.shape[2],
        examples=plan.examples,
        estimates=with_intervals(ScaleEstimates, numbers_and_draws(scores, seed=grid.seed)),
        notes=notes,
    )


def _set_names(plan: ScalePlan) -> list[str]:
    """Name of every set: its groups if it is a union of some, else how many sources it has."""
    unions = {x: " + ".join(union) for union, x in plan.unions.items()}
    return [
        "none"
        if not own.sources
        else "all"
        if len(own.sources) == plan.sizes[-1] and own.labels is None
        else unions.get(x, f"{len(own.sources)} random")
        for x, own in enumerate(plan.sets)
    ]


def _overlap(splits: Splits, sources: Sequence[int]) -> str:
    """How many test rows have the inputs of rows that stage 1 learns from, or stops by; empty if none."""
    development = of_sources(splits.development, sources)
    keys = [row_keys(data.inputs) for data in (development.train, development.valid)]
    known = splits.test.count_known(np.concatenate(keys))
    if not known:
        return ""
    return f"{known:,} of {len(splits.test):,} test rows have the inputs of rows that sources learn from"

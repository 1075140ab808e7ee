"""Choosing sources for a target: five rankers against all sources, the best group, and chance.

For every target of the benchmark `scale` each ranker looks at training and validation rows and picks sets
under budgets of .35, .2 and .1 of pre-finetuning on all sources, its own measuring included. Encoders
of all sources and of all unions of groups are trained until early stopping; of the picked sets, of
random ones, and of all sources for two passes. The target is fine-tuned from each (same sweep, 5
seeds), and its test rows are scored. All of it three times, with other seeds of rankers, draws and
encoders. The compute is what was really spent, as a share of what all sources really took. Encoders of
each source alone show what the rankings are worth.

    python -m benchmarks sources   # writes benchmarks/results/sources_*.json, sources.md
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.files import write_json, write_page
from benchmarks.common.options import Options
from benchmarks.common.source_sets import PROBLEMS, Problem
from benchmarks.scale.grid import GRID, QUICK_GRID
from benchmarks.sources.page import page
from cotrain.folder import RunFolder
from cotrain.studies import ScaleGrid
from cotrain.studies.scale.families import groups_of
from cotrain.studies.scale.scores import StageOne
from cotrain.studies.scale.sets import NONE, SourceSet
from cotrain.studies.scale.trainer import ScaleTrainer
from cotrain.studies.trainer import StudyDesign
from cotrain.transfer import (
    AnyRanker,
    ByGradients,
    ByLinearProbe,
    ByLookahead,
    ByRepresentation,
    BySampling,
    ShortRun,
    choose_sources,
    unions,
)
from cotrain.transfer.rows import of_sources
from cotrain.transfer.source_choice import USUAL_EPOCHS
from cotrain.transfer.sources import BRIEF_EPOCHS, pick

BUDGETS = (0.35, 0.2, 0.1)
RANKERS = ("linear probe", "lookahead", "gradients", "representation", "sampled")
SEEDS = 3
ALONE = 8  # passes over a source alone


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured.

    Args:
        names: Of the data sets.
        budgets: Shares of pre-finetuning on all sources.
        seeds: Of rankers, draws and encoders.
        targets: At most so many of each data set.
        rankers: Their names.
        grid: How sources are pre-finetuned and targets fine-tuned.
    """

    names: tuple[str, ...] = tuple(PROBLEMS)
    budgets: tuple[float, ...] = BUDGETS
    seeds: int = SEEDS
    targets: int = 5
    rankers: tuple[str, ...] = RANKERS
    grid: ScaleGrid = GRID


QUICK = Plan(
    names=("reviews",),
    budgets=(0.1,),
    seeds=1,
    targets=1,
    rankers=("linear probe",),
    grid=QUICK_GRID,
)


def run(options: Options) -> None:
    """All data sets, and the page where they are all there."""
    plan = QUICK if options.quick else Plan()
    for name in plan.names:
        result = measure(PROBLEMS[name](), plan)
        write_json(options.out / f"sources_{name}.json", result)
        print(f"{name}: {result['seconds']:.0f} s", flush=True)
    if not options.quick:
        write_page(options.out / "sources.md", page(options.out), show=False)


def rankers(seed: int) -> dict[str, AnyRanker]:
    """Name → ranker."""
    run = ShortRun(widths=GRID.widths, epochs=0.4, seed=seed)
    return {
        "linear probe": ByLinearProbe(widths=GRID.widths, seed=seed),
        "lookahead": ByLookahead(run=run),
        "gradients": ByGradients(run=run),
        "representation": ByRepresentation(run=run),
        "sampled": BySampling(run=replace(run, epochs=0.12), sets=8),
    }


def picks(
    problem: Problem, folder: Path, seed: int, plan: Plan
) -> dict[str, dict[str, dict[str, Any]]]:
    """Target → who picked under which budget → sources, measuring in training examples, ranking."""
    names = [task.name for task in problem.splits.tasks]
    sources = [name for name in names if name not in problem.targets]
    rest = [names.index(name) for name in sources]
    stage_one = of_sources(problem.splits.development, rest)
    train = stage_one.train
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for target in problem.targets[: plan.targets]:
        data = of_sources(problem.splits.development, [*rest, names.index(target)])
        splits = replace(problem.splits, development=data)
        found[target] = {}
        for by, ranker in rankers(seed).items():
            for budget in plan.budgets if by in plan.rankers else ():
                out = folder / target / by
                chosen = choose_sources(splits, target=target, out=out, by=ranker, share=budget)
                found[target][f"{by} {budget:g}"] = {
                    "sources": list(chosen.picked),
                    "rows": round(chosen.rows * len(train)),
                    "measuring": chosen.measuring * USUAL_EPOCHS * len(train),
                    "ranking": dict(zip(chosen.sources, chosen.score, strict=True)),
                    "seconds": chosen.seconds,
                }
        luck = np.random.default_rng((seed, names.index(target))).random(len(sources))
        for budget in plan.budgets:
            own, rows = pick(luck, stage_one, share=budget)
            found[target][f"chance {budget:g}"] = {
                "sources": [sources[s] for s in own],
                "rows": rows,
                "measuring": 0.0,
            }
    return found


def measure(problem: Problem, plan: Plan) -> dict[str, Any]:
    """Scores and costs of every target and contender."""
    began = time.monotonic()
    own = [task.name for task in problem.splits.tasks if task.name not in problem.targets]
    groups = groups_of(own, problem.families)
    return {
        "targets": list(problem.targets),
        "groups": {group: [own[s] for s in members] for group, members in groups.items()},
        "family": {target: problem.families.get(target) for target in problem.targets},
        "seeds": [once(problem, own, groups, seed, plan) for seed in range(plan.seeds)],
        "seconds": time.monotonic() - began,
    }


def once(
    problem: Problem, own: list[str], groups: Mapping[str, Sequence[int]], seed: int, plan: Plan
) -> dict[str, Any]:
    """With one seed; each source alone with the first."""
    everything = tuple(range(len(own)))
    fixed = {
        "none": NONE,
        "all": SourceSet(sources=everything),
        "all, two passes": SourceSet(sources=everything, epochs=BRIEF_EPOCHS),
    }
    for union in unions(tuple(groups)):
        members = tuple(sorted(s for group in union for s in groups[group]))
        fixed[" + ".join(union)] = SourceSet(sources=members)
    if seed == 0 and plan != QUICK:
        fixed |= {f"only {own[s]}": SourceSet(sources=(s,), epochs=ALONE) for s in everything}
    with tempfile.TemporaryDirectory() as folder:
        picked = picks(problem, Path(folder) / "picks", seed, plan)
        contenders = {
            target: fixed | {by: _set(own, one) for by, one in picked[target].items()}
            for target in picked
        }
        names = [task.name for task in problem.splits.tasks]
        trainer = ScaleTrainer(
            splits=problem.splits,
            sources=tuple(names.index(one) for one in own),
            folder=RunFolder(Path(folder) / "run"),
            grid=replace(plan.grid, rows=problem.rows, seed=seed),
            watch=lambda _: None,
        )
        sets = list(dict.fromkeys(one for each in contenders.values() for one in each.values()))
        stage_one = trainer.pretrain(sets)
        return {
            "scores": score(trainer, contenders, names),
            "picked": picked,
            "examples": costs(contenders, sets, stage_one),
        }


def _set(own: list[str], picked: dict[str, Any]) -> SourceSet:
    places = tuple(own.index(one) for one in picked["sources"])
    return SourceSet(sources=places, epochs=BRIEF_EPOCHS, rows=picked["rows"]) if places else NONE


def score(
    trainer: ScaleTrainer, contenders: dict[str, dict[str, SourceSet]], names: list[str]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Target → contender → scores of the seeds; the test rows come last."""
    distinct = {target: list(dict.fromkeys(own.values())) for target, own in contenders.items()}
    valid = {t: trainer.finetune(names.index(t), own) for t, own in distinct.items()}
    compared = {by for own in contenders.values() for by in own}
    design = StudyDesign(tasks=trainer.splits.tasks, compared=tuple(sorted(compared)))
    found = {}
    for target, own in distinct.items():
        test = trainer.test(design, names.index(target), own)
        found[target] = {
            by: {
                "valid": valid[target][own.index(one)].tolist(),
                "test": test[own.index(one)].tolist(),
            }
            for by, one in contenders[target].items()
        }
    return found


def costs(
    contenders: dict[str, dict[str, SourceSet]], sets: list[SourceSet], stage_one: StageOne
) -> dict[str, dict[str, float]]:
    """Target → contender → training examples of its stage 1."""
    return {
        target: {by: float(stage_one.examples[sets.index(one)]) for by, one in own.items()}
        for target, own in contenders.items()
    }

"""Choosing sources for a target: five rankers against all sources, the best group, and chance.

For every target of benchmarks/scale.py each ranker looks at training and validation rows and picks sets
under budgets of .35, .2 and .1 of pre-finetuning on all sources, its own measuring included. Encoders
of all sources and of all unions of groups are trained until early stopping; of the picked sets, of
random ones, and of all sources for two passes. The target is fine-tuned from each (same sweep, 5
seeds), and its test rows are scored. All of it three times, with other seeds of rankers, draws and
encoders. The compute is what was really spent, as a share of what all sources really took. Encoders of
each source alone show what the rankings are worth.

    python benchmarks/sources.py [reviews] [pictures] [assays]   # writes results/sources_*.json
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scale import GRID
from source_sets import PROBLEMS, Problem

from cotrain.folder import RunFolder
from cotrain.run.selection import settled
from cotrain.studies.scale.families import groups_of
from cotrain.studies.scale.scores import StageOne
from cotrain.studies.scale.sets import NONE, SourceSet
from cotrain.studies.scale.trainer import ScaleTrainer
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

RESULTS = Path(__file__).parent / "results"
BUDGETS = (0.35, 0.2, 0.1)
SEEDS = 3
ALONE = 8  # passes over a source alone


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


def picks(problem: Problem, folder: Path, seed: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Target → who picked under which budget → sources, measuring in training examples, ranking."""
    names = [task.name for task in problem.splits.tasks]
    sources = [name for name in names if name not in problem.targets]
    rest = [names.index(name) for name in sources]
    stage_one = of_sources(problem.splits.development, rest)
    train = stage_one.train
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for target in problem.targets:
        data = of_sources(problem.splits.development, [*rest, names.index(target)])
        splits = replace(problem.splits, development=data)
        found[target] = {}
        for by, ranker in rankers(seed).items():
            for budget in BUDGETS:
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
        for budget in BUDGETS:
            own, rows = pick(luck, stage_one, share=budget)
            found[target][f"chance {budget:g}"] = {
                "sources": [sources[s] for s in own],
                "rows": rows,
                "measuring": 0.0,
            }
    return found


def measure(name: str) -> dict[str, Any]:
    """Scores and costs of every target and contender."""
    problem, began = PROBLEMS[name](), time.monotonic()
    own = [task.name for task in problem.splits.tasks if task.name not in problem.targets]
    groups = groups_of(own, problem.families)
    return {
        "targets": list(problem.targets),
        "groups": {group: [own[s] for s in members] for group, members in groups.items()},
        "family": {target: problem.families.get(target) for target in problem.targets},
        "seeds": [once(problem, own, groups, seed) for seed in range(SEEDS)],
        "seconds": time.monotonic() - began,
    }


def once(
    problem: Problem, own: list[str], groups: Mapping[str, list[int]], seed: int
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
    if seed == 0:
        fixed |= {f"only {own[s]}": SourceSet(sources=(s,), epochs=ALONE) for s in everything}
    with tempfile.TemporaryDirectory() as folder:
        picked = picks(problem, Path(folder) / "picks", seed)
        contenders = {
            target: fixed | {by: _set(own, one) for by, one in picked[target].items()}
            for target in problem.targets
        }
        names = [task.name for task in problem.splits.tasks]
        trainer = ScaleTrainer(
            splits=problem.splits,
            sources=tuple(names.index(one) for one in own),
            folder=RunFolder(Path(folder) / "run"),
            grid=replace(GRID, rows=problem.rows, seed=seed),
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
    choice = settled(trainer.splits.tasks)
    found = {}
    for target, own in distinct.items():
        test = trainer.test(choice, names.index(target), own)
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


if __name__ == "__main__":
    for given in sys.argv[1:] or PROBLEMS:
        result = measure(given)
        (RESULTS / f"sources_{given}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(f"{given}: {result['seconds']:.0f} s", flush=True)

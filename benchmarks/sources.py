"""Choosing sources for a target: four rankers against all sources, the best group, and chance.

For every target of benchmarks/scale.py each ranker looks at training and validation rows and picks a set
under a budget of .35 of pre-finetuning on all sources, its own measuring included. Then encoders of all
sources, of all unions of groups, of the picked sets and of three random sets under the same budget are
trained, the target is fine-tuned from each (same sweep, 5 seeds), and its test rows are scored. The compute
is what was really spent, as a share of what all sources really took.

    python benchmarks/sources.py [reviews] [pictures] [assays]   # writes results/sources_*.json, sources.md
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scale import GRID
from source_sets import PROBLEMS, Problem

from cotrain.artifacts import RunFolder
from cotrain.choice import Choice
from cotrain.errors import InputError
from cotrain.result import Contender
from cotrain.studies.scale import groups_of
from cotrain.studies.scale_scores import StageOne
from cotrain.studies.scale_sets import SourceSet
from cotrain.studies.scale_trainer import EngineTrainer
from cotrain.transfer import (
    AnyRanker,
    ByGradients,
    ByLookahead,
    ByRepresentation,
    BySampling,
    ShortRun,
    choose_sources,
    unions,
)
from cotrain.transfer.source_data import of_sources
from cotrain.transfer.sources import pick

RESULTS = Path(__file__).parent / "results"
BUDGET = 0.35
RUN = ShortRun(widths=GRID.widths, passes=0.4)
RANKERS: dict[str, AnyRanker] = {
    "lookahead": ByLookahead(run=RUN),
    "gradients": ByGradients(run=RUN),
    "representation": ByRepresentation(run=RUN),
    "sampled": BySampling(run=replace(RUN, passes=0.12), sets=8),
}
CHANCE = 3
NONE = SourceSet(sources=())


def picks(problem: Problem, folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Target → who picked → sources and what measuring took, in training examples."""
    names = [task.name for task in problem.splits.tasks]
    sources = [name for name in names if name not in problem.targets]
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for target in problem.targets:
        rest = [names.index(name) for name in sources]
        data = of_sources(problem.splits.development, [*rest, names.index(target)])
        splits = replace(problem.splits, development=data)
        train = of_sources(problem.splits.development, rest).train
        found[target] = {}
        for by, ranker in RANKERS.items():
            try:
                chosen = choose_sources(
                    splits, target=target, out=folder / target / by, by=ranker, budget=BUDGET
                )
            except InputError as error:
                print(f"{target} by {by}: {error}", flush=True)
                continue
            found[target][by] = {
                "sources": list(chosen.picked),
                "ranking": dict(zip(chosen.sources, chosen.score, strict=True)),
                "measuring": chosen.measuring * 6 * len(train),
                "seconds": chosen.seconds,
            }
        for draw in range(CHANCE):
            luck = np.random.default_rng((draw, names.index(target))).random(len(sources))
            own = pick(luck, train, budget=BUDGET)
            found[target][f"chance {draw}"] = {
                "sources": [sources[s] for s in own],
                "measuring": 0.0,
            }
    return found


def measure(name: str) -> dict[str, Any]:
    """Scores and costs of every target and contender."""
    problem, began = PROBLEMS[name](), time.monotonic()
    names = [task.name for task in problem.splits.tasks]
    own = [t for t, task in enumerate(names) if task not in problem.targets]
    place = {names[t]: s for s, t in enumerate(own)}
    groups = groups_of(list(place), problem.families)
    with tempfile.TemporaryDirectory() as folder:
        picked = picks(problem, Path(folder) / "picks")
        fixed = {"none": NONE, "all": SourceSet(sources=tuple(range(len(own))))}
        for union in unions(tuple(groups)):
            chosen = sorted(s for group in union for s in groups[group])
            fixed[" + ".join(union)] = SourceSet(sources=tuple(chosen))
        contenders = {
            target: fixed
            | {
                by: SourceSet(sources=tuple(sorted(place[s] for s in one["sources"])))
                for by, one in picked[target].items()
            }
            for target in problem.targets
        }
        trainer = EngineTrainer(
            splits=problem.splits,
            sources=tuple(own),
            folder=RunFolder(Path(folder) / "run"),
            grid=replace(GRID, rows=problem.rows),
            watch=lambda _: None,
        )
        sets = list(dict.fromkeys(s for own in contenders.values() for s in own.values()))
        stage_one = trainer.pretrain(sets)
        found = score(trainer, contenders, names)
    return {
        "targets": list(problem.targets),
        "groups": {group: [list(place)[s] for s in own] for group, own in groups.items()},
        "family": {target: problem.families.get(target) for target in problem.targets},
        "scores": found,
        "picked": picked,
        "examples": costs(contenders, sets, stage_one),
        "seconds": time.monotonic() - began,
    }


def score(
    trainer: EngineTrainer, contenders: dict[str, dict[str, SourceSet]], names: list[str]
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Target → contender → scores of the seeds; the test rows come last."""
    tasks = trainer.splits.tasks
    distinct = {target: list(dict.fromkeys(own.values())) for target, own in contenders.items()}
    valid = {t: trainer.finetune(names.index(t), own) for t, own in distinct.items()}
    served = (Contender.JOINT,) * len(tasks)
    choice = Choice(tasks=tuple(tasks), served_by=served, network=served, valid=())
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

"""Do experts, implicit ensembles or RealMLP's tricks beat the plain joint network, tuned alike?

Every contestant trains five networks, one a fold, to the end, at three settings: with the same batches,
AdamW, schedule and epochs. Its best setting is judged by the predictions for the rows that the networks
left out; the test split stays sealed. Because a run of cotrain predicts with the mean of several networks,
TabM is judged once more by the mean of four networks a fold.

    python -m benchmarks architectures     # writes benchmarks/results/architectures.{json,md}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from benchmarks.architectures.contestants import (
    AVERAGED,
    CONTESTANTS,
    JOINT,
    MEAN,
    NETWORKS,
    ONE,
    ONE_AGAINST_MEAN,
    QUICK,
)
from benchmarks.architectures.judging import (
    Outcome,
    averaged,
    differences,
    outcome,
)
from benchmarks.architectures.page import page
from benchmarks.architectures.training import Contestant, trained_outputs
from benchmarks.common.files import write_json, write_page
from benchmarks.common.networks import member_at
from benchmarks.common.options import Options
from benchmarks.common.out_of_fold import FOLDS, SMALL, cut, folded, recipe_of
from cotrain.data.dataset import Development
from cotrain.engine.recipe import Recipe
from cotrain.engine.tuning import Setting
from cotrain.tasks import Kind

GRID = (
    Setting(learning_rate=1e-3, dropout=0.3),
    Setting(learning_rate=1e-3, dropout=1.0),
    Setting(learning_rate=3e-4, dropout=0.3),
)
QUICK_TABLES = ("slump",)


def run(options: Options) -> None:
    """All contestants on all tables."""
    torch.set_num_threads(1)
    names = QUICK_TABLES if options.quick else SMALL
    found = {name: judged(name, options.quick) for name in names}
    write_json(options.out / "architectures.json", found)
    write_page(options.out / "architectures.md", "\n".join(page(found)) + "\n")


def judged(name: str, quick: bool) -> dict[str, Any]:
    """Scores, differences and seconds of the contestants on a table."""
    development = folded(cut(name).development)
    recipe = recipe_of(development)
    recipe = replace(recipe, epochs=1) if quick else recipe
    binary = any(task.kind is Kind.BINARY for task in development.tasks)
    racing = {
        contestant: own
        for contestant, own in CONTESTANTS.items()
        if (contestant in QUICK or not quick) and (binary or not own.smoothing)
    }
    single = {n: raced(own, development, recipe) for n, own in racing.items()}
    mean = {n: more(racing[n], single[n], development, recipe) for n in AVERAGED if n in racing}
    return summary(development, single, mean)


def raced(contestant: Contestant, development: Development, recipe: Recipe) -> Outcome:
    """One network a fold at every setting."""
    seeds = range(contestant.first_seed, contestant.first_seed + FOLDS)
    outputs, seconds = trained(contestant, GRID, seeds, development, recipe)
    return outcome(outputs, seconds, development, seeds)


def more(
    contestant: Contestant, single: Outcome, development: Development, recipe: Recipe
) -> Outcome:
    """The mean prediction of several networks a fold, at the setting that one a fold chose."""
    seeds = range(FOLDS * (NETWORKS + 1), FOLDS * (2 * NETWORKS + 1))
    outputs, seconds = trained(contestant, [GRID[single.best]], seeds, development, recipe)
    return averaged(outputs, seconds, development, range(FOLDS))


def trained(
    contestant: Contestant,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    development: Development,
    recipe: Recipe,
) -> tuple[torch.Tensor, float]:
    """Outputs and seconds of a network for every seed at every setting, setting by setting."""
    weights = (1.0,) * len(development.tasks)
    members = [member_at(setting, weights, seed=seed) for setting in settings for seed in seeds]
    return trained_outputs(contestant, members, development, recipe)


def summary(
    development: Development, single: dict[str, Outcome], mean: dict[str, Outcome]
) -> dict[str, Any]:
    """What is kept of a table: of one network a fold, of the mean of several, and of one against these."""
    against_mean = {name: single[name] for name in mean if name != JOINT} | {JOINT: mean[JOINT]}
    return {
        "rows": len(development.rows),
        "tasks": len(development.tasks),
        ONE: kept(development, single),
        MEAN: kept(development, mean),
        ONE_AGAINST_MEAN: kept(development, against_mean),
    }


def kept(development: Development, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Scores, difference to the joint network and seconds of each contestant."""
    against = differences(development, outcomes, JOINT)
    return {
        name: {
            "scores": own.scores,
            "score": own.scores[own.best],
            "difference": [against[name].value, against[name].low, against[name].high],
            "seconds": own.seconds,
        }
        for name, own in outcomes.items()
    }

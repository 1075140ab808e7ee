"""Does bfloat16 cost accuracy? The joint network on Tox21 in both precisions, on the validation split.

Same members (5 seeds), same batches, same dropout masks; only the precision of the products differs.

    python -m benchmarks precision         # writes benchmarks/results/precision.json
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.common.files import write_json
from benchmarks.common.networks import ensemble_score, joint_networks
from benchmarks.common.options import Options
from benchmarks.common.table_sets import tox21
from cotrain.data.dataset import Development
from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.engine.tuning import UNTUNED, member_scores

SEEDS = 5
QUICK_SEEDS, QUICK = 1, Recipe(epochs=2)


def run(options: Options) -> None:
    """Validation scores of both precisions."""
    development = tox21().development
    seeds, recipe = SEEDS, recipe_for(len(development.train), seed=0)
    if options.quick:
        seeds, recipe = QUICK_SEEDS, QUICK
    found = {
        str(precision): scores(development, precision, seeds, recipe)
        for precision in (torch.float32, torch.bfloat16)
    }
    write_json(options.out / "precision.json", found)
    print(found)


def scores(
    development: Development, precision: torch.dtype, seeds: int, recipe: Recipe
) -> dict[str, Any]:
    """Of the seeds' ensemble, and of each seed."""
    trained = joint_networks(development, UNTUNED, seeds=seeds, recipe=recipe, precision=precision)
    single = np.nanmean(member_scores(trained, development.valid), axis=1)
    return {"ensemble": ensemble_score(trained, development), "seeds": single.tolist()}

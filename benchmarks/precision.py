"""Does bfloat16 cost accuracy? The joint network on Tox21 in both precisions, on the validation split.

Same members (5 seeds), same batches, same dropout masks; only the precision of the products differs.

    python benchmarks/precision.py         # writes benchmarks/results/precision.json
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from cotrain.run.stages import architecture_of
from tables import tox21

from cotrain.data import Development
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.trained import Trained, from_progress
from cotrain.engine.training import start, train_cohort
from cotrain.engine.tuning import SETTINGS, member_scores
from cotrain.run.budget import recipe_for
from cotrain.tasks import score

SEEDS = 5


def ensemble(trained: Trained, development: Development) -> float:
    """Mean validation AUC of the seeds' averaged probabilities."""
    found = predictions(development.tasks, trained.outputs)
    scores = []
    for t, task in enumerate(development.tasks):
        rows, target = development.valid.labels(t)
        scores.append(score(task, found[t].mean(axis=0)[rows], target))
    return float(np.mean(scores))


def main() -> None:
    development = tox21().development
    tasks = len(development.tasks)
    architecture = architecture_of(development, None, (256, 256))
    setting = SETTINGS[1]
    members = [
        Member(
            name="joint",
            weights=(1.0,) * tasks,
            seed=seed,
            learning_rate=setting.learning_rate,
            dropout=setting.dropout,
        )
        for seed in range(SEEDS)
    ]
    result = {}
    for precision in (torch.float32, torch.bfloat16):
        executor = FusedMLPExecutor(architecture.build(0), precision)
        progress = train_cohort(
            members,
            start(members, architecture, development),
            executor,
            development,
            recipe_for(len(development.train), seed=0),
        )
        trained = from_progress(members, progress, 0.0)
        single = np.nanmean(member_scores(trained, development.valid), axis=1)
        result[str(precision)] = {
            "ensemble": ensemble(trained, development),
            "seeds": single.tolist(),
        }
    path = Path(__file__).parent / "results" / "precision.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()

"""Engines and members as most benchmarks want them: the defaults of `cotrain run`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from cotrain.data.dataset import Development, Splits, TaskData
from cotrain.engine.build import Encoder, architecture_of, build_engine
from cotrain.engine.engine import Engine
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.engine.trained import Trained, from_progress
from cotrain.engine.training import start, train_cohort
from cotrain.engine.tuning import Setting
from cotrain.folder import RunFolder
from cotrain.studies.trainer import StudyDesign
from cotrain.tasks import Kind, Task, score


def binary_tasks(names: Iterable[object]) -> tuple[Task, ...]:
    """Tasks of two classes, 0 and 1."""
    return tuple(Task(name=str(name), kind=Kind.BINARY, classes=("0", "1")) for name in names)


def engine_on(
    development: Development,
    folder: Path | str,
    *,
    encoder: Encoder | None = None,
    recipe: Recipe | None = None,
    low_precision: bool = True,
) -> Engine:
    """An engine that keeps its members in a folder.

    Args:
        development: Training and validation rows.
        folder: Where members are kept.
        encoder: Shared part; the built-in MLP, if none.
        recipe: That of a run on so many rows, if none.
        low_precision: Whether products may be in bfloat16; where the engine finds them faster.
    """
    recipe = recipe or recipe_for(len(development.train), seed=0)
    kept = RunFolder(Path(folder))
    return build_engine(kept, development, recipe, encoder=encoder, low_precision=low_precision)


def test_rows(splits: Splits, compared: Iterable[str]) -> TaskData:
    """The test split, once what is compared on it is settled: the names of all contenders."""
    return splits.test.open_for(StudyDesign(tasks=splits.tasks, compared=tuple(compared)))


def member_at(
    setting: Setting, weights: tuple[float, ...], *, name: str = "network", seed: int = 0
) -> Member:
    """A network with these task weights, learning rate and share of the dropout."""
    return Member(
        name=name,
        weights=weights,
        seed=seed,
        learning_rate=setting.learning_rate,
        dropout=setting.dropout,
    )


def joint_networks(
    development: Development,
    setting: Setting,
    *,
    seeds: int,
    recipe: Recipe | None = None,
    precision: torch.dtype = torch.float32,
) -> Trained:
    """One network for all tasks, trained from several seeds in products of one precision."""
    architecture = architecture_of(development, None, (256, 256))
    weights = (1.0,) * len(development.tasks)
    members = [member_at(setting, weights, name="joint", seed=seed) for seed in range(seeds)]
    progress = train_cohort(
        members,
        start(members, architecture, development),
        FusedMLPExecutor(architecture.build(0), precision),
        development,
        recipe or recipe_for(len(development.train), seed=0),
    )
    return from_progress(members, progress, 0.0)


def ensemble_score(trained: Trained, development: Development) -> float:
    """Mean validation score over tasks of the members' averaged predictions."""
    found = predictions(development.tasks, trained.outputs)
    scores = []
    for t, task in enumerate(development.tasks):
        rows, target = development.valid.labels(t)
        scores.append(score(task, found[t].mean(axis=0)[rows], target))
    return float(np.mean(scores))


def plain_layers(encoder: nn.Module, dropout: float = 0.0) -> nn.Sequential:
    """The linear layers of the built-in MLP, each with PyTorch's ReLU, and its dropout if any."""
    layers: list[nn.Module] = []
    for linear in encoder.modules():
        if isinstance(linear, nn.Linear):
            layers += [linear, nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
    return nn.Sequential(*layers)

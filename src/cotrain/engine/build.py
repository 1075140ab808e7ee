"""The engine of a run: the network, the executor that calibration chose, and the partition into cohorts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from cotrain.data.dataset import Development
from cotrain.engine.cohorts.local import LOCAL
from cotrain.engine.cohorts.workers import Cluster, Partition
from cotrain.engine.engine import Engine, Watch
from cotrain.engine.executors.calibrate import (
    Calibration,
    calibrate,
    candidates,
    executor_by_name,
)
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture, shared_rows
from cotrain.engine.recipe import Recipe
from cotrain.folder import RunFolder

Encoder = Callable[[], nn.Module]
"""Returns a fresh module that maps a batch of inputs to ``[B, features]``."""

WIDTHS = (256, 256)  # hidden layers of the built-in encoder


def architecture_of(
    development: Development, encoder: Encoder | None = None, widths: Sequence[int] = WIDTHS
) -> Architecture:
    """The network of a run: the user's encoder or the built-in MLP, under one fused head."""
    train = development.train
    inputs = train.inputs[0].numel()
    return Architecture(
        encoder=encoder or (lambda: MLP(inputs, widths=widths)),
        sample=train.inputs[:1],
        bias=starting_bias(train.tasks, train.targets, train.mask),
        rows=shared_rows(train.tasks),
    )


def build_engine(
    folder: RunFolder,
    development: Development,
    recipe: Recipe,
    *,
    encoder: Encoder | None = None,
    widths: Sequence[int] = WIDTHS,
    low_precision: bool = True,
    watch: Watch = lambda _: None,
    cluster: Cluster = LOCAL,
) -> Engine:
    """The engine with the executor that calibration chose; a resumed run keeps the first choice.

    It keeps the first partition into cohorts, too, so a run may be resumed on another cluster, or on none.

    Args:
        folder: Keeps the choice, checkpoints and finished cohorts.
        development: Training and validation rows.
        recipe: How members are trained.
        encoder: The user's; the built-in MLP unless given.
        widths: Hidden widths of the built-in MLP.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
        watch: Called after every epoch.
        cluster: Provides the workers that train cohorts.
    """
    architecture = architecture_of(development, encoder, widths)
    if folder.has("engine.json"):
        calibration, partition = _read_choice(folder)
    else:
        partition = cluster.partition()
        executors = candidates(architecture, low_precision=low_precision)
        calibration = calibrate(executors, architecture, development, recipe)
        facts = dataclasses.asdict(calibration) | {"partition": dataclasses.asdict(partition)}
        folder.write_json("engine.json", facts)
    return Engine(
        architecture=architecture,
        development=development,
        recipe=recipe,
        executor=executor_by_name(architecture, calibration.chosen),
        folder=folder,
        watch=watch,
        calibration=calibration,
        cluster=cluster,
        partition=partition,
    )


@dataclass(frozen=True, kw_only=True)
class _Chosen(Calibration):
    """What ``engine.json`` holds: which executor was chosen, and how members form cohorts."""

    partition: Partition


def _read_choice(folder: RunFolder) -> tuple[Calibration, Partition]:
    found = folder.read("engine.json", _Chosen)
    return Calibration(chosen=found.chosen, trials=found.trials), found.partition

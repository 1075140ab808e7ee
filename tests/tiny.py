"""Tiny data sets and training runs that many tests share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cotrain.contenders import Groups, Joint, Single, Trees
from cotrain.data import from_domains
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.batches import Batch, feed, take
from cotrain.engine.engine import Engine
from cotrain.engine.executors.base import Executor
from cotrain.engine.executors.calibrate import Calibration
from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.executors.vmapped import VmapExecutor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses, starting_bias
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture, MultiTaskNet, shared_rows
from cotrain.engine.optimizers import SGD, Adam, AdamW, Optimizer, SignSGD, TaskAdam
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import State, Tensors
from cotrain.engine.step import TrainingStep
from cotrain.engine.trained import Trained
from cotrain.engine.training import Progress, start, train_cohort
from cotrain.folder import RunFolder
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.points.point import Point
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.measure.transference.steps import PlainStep
from cotrain.tasks import Kind, Task

STANDARD = (Single(), Joint(), Groups(), Trees())
KINDS = {"b": Kind.BINARY, "m": Kind.MULTICLASS, "r": Kind.REGRESSION}
CLASSES: dict[Kind, tuple[str, ...]] = {
    Kind.BINARY: ("no", "yes"),
    Kind.MULTICLASS: ("x", "y", "z"),
    Kind.REGRESSION: (),
}
EXECUTORS: dict[str, Callable[[MultiTaskNet], Executor]] = {
    "sequential": SequentialExecutor,
    "vmap": VmapExecutor,
    "fused": FusedMLPExecutor,
}
OPTIMIZERS: dict[str, Optimizer] = {
    "AdamW": AdamW(),
    "Adam": Adam(),
    "SGD": SGD(),
    "signSGD": SignSGD(),
    "Signum": SignSGD(momentum=0.9),
    "TaskAdam": TaskAdam(),
}
RECIPE = Recipe(epochs=4, batch_size=16, patience=9)  # 96 rows: 24 steps


def make_tasks(kinds: str) -> tuple[Task, ...]:
    """One task a letter: b(inary), m(ulti-class, three classes), r(egression)."""
    return tuple(
        Task(name=f"{letter}{at}", kind=KINDS[letter], classes=CLASSES[KINDS[letter]])
        for at, letter in enumerate(kinds)
    )


def make_data(
    kinds: str, *, rows: int = 96, inputs: int = 5, missing: float = 0.3, seed: int = 0
) -> TaskData:
    """Rows whose labels depend on the inputs through directions that the tasks partly share."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(99)  # the same whatever the seed of the rows
    x = rng.normal(size=(rows, inputs))
    common = truth.normal(size=(inputs, 3))
    columns = []
    for letter in kinds:
        own = common + truth.normal(size=(inputs, 3))
        latent = x @ own + 0.5 * rng.normal(size=(rows, 3))
        if letter == "b":
            columns.append(latent[:, 0] > 0)
        elif letter == "m":
            columns.append(latent.argmax(axis=1))
        else:
            columns.append(latent[:, 0] / np.sqrt(inputs))
    mask = rng.random((rows, len(kinds))) >= missing
    return task_data(torch.from_numpy(x), np.stack(columns, axis=1), mask, kinds)


def batches(train: TaskData, recipe: Recipe, epoch: int) -> list[Batch]:
    """What members read in an epoch if all of them train on the same rows."""
    development = Development(train=train, valid=train.rows(np.arange(1)))
    weights = torch.ones(1, len(train.tasks))
    return [batch for batch, _ in feed(development, recipe, epoch, weights, [0])]


def task_data(inputs: Tensor, targets: Any, mask: Any, kinds: str) -> TaskData:
    """The arrays as the engine reads them."""
    return TaskData(
        inputs=inputs.float(),
        targets=torch.as_tensor(np.asarray(targets), dtype=torch.float32),
        mask=torch.as_tensor(np.asarray(mask), dtype=torch.bool),
        tasks=make_tasks(kinds),
        columns=inputs.flatten(1).double().numpy(),
        categorical=np.zeros(inputs[0].numel(), dtype=bool),
    )


def make_development(kinds: str = "brmb", **options: Any) -> Development:
    """Training rows and half as many validation rows."""
    rows = options.pop("rows", 96)
    seed = options.pop("seed", 0)
    return Development(
        train=make_data(kinds, rows=rows, seed=seed, **options),
        valid=make_data(kinds, rows=rows // 2, seed=seed + 1000, **options),
    )


def make_domains(sizes: Sequence[int], *, one_label_space: bool = True) -> Development:
    """Domains of so many rows, each with its own shift and its own turn of a common rule."""
    rng = np.random.default_rng(5)
    common = rng.normal(size=(5, 3))
    domains = {}
    for number, size in enumerate(sizes):
        x = rng.normal(size=(size, 5)) + 0.3 * rng.normal(size=5)
        turned = common + 0.5 * rng.normal(size=(5, 3))
        latent = x @ turned[:, 0]
        domains[f"d{number}"] = (x, np.digitize(latent, np.quantile(latent, [1 / 3, 2 / 3])))
    kinds = dict.fromkeys(domains, "multiclass")
    return from_domains(domains, one_label_space=one_label_space, kinds=kinds).development


def on_both(development: Development, change: Callable[[TaskData], TaskData]) -> Development:
    """The same change to the training and the validation split."""
    return Development(train=change(development.train), valid=change(development.valid))


def only_tasks(development: Development, order: Sequence[int]) -> Development:
    """The data with the given tasks in the given order."""
    at = list(order)

    def change(data: TaskData) -> TaskData:
        return replace(
            data,
            targets=data.targets[:, at],
            mask=data.mask[:, at],
            tasks=tuple(data.tasks[t] for t in at),
        )

    return on_both(development, change)


def make_architecture(
    development: Development,
    *,
    widths: Sequence[int] = (8, 6),
    dropout: float = 0.3,
    input_dropout: float = 0.2,
    encoder: Callable[[], nn.Module] | None = None,
) -> Architecture:
    """A small MLP, or any other encoder, under the fused head."""
    train = development.train
    size = train.inputs[0].numel()

    def mlp() -> nn.Module:
        return MLP(size, widths=widths, dropout=dropout, input_dropout=input_dropout)

    return Architecture(
        encoder=encoder or mlp,
        sample=train.inputs[:1],
        bias=starting_bias(train.tasks, train.targets, train.mask),
        rows=shared_rows(train.tasks),
    )


def make_executor(name: str, architecture: Architecture) -> Executor:
    """An executor by its short name."""
    return EXECUTORS[name](architecture.build(seed=0))


def small_engine(
    development: Development, folder: Path, *, recipe: Recipe = RECIPE, **options: Any
) -> Engine:
    """A fused engine that keeps its files in a folder; options as of the class."""
    architecture = make_architecture(development)
    return Engine(
        architecture=architecture,
        development=development,
        recipe=recipe,
        executor=make_executor("fused", architecture),
        calibration=Calibration(chosen="fused", trials=()),
        folder=RunFolder(folder),
        **options,
    )


def joint(tasks: int, **fields: Any) -> Member:
    """A member that trains all tasks."""
    return Member(name="joint", weights=(1.0,) * tasks, **fields)


def train(
    development: Development,
    members: Sequence[Member],
    *,
    executor: str | Executor = "sequential",
    recipe: Recipe = RECIPE,
    architecture: Architecture | None = None,
    before_update: Callable[[TrainingStep], None] = lambda _: None,
    after_epoch: Callable[[Progress], None] = lambda _: None,
) -> Progress:
    """Train one cohort from scratch."""
    architecture = architecture or make_architecture(development)
    if isinstance(executor, str):
        executor = make_executor(executor, architecture)
    return train_cohort(
        members,
        start(members, architecture, development),
        executor,
        development,
        recipe,
        before_update=before_update,
        after_epoch=after_epoch,
    )


def point_of(
    state: State,
    batch: Batch,
    *,
    architecture: Architecture,
    tasks: Sequence[Task],
    executor: str | Executor = "sequential",
    learning_rate: float = 1e-3,
    weight_decay: float = 0.01,
) -> EnginePoint:
    """A state with one member on a batch, as instruments see it."""
    if isinstance(executor, str):
        executor = make_executor(executor, architecture)
    step = TrainingStep(
        state=state,
        batch=batch,
        outputs=torch.empty(0),
        learning_rates=[learning_rate],
        weights=torch.ones(1, len(tasks)),
        task_losses=TaskLosses(tasks),
    )
    net = architecture.build(seed=0)
    return EnginePoint(net, executor, step, weight_decay=weight_decay)


def transference(point: Point, tasks: Sequence[Task], step_size: float = 0.1) -> Tensor:
    """``[T, T]`` transference at one point, the diagonal included."""
    lookahead = Lookahead(tasks=[t.name for t in tasks], step=PlainStep(size=step_size))
    lookahead.probe(point)
    return torch.from_numpy(lookahead.exact[0])


def probing(
    probe: Callable[[Point], None],
    *,
    architecture: Architecture,
    tasks: Sequence[Task],
    executor: str | Executor,
    every: int,
) -> Callable[[TrainingStep], None]:
    """Lets an instrument look at every few steps of :func:`train`."""

    def before_update(step: TrainingStep) -> None:
        if step.state.step % every == 0 and step.state.step > 0:
            at = point_of(
                step.state,
                step.batch,
                architecture=architecture,
                tasks=tasks,
                executor=executor,
                learning_rate=step.learning_rates[0],
            )
            probe(at)

    return before_update


def first_batch(data: TaskData, rows: int = 16) -> Batch:
    """The first rows of a split as a batch."""
    return take(data, torch.arange(rows))


def distance(a: Tensors, b: Tensors) -> float:
    """Largest absolute difference between equally named tensors."""
    assert a.keys() == b.keys()
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def same(a: Tensors, b: Tensors) -> bool:
    """Whether two sets of tensors are equal bit for bit (NaN equals NaN)."""
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].numpy().tobytes() == b[k].numpy().tobytes() for k in a
    )


def population(weights: Sequence[tuple[float, ...]], seeds: Sequence[int]) -> Trained:
    """A trained population of made-up outputs: member p says p, for every task and row."""
    members = tuple(
        Member(name=str(at), weights=w, seed=seed)
        for at, (w, seed) in enumerate(zip(weights, seeds, strict=True))
    )
    tasks = len(weights[0])
    outputs = torch.arange(float(len(members)))[:, None, None].expand(-1, tasks, 4)
    nothing = torch.zeros(len(members), tasks)
    return Trained(
        members=members,
        loss=nothing,
        best_epoch=nothing,
        epochs_run=nothing,
        outputs=outputs,
        models={},
        diverged=torch.zeros(len(members), dtype=torch.bool),
        seconds=0.0,
    )

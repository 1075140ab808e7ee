"""Networks at one setting, and what they predict when mixed by a membership matrix."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.common.arrays import Flags, Inputs, Numbers
from benchmarks.common.networks import engine_on, member_at
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.build import Encoder
from cotrain.engine.engine import Engine
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.member import Member
from cotrain.engine.recipe import recipe_for
from cotrain.engine.tuning import UNTUNED
from cotrain.folder import RunFolder
from cotrain.grouping import Membership
from cotrain.grouping.clusters import Clusters

Weights = tuple[float, ...]


@contextmanager
def engine_for(
    development: Development,
    *,
    seed: int,
    encoder: Encoder | None = None,
    fast: bool = False,
    epochs: int | None = None,
) -> Iterator[Engine]:
    """An engine in a folder that is gone afterwards; ``fast`` allows bfloat16 products.

    An own encoder is run by the sequential executor: the trial on eight networks takes as long as an epoch.
    """
    recipe = recipe_for(len(development.train), seed=seed)
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    with tempfile.TemporaryDirectory() as folder:
        if encoder is not None:
            chosen = {"chosen": SequentialExecutor.name, "trials": []}
            RunFolder(Path(folder)).write_json("engine.json", chosen)
        engine = engine_on(development, folder, encoder=encoder, recipe=recipe, low_precision=fast)
        yield replace(engine, checkpoint_seconds=float("inf"))


def member(weights: Weights, seed: int) -> Member:
    """A network at the one setting."""
    return member_at(UNTUNED, weights, seed=seed)


def identity(tasks: int) -> Membership:
    """Each task in a cluster of its own."""
    return of_labels(np.arange(tasks))


def everything(tasks: int) -> Membership:
    """All tasks in one cluster."""
    return of_labels(np.zeros(tasks, dtype=np.int64))


def of_labels(labels: Numbers) -> Membership:
    """Hard clusters by their numbers."""
    spread = np.eye(int(labels.max()) + 1)[labels]
    return Clusters(memberships=spread, silhouette={}).membership()


def test_outputs(engine: Engine, vectors: Sequence[Weights], seed: int, test: TaskData) -> Inputs:
    """``[P, T, N]`` logits of networks trained from one seed; nothing of them is kept."""
    members = [member(weights, seed) for weights in vectors]
    trained = engine.train(f"seed-{seed}", members)
    outputs: Inputs = engine.predict(trained, test.inputs).numpy()
    engine.forget(f"seed-{seed}", members)
    return outputs


def vectors_of(contenders: Mapping[str, Membership]) -> list[Weights]:
    """All task weights that any of them trains a network with."""
    return sorted({weights for each in contenders.values() for weights in each.weights})


def positives(
    membership: Membership,
    vectors: Sequence[Weights],
    outputs: Inputs,
    train: TaskData,
) -> Flags:
    """``[T, N]`` whether the membership's logits are above the log-odds of the training prevalence."""
    place = {weights: at for at, weights in enumerate(vectors)}
    columns = [place[weights] for weights in membership.weights]
    share = train.targets.double().mean(dim=0).numpy()
    least = np.log(share / (1 - share))
    return np.stack(
        [
            np.array(row) @ outputs[columns, task] > least[task]
            for task, row in enumerate(membership.shares)
        ]
    )


def trained_predictions(
    engine: Engine, contenders: Mapping[str, Membership], test: TaskData, seeds: Sequence[int]
) -> dict[str, Flags]:
    """Contender → ``[S, T, N]``."""
    vectors, train = vectors_of(contenders), engine.development.train
    said: dict[str, list[Flags]] = {name: [] for name in contenders}
    for seed in seeds:
        outputs = test_outputs(engine, vectors, seed, test)
        for name, membership in contenders.items():
            said[name].append(positives(membership, vectors, outputs, train))
    return {name: np.stack(each) for name, each in said.items()}

"""Networks at one setting, and what they predict when mixed by a membership matrix."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arrays import Flags, Numbers
from cotrain import Settings
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.member import Member
from cotrain.engine.tuning import SETTINGS
from cotrain.folder import RunFolder
from cotrain.grouping import Membership
from cotrain.grouping.clusters import Clusters
from cotrain.run.budget import recipe_for
from cotrain.run.settings import Encoder
from cotrain.run.stages import build_engine

Weights = tuple[float, ...]


@contextmanager
def engine_for(
    development: Development, *, seed: int, encoder: Encoder | None = None, fast: bool = False
) -> Iterator[Engine]:
    """An engine in a folder that is gone afterwards; ``fast`` allows bfloat16 products.

    An own encoder is run by the sequential executor: the trial on eight networks takes as long as an epoch.
    """
    recipe, settings = recipe_for(len(development.train), seed=seed), Settings(low_precision=fast)
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder))
        if encoder is not None:
            run.write_json("engine.json", {"chosen": SequentialExecutor.name, "trials": []})
        engine = build_engine(run, development, encoder, settings, recipe, lambda _: None)
        yield replace(engine, checkpoint_seconds=float("inf"))


def member(weights: Weights, seed: int) -> Member:
    setting = SETTINGS[0]
    return Member(
        name="network",
        weights=weights,
        seed=seed,
        learning_rate=setting.learning_rate,
        dropout=setting.dropout,
    )


def identity(tasks: int) -> Membership:
    return of_labels(np.arange(tasks))


def everything(tasks: int) -> Membership:
    return of_labels(np.zeros(tasks, dtype=np.int64))


def of_labels(labels: Numbers) -> Membership:
    spread = np.eye(int(labels.max()) + 1)[labels]
    return Clusters(memberships=spread, silhouette={}).membership()


def test_outputs(
    engine: Engine, vectors: Sequence[Weights], seed: int, test: TaskData
) -> NDArray[np.float32]:
    """``[P, T, N]`` logits of networks trained from one seed; nothing of them is kept."""
    members = [member(weights, seed) for weights in vectors]
    trained = engine.train(f"seed-{seed}", members)
    outputs: NDArray[np.float32] = engine.predict(trained, test.inputs).numpy()
    engine.forget(f"seed-{seed}", members)
    return outputs


def vectors_of(contenders: Mapping[str, Membership]) -> list[Weights]:
    return sorted({weights for each in contenders.values() for weights in each.weights})


def positives(
    membership: Membership,
    vectors: Sequence[Weights],
    outputs: NDArray[np.float32],
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

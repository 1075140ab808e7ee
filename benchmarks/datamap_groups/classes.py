"""The CIFAR-100 parts: clusters by every instrument, and what 20 specialised models are worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.common.arrays import Flags
from benchmarks.datamap_groups.clusterings import clusterings
from benchmarks.datamap_groups.images import (
    class_data,
    components,
    convolutions,
    held_out,
    images,
    pictures,
)
from benchmarks.datamap_groups.labels import SUPERCLASSES, chance, judged, no_training, spectral
from benchmarks.datamap_groups.looks import Looks, look
from benchmarks.datamap_groups.networks import (
    engine_for,
    everything,
    identity,
    member,
    of_labels,
    positives,
    trained_predictions,
)
from benchmarks.datamap_groups.trials import JOINT, SINGLE, Trial, verdicts
from cotrain.data.dataset import TaskData
from cotrain.engine.engine import Engine
from cotrain.grouping import Membership

CNN_SEEDS, MLP_SEEDS = 2, 2
MLP_EPOCHS = 8  # of the networks that are compared; the joint run is not shortened
ENSEMBLE = "all together, mean of 20 networks"


def cnn_part() -> dict[str, Any]:
    data = class_data(pictures()[0], images().labels[0])
    seeds = []
    for seed in range(CNN_SEEDS):
        with engine_for(held_out(data, seed), seed=seed, encoder=convolutions) as engine:
            seeds.append(judged(look(engine, seed)))
        print(f"CNN {seed}: {_short(seeds[-1])}", flush=True)
    return {"seeds": seeds, "chance": chance(), "no training": no_training()}


def _short(found: dict[str, Any]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in found["superclasses"].items()}


def mlp_part() -> dict[str, Any]:
    inputs, test_inputs = components()
    data, test = (
        class_data(x, y) for x, y in zip((inputs, test_inputs), images().labels, strict=True)
    )
    seeds, said, executor = [], [], ""
    for seed in range(MLP_SEEDS):
        with engine_for(held_out(data, seed), seed=seed, fast=True) as engine:
            looks = look(engine, seed)
            seeds.append(judged(looks))
            print(f"MLP {seed}: {_short(seeds[-1])}", flush=True)
            short = replace(engine.recipe, epochs=MLP_EPOCHS, patience=MLP_EPOCHS)
            contenders = class_contenders(looks, seed)
            short_engine = replace(engine, recipe=short)
            said.append(
                trained_predictions(short_engine, contenders, test, [seed])
                | {ENSEMBLE: joint_ensemble(short_engine, test, seed)}
            )
            executor = engine.executor.name
        print(f"MLP {seed} trained", flush=True)
    predicted = {name: np.concatenate([each[name] for each in said]) for name in said[0]}
    trial = Trial(truth=test.targets.numpy().T > 0.5, predicted=predicted)
    return {"seeds": seeds, "verdicts": verdicts([trial]), "executor": executor}


def joint_ensemble(engine: Engine, test: TaskData, seed: int) -> Flags:
    """``[1, T, N]`` by as many networks as specialised models have, all of them trained on everything.

    A soft membership asks many networks, and that alone is worth something.
    """
    together = everything(len(test.tasks))
    members = [
        member(together.weights[0], 1000 * (seed + 1) + each) for each in range(SUPERCLASSES)
    ]
    trained = engine.train("ensemble", members)
    mean = engine.predict(trained, test.inputs).numpy().mean(axis=0, keepdims=True)
    return positives(together, together.weights, mean, engine.development.train)[None]


def class_contenders(looks: Looks, seed: int) -> dict[str, Membership]:
    """Each alone, all together, and 20 models by everybody."""
    known = images()
    tasks = len(known.names)
    maps = clusterings(looks.maps["data map"], SUPERCLASSES)
    balanced = clusterings(looks.maps["balanced data map"], SUPERCLASSES)
    shuffled = np.random.default_rng((13, seed)).permutation(known.parent)
    return {
        SINGLE: identity(tasks),
        JOINT: everything(tasks),
        **{f"data map, {name}": each.membership() for name, each in maps.items()},
        "balanced data map, fuzzy pass": balanced["fuzzy pass"].membership(),
        **{
            f"{name}, spectral": of_labels(spectral(each, SUPERCLASSES))
            for name, each in looks.relations.items()
            if "whole" in name
        },
        "superclasses": of_labels(known.parent),
        "shuffled superclasses": of_labels(shuffled),
    }

"""The stages of a run that keep their result in the run folder and read it back when resumed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain import __version__
from cotrain.baselines.boosted import Model, TreeLearner, fit_task, tree_data
from cotrain.data.dataset import Development, Splits, TaskData
from cotrain.engine.cohorts.local import HERE
from cotrain.engine.cohorts.workers import Cluster, Cut
from cotrain.engine.engine import Engine, Update, Watch
from cotrain.engine.executors.calibrate import Calibration, Trial, calibrate, candidates, named
from cotrain.engine.member import Recipe
from cotrain.engine.models.losses import starting_bias
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture, shared_rows
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.results import Contender
from cotrain.run.settings import Encoder, Settings

Array = NDArray[np.float64]
Forest = Sequence[Sequence[Model]]  # [T][S] tree models


def claim(
    folder: RunFolder, splits: Splits, settings: Settings, title: str, *, verb: str, **further: str
) -> None:
    """Start a run in an empty folder, or make sure that the folder holds this very run."""
    named = {"trees": settings.trees.name, "weights": repr(settings.weights)}
    claim_for(
        folder, splits, title, verb=verb, settings=dataclasses.asdict(settings) | named | further
    )


def claim_for(
    folder: RunFolder, splits: Splits, title: str, *, verb: str, settings: Mapping[str, Any]
) -> None:
    """The same with settings that JSON can hold, whatever the verb's are."""
    asked = _as_json(
        {
            "cotrain": __version__,
            "verb": verb,
            "data": splits.digest,
            "title": title,
            "tasks": [dataclasses.asdict(task) for task in splits.tasks],
            "settings": settings,
        }
    )
    if not folder.has("run.json"):
        if folder.holds_other_work():
            raise InputError(f"{folder.root} is not empty and holds no run: choose another folder")
        folder.write_json("run.json", asked)
        return
    found = folder.read_json("run.json")
    for key, value in asked.items():
        if found.get(key) != value:
            raise InputError(
                f"{folder.root} holds a run with other {_difference(key, value, found.get(key))}: "
                "repeat the command of that run, or choose another --out"
            )


def architecture_of(
    development: Development, encoder: Encoder | None, widths: Sequence[int]
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
    encoder: Encoder | None,
    settings: Settings,
    recipe: Recipe,
    watch: Watch,
    cluster: Cluster = HERE,
) -> Engine:
    """The engine with the executor that calibration chose; a resumed run keeps the first choice.

    It keeps the first cut into cohorts, too, so a run may be resumed on another cluster, or on none.
    """
    architecture = architecture_of(development, encoder, settings.widths)
    if folder.has("engine.json"):
        calibration, cut = _read_engine(folder)
    else:
        cut = cluster.cut()
        executors = candidates(architecture, low_precision=settings.low_precision)
        calibration = calibrate(executors, architecture, development.train, recipe)
        facts = dataclasses.asdict(calibration) | {"cut": dataclasses.asdict(cut)}
        folder.write_json("engine.json", facts)
    return Engine(
        architecture=architecture,
        development=development,
        recipe=recipe,
        executor=named(architecture, calibration.chosen),
        folder=folder,
        watch=watch,
        calibration=calibration,
        cluster=cluster,
        cut=cut,
    )


def _read_engine(folder: RunFolder) -> tuple[Calibration, Cut]:
    facts = folder.read_json("engine.json")
    trials = tuple(
        Trial(**trial | {"seconds": float(trial["seconds"])}) for trial in facts["trials"]
    )
    return Calibration(chosen=facts["chosen"], trials=trials), Cut(**facts["cut"])


def fit_trees(engine: Engine, settings: Settings, candidates: int) -> tuple[Forest, float]:
    """Tune and train the trees of every task, and the seconds it took."""
    folder, learner = engine.folder, settings.trees
    forest, spent = [], 0.0
    total = len(engine.development.tasks)
    for t in range(total):
        if not folder.has(f"trees/{t}.json"):
            began = time.monotonic()
            data = tree_data(engine.development, t)
            models = fit_task(learner, data, candidates=candidates, seeds=settings.seeds)
            folder.write(f"trees/{t}.model", lambda path, m=models: learner.save(m, path))  # type: ignore[misc]
            folder.write_json(f"trees/{t}.json", {"seconds": time.monotonic() - began})
        forest.append(learner.load(folder.path(f"trees/{t}.model")))
        spent += folder.read_json(f"trees/{t}.json")["seconds"]
        engine.watch(Update(stage="trees", done=t + 1, total=total, loss=float("nan")))
    return forest, spent


def tree_predictions(learner: TreeLearner, forest: Forest, data: TaskData) -> list[Array]:
    """For each task ``[S, N, ...]`` predictions of the seeds' trees."""
    return [
        np.stack([learner.predict(task, model, data.columns) for model in models])
        for task, models in zip(data.tasks, forest, strict=True)
    ]


def with_trees(
    networks: Sequence[Mapping[Contender, Array]], trees: Sequence[Array]
) -> list[dict[Contender, Array]]:
    """All contenders' predictions, task by task."""
    return [{**own, Contender.TREES: forest} for own, forest in zip(networks, trees, strict=True)]


def seed_mean(
    predictions: Sequence[Mapping[Contender, Array]],
) -> dict[Contender, list[Array]]:
    """Contender → for each task ``[N, ...]`` predictions averaged over seeds."""
    return {
        contender: [own[contender].mean(axis=0) for own in predictions]
        for contender in predictions[0]
    }


def _difference(key: str, asked: Any, found: Any) -> str:
    """What differs, down to the names of the settings."""
    if not (isinstance(asked, dict) and isinstance(found, dict)):
        return key
    return f"{key} ({', '.join(k for k in asked if asked[k] != found.get(k))})"


def _as_json(value: Any) -> Any:
    """The value as it comes back from a JSON file."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value

"""Groups from data maps (STG-MTL, arXiv 2307.03374): are they the right ones, and do their models pay?

Digits, 15 tasks (10 one-vs-rest, even, at least 5, closed loop, upside down, coin flips), three data seeds
(other split, other images turned, other coin flips). The map of one joint run is clustered by every method;
is `random` alone, and do seeds agree? Then a population is trained whose weights are the membership
columns, beside each task alone and all together, all at the same setting (SETTINGS[0], nothing tuned).

CIFAR-100, 100 one-vs-rest tasks, 15,000 images (10 % held out for validation): one joint run of a small
CNN with lookahead, gradients and data map looking on, and the same with the built-in MLP on 256 whitened
principal components. 20 clusters by each, beside the 20 superclasses; 2 clusters, beside living or not.
cotrain probes 100 tasks with 32 images; the same run is probed once more with whole batches. Balanced
accuracy and F1 on the 5,000 test images with the MLP only, as 100 CNNs are too many.

A prediction is the ensemble of logits by membership. It counts as positive above the training prevalence,
so that class imbalance does not decide. The loss has no positive weight (the paper's is 99); what it would
do to the map is approached by moving the logits by the log-odds of the prevalence ("balanced map").
Intervals: 95 %, paired bootstrap over test rows and seeds, the same draws for all contenders.

    python benchmarks/datamap_groups.py              # writes benchmarks/results/datamap_groups.{json,md}
    python benchmarks/datamap_groups.py --digits     # one part; --cifar-cnn and --cifar-mlp are others
    python benchmarks/datamap_groups.py --page       # only the page, from the json

Letters: T tasks, C clusters, N rows, P members, S seeds, R bootstrap replicates.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cotrain.run.stages import build_engine
from numpy.typing import NDArray
from sklearn.cluster import SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, roc_auc_score
from torch import nn

from cotrain import Settings, from_table, infer_schema
from cotrain.data import DIGITS_TARGETS, StratifiedSplit, digits_table
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.training import TrainingStep, start, train_cohort
from cotrain.engine.tuning import SETTINGS
from cotrain.folder import RunFolder
from cotrain.grouping import Membership
from cotrain.grouping.clusters import (
    Clusters,
    FuzzyCMeans,
    FuzzyPass,
    Hard,
    Method,
    cluster_points,
    cluster_tasks,
)
from cotrain.measure.datamaps.datamap import ARRAYS, DataMap
from cotrain.measure.datamaps.observations import ArrayLike
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gradients.instrument import Gradients
from cotrain.measure.joint_run import Watchers, measure_joint_run
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.transference.lookahead import Lookahead
from cotrain.run.bootstrap import interval
from cotrain.run.budget import recipe_for
from cotrain.run.selection import settled
from cotrain.run.settings import Encoder
from cotrain.tasks import Kind, Task

DATA = Path(__file__).parents[2] / "shared" / "data"
CIFAR = DATA / "img_cifar100" / "cifar100_150_50.npz"
RESULTS = Path(__file__).parent / "results"
SNAPSHOTS = (4, 8, 16)  # and the last epoch
METHODS: dict[str, Method] = {
    "fuzzy pass": FuzzyPass(),
    "fuzzy c-means": FuzzyCMeans(),
    "hard": Hard(),
}
DIGITS_SEEDS, DIGITS_TRAININGS, DIGITS_CLUSTERS = 3, 4, 4
CNN_SEEDS, MLP_SEEDS, SUPERCLASSES = 2, 2, 20
EVERY = 50  # steps between probes on images, each of which is worth 3,200 training images
WHOLE_EVERY = 100  # from one probe of a whole batch to the next
MLP_ROUNDS, COMPONENTS = 8, 256  # of the networks that are compared; the joint run is not shortened
REPLICATES, CHANCE_DRAWS = 1000, 200
SILHOUETTES = ("2", "3", "4", "5", "6", "8", "10", "15", "20", "30", "50", "80")  # shown
SINGLE, JOINT = "each alone", "all together"
ENSEMBLE = "all together, mean of 20 networks"
BASES = (SINGLE, JOINT)
METRICS = ("balanced accuracy", "F1")
NOT_LIVING = (
    "food_containers",
    "household_electrical_devices",
    "household_furniture",
    "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes",
    "vehicles_1",
    "vehicles_2",
)
MACHINES = ("household_electrical_devices", "vehicles_1", "vehicles_2")
PLANTS_AND_PEOPLE = ("flowers", "fruit_and_vegetables", "trees", "people")

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Weights = tuple[float, ...]


# Measuring and clustering


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


def part_of(maps: DataMap, snapshots: slice) -> DataMap:
    arrays = {name: getattr(maps, name)[snapshots] for name in ARRAYS}
    return replace(maps, epochs=maps.epochs[snapshots], **arrays)


def points_of(maps: DataMap) -> list[Array]:
    """For each task ``[n, 2·S]``."""
    return [maps.points(task).astype(np.float64) for task in range(len(maps.tasks))]


def clusterings(maps: DataMap, clusters: int | None) -> dict[str, Clusters]:
    """By every method; points have no rule for the number of clusters and take that of the tasks."""
    distances = maps.distances()
    found = {
        name: cluster_tasks(distances, clusters=clusters, method=method)
        for name, method in METHODS.items()
    }
    count = clusters or found["hard"].memberships.shape[1]
    return {**found, "points": cluster_points(points_of(maps), clusters=count)}


def summary(found: Clusters) -> dict[str, Any]:
    return {
        "labels": found.labels.tolist(),
        "memberships": np.round(found.memberships, 4).tolist(),
        "silhouette": {str(c): round(value, 4) for c, value in found.silhouette.items()},
    }


# Training contenders and judging them


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


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What contenders predicted on one test split.

    Args:
        truth: ``[T, N]`` labels.
        predicted: Contender → ``[S, T, N]``, one for each seed.
    """

    truth: Flags
    predicted: dict[str, Flags]

    def scores(self, contender: str, rows: Array, seeds: Array) -> Array:
        """``[R, 2, T]`` balanced accuracy and F1, averaged over seeds.

        Args:
            contender: Whose.
            rows: ``[R, N]`` how often each row was drawn.
            seeds: ``[R, S]`` share of each seed.
        """
        said = self.predicted[contender].astype(np.float32)
        weights = rows.astype(np.float32)
        hits = np.einsum("rn,stn->rst", weights, said * self.truth, optimize=True)
        calls = np.einsum("rn,stn->rst", weights, said, optimize=True)
        real = (weights @ self.truth.T.astype(np.float32))[:, None]
        false = calls - hits
        absent = weights.sum(axis=1)[:, None, None] - real
        with np.errstate(divide="ignore", invalid="ignore"):
            balanced = (hits / real + 1 - false / absent) / 2
            both = np.stack([balanced, 2 * hits / (real + calls)], axis=1)  # [R, 2, S, T]
        return np.asarray(np.einsum("rs,rmst->rmt", seeds, both.astype(np.float64)))


def verdicts(trials: Sequence[Trial]) -> dict[str, Any]:
    """Scores of every contender, and differences to the baselines, averaged over the trials."""
    value, drawn = {}, {}
    for contender in trials[0].predicted:
        value[contender] = np.mean([_exact(trial, contender) for trial in trials], axis=0)
        drawn[contender] = np.mean(
            [_redrawn(trial, contender, at) for at, trial in enumerate(trials)], axis=0
        )
    return {
        contender: {
            metric: {
                "tasks": np.round(value[contender][m], 4).tolist(),
                "mean": float(value[contender][m].mean()),
                **{
                    f"less {base}": {
                        "mean": _gain(
                            np.nanmean(value[contender][m] - value[base][m]),
                            np.nanmean(drawn[contender][:, m] - drawn[base][:, m], axis=1),
                        ),
                        "tasks": [
                            _gain(a - b, c - d)
                            for a, b, c, d in zip(
                                value[contender][m],
                                value[base][m],
                                drawn[contender][:, m].T,
                                drawn[base][:, m].T,
                                strict=True,
                            )
                        ],
                    }
                    for base in BASES
                    if base != contender
                },
            }
            for m, metric in enumerate(METRICS)
        }
        for contender in value
    }


def _exact(trial: Trial, contender: str) -> Array:
    seeds, _, rows = trial.predicted[contender].shape
    found: Array = trial.scores(contender, np.ones((1, rows)), np.full((1, seeds), 1 / seeds))[0]
    return found


def _redrawn(trial: Trial, contender: str, at: int) -> Array:
    """``[R, 2, T]``; the draws depend on the trial alone, so contenders are paired."""
    seeds, _, rows = trial.predicted[contender].shape
    draw = np.random.default_rng((7, at))
    counts = draw.multinomial(rows, np.full(rows, 1 / rows), REPLICATES).astype(np.float64)
    picks = draw.multinomial(seeds, np.full(seeds, 1 / seeds), REPLICATES) / seeds
    return trial.scores(contender, counts, picks)


def _gain(value: float, replicates: Array) -> list[float]:
    found = interval(float(value), replicates)
    return [round(found.value, 5), round(found.low, 5), round(found.high, 5)]


# Digits


def digits_part() -> dict[str, Any]:
    seeds = [digits_seed(seed) for seed in range(DIGITS_SEEDS)]
    return {
        "clusters": [clusters for clusters, _ in seeds],
        "verdicts": verdicts([trial for _, trial in seeds]),
        "test rows": [trial.truth.shape[1] for _, trial in seeds],
    }


def digits_seed(seed: int) -> tuple[dict[str, Any], Trial]:
    """The clusters of one data seed, and what their specialised models predicted."""
    table = digits_table(seed)
    schema = infer_schema(table, targets=DIGITS_TARGETS)
    splits = from_table(table, schema, StratifiedSplit(), seed)
    development = splits.development
    test = splits.test.open_for(settled(splits.tasks))
    with engine_for(development, seed=seed) as engine:
        maps = digits_maps(engine)
        found = {
            f"{name}, {number}": each
            for number, clusters in (("rule", None), (f"{DIGITS_CLUSTERS} clusters", 4))
            for name, each in clusterings(maps, clusters).items()
        }
        last = {
            f"{name}, {number}": each
            for number, clusters in (("rule", None), (f"{DIGITS_CLUSTERS} clusters", 4))
            for name, each in clusterings(part_of(maps, slice(-1, None)), clusters).items()
        }
        tasks = len(splits.tasks)
        contenders = {SINGLE: identity(tasks), JOINT: everything(tasks)}
        contenders |= {name: each.membership() for name, each in found.items()}
        predicted = trained_predictions(engine, contenders, test, range(DIGITS_TRAININGS))
    print(f"digits {seed} done", flush=True)
    clusters = {
        "snapshots": {name: summary(each) for name, each in found.items()},
        "last epoch": {name: summary(each) for name, each in last.items()},
        "epochs": list(maps.epochs),
    }
    return clusters, Trial(truth=test.targets.numpy().T > 0.5, predicted=predicted)


def digits_maps(engine: Engine) -> DataMap:
    names = [task.name for task in engine.development.tasks]
    maps = DataMaps(names, rows=len(engine.development.train), snapshots=SNAPSHOTS)
    watchers = Watchers(lookahead=Lookahead(tasks=names), maps=maps)
    measure_joint_run(engine, member((1.0,) * len(names), 0), watchers)
    return maps.result()


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


# CIFAR-100


@dataclass(frozen=True, kw_only=True)
class Images:
    """The subset, and what is known of its classes.

    Args:
        names: The 100 classes.
        superclasses: The 20 superclasses.
        parent: ``[100]`` superclass of each class.
        pixels: Training and test images, ``[N, 32, 32, 3]``.
        labels: Training and test classes.
    """

    names: tuple[str, ...]
    superclasses: tuple[str, ...]
    parent: Numbers
    pixels: tuple[NDArray[np.uint8], NDArray[np.uint8]]
    labels: tuple[Numbers, Numbers]

    def of(self, superclasses: Sequence[str]) -> Flags:
        """``[100]`` whether a class is in one of the superclasses."""
        inside = [name in superclasses for name in self.superclasses]
        return np.array(inside)[self.parent]


@cache
def images() -> Images:
    file = np.load(CIFAR)
    fine, coarse = (file[f"y_{kind}_train"].astype(np.int64) for kind in ("fine", "coarse"))
    parent = np.zeros(100, dtype=np.int64)
    parent[fine] = coarse
    return Images(
        names=tuple(map(str, file["fine_names"])),
        superclasses=tuple(map(str, file["coarse_names"])),
        parent=parent,
        pixels=(file["x_train"], file["x_test"]),
        labels=(fine, file["y_fine_test"].astype(np.int64)),
    )


def convolutions() -> nn.Module:
    """Three blocks, 2.9 million multiplications an image."""
    layers: list[nn.Module] = []
    for below, above in ((3, 16), (16, 32), (32, 64)):
        convolution = nn.Conv2d(below, above, 3, padding=1)
        layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * 16, 128), nn.ReLU())


def pictures() -> tuple[torch.Tensor, torch.Tensor]:
    """``[N, 3, 32, 32]`` training and test images, channels standardised on the training images."""
    train, test = (torch.from_numpy(each).float().permute(0, 3, 1, 2) for each in images().pixels)
    mean, scale = train.mean(dim=(0, 2, 3)), train.std(dim=(0, 2, 3))
    train, test = ((each - mean[:, None, None]) / scale[:, None, None] for each in (train, test))
    return train.contiguous(), test.contiguous()


def components() -> tuple[torch.Tensor, torch.Tensor]:
    """``[N, 256]`` whitened principal components, fitted on the training images."""
    train, test = (each.reshape(len(each), -1) / 255.0 for each in images().pixels)
    pca = PCA(COMPONENTS, whiten=True, svd_solver="randomized", random_state=0).fit(train)
    first, second = (torch.from_numpy(pca.transform(each)).float() for each in (train, test))
    return first, second


def class_data(inputs: torch.Tensor, labels: Numbers) -> TaskData:
    """One-vs-rest tasks."""
    names = images().names
    targets = torch.from_numpy(np.eye(len(names), dtype=np.float32)[labels])
    return TaskData(
        inputs=inputs,
        targets=targets,
        mask=torch.ones(targets.shape, dtype=torch.bool),
        tasks=tuple(Task(name=name, kind=Kind.BINARY, classes=("0", "1")) for name in names),
        columns=np.zeros((len(labels), 0)),
        categorical=np.zeros(0, dtype=bool),
    )


def held_out(data: TaskData, seed: int) -> Development:
    """A tenth of every class for validation."""
    draw = np.random.default_rng((11, seed))
    labels = data.targets.argmax(dim=1).numpy()
    valid = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        valid[draw.permutation(rows)[: len(rows) // 10]] = True
    return Development(
        train=data.rows(np.flatnonzero(~valid)), valid=data.rows(np.flatnonzero(valid))
    )


class TwoMaps(DataMaps):
    """The map of the run, and one of logits less the log-odds of the prevalence.

    A positive weight of (1 − p) / p would move the logits up by that much at its optimum, and the map with
    them; what else it does to training is not seen here.
    """

    def __init__(self, names: Sequence[str], train: TaskData) -> None:
        super().__init__(names, rows=len(train), snapshots=SNAPSHOTS)
        self.balanced = DataMaps(names, rows=len(train), snapshots=SNAPSHOTS)
        share = train.targets.double().mean(dim=0)
        self._sign = 2 * train.targets.T.double() - 1  # [T, N]
        self._move = torch.log(share / (1 - share)).unsqueeze(1)

    def record(
        self,
        rows: ArrayLike,
        confidence: ArrayLike,
        correct: ArrayLike,
        labelled: ArrayLike | None = None,
    ) -> None:
        super().record(rows, confidence, correct, labelled)
        sure = torch.as_tensor(confidence).double().clamp(1e-7, 1 - 1e-7)
        moved = torch.logit(sure) - self._sign[:, torch.as_tensor(rows)] * self._move
        balanced = moved.sigmoid()
        self.balanced.record(rows, balanced, balanced > 0.5, labelled)

    def end_epoch(self) -> None:
        super().end_epoch()
        self.balanced.end_epoch()


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What looked on at one joint run on T tasks.

    Args:
        maps: The data map, and the balanced one.
        relations: Lookahead (symmetrised) and gradient cosine, each ``[T, T]``: of 32 images a probe, as
            cotrain probes 100 tasks, and of whole batches.
        reliability: Rank correlation between two halves of each lookahead's probes.
        probes: Their number.
    """

    maps: dict[str, DataMap]
    relations: dict[str, Array]
    reliability: tuple[float, ...]
    probes: tuple[int, ...]

    def select(self, tasks: Sequence[int]) -> Looks:
        at = np.ix_(tasks, tasks)
        maps = {name: each.select(tasks) for name, each in self.maps.items()}
        relations = {name: each[at] for name, each in self.relations.items()}
        return replace(self, maps=maps, relations=relations)


def look(engine: Engine, seed: int) -> Looks:
    """One joint run with everybody looking on, and the same run again with whole batches probed."""
    train, names = engine.development.train, images().names
    maps, lookahead, gradients = (
        TwoMaps(names, train),
        Lookahead(tasks=names),
        Gradients(tasks=names),
    )
    watchers = Watchers(lookahead=lookahead, gradients=gradients, maps=maps, every=EVERY)
    measure_joint_run(engine, member((1.0,) * len(names), seed), watchers)
    whole = Watchers(lookahead=Lookahead(tasks=names), gradients=Gradients(tasks=names))
    probe_whole_batches(engine, seed, whole)
    affinities = [each.lookahead.affinity() for each in (watchers, whole)]
    return Looks(
        maps={"data map": maps.result(), "balanced data map": maps.balanced.result()},
        relations=relations_of(watchers, "") | relations_of(whole, " (whole batches)"),
        reliability=tuple(each.reliability for each in affinities),
        probes=tuple(each.probes for each in affinities),
    )


def relations_of(watchers: Watchers, which: str) -> dict[str, Array]:
    mean = watchers.lookahead.affinity().mean
    assert watchers.gradients is not None
    cosine = watchers.gradients.similarity().cosine
    return {f"lookahead{which}": (mean + mean.T) / 2, f"gradient cosine{which}": cosine}


def probe_whole_batches(engine: Engine, seed: int, watchers: Watchers) -> None:
    """32 images hold a positive of every third task only; 256 hold 2.56 of each on average."""
    joint = member((1.0,) * len(engine.development.tasks), seed)
    net, losses = engine.architecture.build(seed=0), TaskLosses(engine.development.tasks)

    def before_update(step: TrainingStep) -> None:
        if step.state.step % WHOLE_EVERY == WHOLE_EVERY - 1:
            watchers.probe(EnginePoint(net, losses, engine.executor, step))

    progress = start([joint], engine.architecture, engine.development)
    train_cohort(
        [joint],
        progress,
        engine.executor,
        engine.development,
        engine.recipe,
        before_update=before_update,
    )


def spectral(similarity: Array, clusters: int) -> Numbers:
    """``[T]`` labels by a similarity of any sign; the least becomes 0, the diagonal the largest."""
    off = ~np.eye(len(similarity), dtype=bool)
    similarity = (similarity + similarity.T) / 2  # of rounding errors
    shifted = np.where(off, similarity, similarity[off].max()) - similarity[off].min()
    model = SpectralClustering(clusters, affinity="precomputed", n_init=20, random_state=0)
    return np.asarray(model.fit_predict(shifted), dtype=np.int64)


def kernel(distances: Array) -> Array:
    off = ~np.eye(len(distances), dtype=bool)
    found: Array = np.exp(-((distances / np.median(distances[off])) ** 2))
    return found


def chord(cosine: Array) -> Array:
    """Distances between directions."""
    known = np.where(np.eye(len(cosine)) > 0, 1.0, cosine)
    return np.asarray(np.sqrt(np.maximum(0.0, 2 - 2 * known)))


def all_labels(looks: Looks, clusters: int) -> dict[str, Numbers]:
    """Everybody's ``[T]`` labels; the last four cross instrument and clustering."""
    found = {
        f"{which}, {name}": each.labels
        for which, maps in looks.maps.items()
        for name, each in clusterings(maps, clusters).items()
    }
    found |= {
        f"{which} of the last epoch, hard": cluster_tasks(
            part_of(maps, slice(-1, None)).distances(), clusters=clusters, method=Hard()
        ).labels
        for which, maps in looks.maps.items()
    }
    distances = {which: maps.distances() for which, maps in looks.maps.items()}
    return {
        **found,
        **{f"{name}, spectral": spectral(each, clusters) for name, each in looks.relations.items()},
        **{f"{name}, spectral": spectral(kernel(d), clusters) for name, d in distances.items()},
        **{
            f"{name}, hard": cluster_tasks(chord(each), clusters=clusters, method=Hard()).labels
            for name, each in looks.relations.items()
            if name.startswith("gradient")
        },
    }


def similarities(looks: Looks) -> dict[str, Array]:
    maps = {which: -each.distances() for which, each in looks.maps.items()}
    return {**maps, **looks.relations}


def judged(looks: Looks) -> dict[str, Any]:
    """Labels and how well they agree with what people call these classes."""
    known = images()
    living = ~known.of(NOT_LIVING)
    some = np.flatnonzero(~known.of([*set(NOT_LIVING) - set(MACHINES), *PLANTS_AND_PEOPLE]))
    twenty, two = all_labels(looks, SUPERCLASSES), all_labels(looks, 2)
    animals = all_labels(looks.select(some.tolist()), 2)
    machines = known.of(MACHINES)[some]
    off = np.tri(len(known.parent), k=-1, dtype=bool)
    same = np.equal.outer(known.parent, known.parent)[off]
    rules = {which: cluster_tasks(maps.distances()) for which, maps in looks.maps.items()}
    return {
        "labels": {name: labels.tolist() for name, labels in twenty.items()},
        "superclasses": {n: adjusted_rand_score(known.parent, own) for n, own in twenty.items()},
        "living": {name: adjusted_rand_score(living, own) for name, own in two.items()},
        "machines": {name: adjusted_rand_score(machines, own) for name, own in animals.items()},
        "used": {name: len(set(own.tolist())) for name, own in twenty.items()},
        "pairs": {
            name: roc_auc_score(same, matrix[off]) for name, matrix in similarities(looks).items()
        },
        "silhouette": {which: summary(rule)["silhouette"] for which, rule in rules.items()},
        "memberships": np.round(
            cluster_tasks(looks.maps["data map"].distances(), clusters=SUPERCLASSES).memberships, 3
        ).tolist(),
        "reliability": looks.reliability,
        "probes": looks.probes,
        "epochs": list(looks.maps["data map"].epochs),
    }


def chance() -> dict[str, list[float]]:
    """Adjusted Rand index of random labels: mean and 95 % of them."""
    known = images()
    draw = np.random.default_rng(0)
    machines = known.of(MACHINES)[~known.of([*set(NOT_LIVING) - set(MACHINES), *PLANTS_AND_PEOPLE])]
    truths = (
        ("superclasses", known.parent, SUPERCLASSES),
        ("living", ~known.of(NOT_LIVING), 2),
        ("machines", machines, 2),
    )
    found = {}
    for name, truth, clusters in truths:
        indices = [
            adjusted_rand_score(truth, draw.integers(0, clusters, len(truth)))
            for _ in range(CHANCE_DRAWS)
        ]
        found[name] = [float(np.mean(indices)), *np.percentile(indices, [2.5, 97.5]).tolist()]
    return found


def no_training() -> dict[str, float]:
    """The same from class means of the principal components: what needs no network at all."""
    train, _ = components()
    labels = images().labels[0]
    means = np.stack([train.numpy()[labels == each].mean(axis=0) for each in range(100)])
    apart = np.linalg.norm(means[:, None] - means, axis=2)
    own = cluster_tasks(apart, clusters=SUPERCLASSES, method=Hard()).labels
    return {"superclasses": adjusted_rand_score(images().parent, own)}


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
            short = replace(engine.recipe, epochs=MLP_ROUNDS, patience=MLP_ROUNDS)
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


# The page


def page(parts: Mapping[str, Any]) -> str:
    lines = ["# Groups from data maps", "", *_introduction()]
    for name, title, write in PAGES:
        if name in parts:
            lines += ["", f"## {title}", "", *write(parts[name])]
    return "\n".join(lines) + "\n"


def _introduction() -> list[str]:
    setting = SETTINGS[0]
    return [
        "`python benchmarks/datamap_groups.py`. Every network at the same setting (learning rate "
        f"{setting.learning_rate:g}, dropout × {setting.dropout:g}), nothing tuned. A specialised model "
        "trains on all tasks, weighted by a column of the membership matrix; predictions are the logits "
        "mixed by a task's row. Positive is what lies above the training prevalence. The loss has no "
        "positive weight. [95 % intervals]: paired bootstrap over test rows and training seeds; with "
        "dozens of intervals, one in twenty excludes 0 by luck. In bold: excludes 0.",
    ]


def _digits_page(part: Mapping[str, Any]) -> list[str]:
    coin, seeds = DIGITS_TARGETS.index("random"), part["clusters"]
    lines = [
        f"{len(seeds)} data seeds; maps after epochs {seeds[0]['epochs']} of one joint run, or after the "
        "last alone. Company: the largest membership of another task in the cluster of `random`. "
        "Largest: a task's largest membership, mean over tasks; 1 is a hard clustering. Stability: mean "
        "adjusted Rand index between the clusters of two data seeds.",
        "",
        "| map | method, number | clusters | `random` alone | company | largest | stability |",
        "|---|---|---|---|---|---|---|",
    ]
    for which in ("snapshots", "last epoch"):
        for name in seeds[0][which]:
            found = [seed[which][name] for seed in seeds]
            labels = [np.array(each["labels"]) for each in found]
            spread = [np.array(each["memberships"]) for each in found]
            alone = sum(int((own == own[coin]).sum() == 1) for own in labels)
            company = max(
                float(np.delete(each[:, own[coin]], coin).max())
                for each, own in zip(spread, labels, strict=True)
            )
            counts = ", ".join(str(each.shape[1]) for each in spread)
            largest = np.mean([each.max(axis=1) for each in spread])
            lines.append(
                f"| {which} | {name} | {counts} | {alone} of {len(seeds)} | {company:.2f} | "
                f"{largest:.2f} | {_agreement(labels):.2f} |"
            )
    silhouettes = [seed["snapshots"]["hard, rule"]["silhouette"] for seed in seeds]
    lines += ["", "Mean silhouette by number of clusters, all snapshots, each data seed:", ""]
    lines += _silhouette_table(silhouettes, [str(c) for c in range(2, 11)])
    lines += ["", f"Clusters of data seed 0, all snapshots, {DIGITS_CLUSTERS} clusters, hard:", ""]
    lines += _named_clusters(seeds[0]["snapshots"]["hard, 4 clusters"]["labels"], DIGITS_TARGETS)
    lines += [
        "",
        f"### What specialised models are worth, {part['test rows'][0]} test rows a data seed",
    ]
    lines += ["", f"{DIGITS_TRAININGS} training seeds for each of {len(seeds)} data seeds.", ""]
    lines += _verdict_table(part["verdicts"])
    shown = (SINGLE, JOINT, "fuzzy pass, rule", "fuzzy pass, 4 clusters", "points, 4 clusters")
    lines += ["", "Balanced accuracy of each task; differences to training alone:", ""]
    return [*lines, *_task_table(part["verdicts"], shown, DIGITS_TARGETS)]


def _agreement(labels: Sequence[Numbers]) -> float:
    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labels, 2)]))


def _silhouette_table(
    silhouettes: Sequence[Mapping[str, float]], counts: Sequence[str]
) -> list[str]:
    shown = [c for c in counts if c in silhouettes[0]]
    rows = [" | ".join(f"{each[c]:+.2f}" for c in shown) for each in silhouettes]
    return [
        f"| seed | {' | '.join(shown)} |",
        "|---" * (len(shown) + 1) + "|",
        *(f"| {at} | {row} |" for at, row in enumerate(rows)),
    ]


def _named_clusters(labels: Sequence[int], names: Sequence[str]) -> list[str]:
    clusters = [
        [name for name, own in zip(names, labels, strict=True) if own == label]
        for label in sorted(set(labels))
    ]
    return [f"- {', '.join(names)}" for names in sorted(clusters, key=len, reverse=True)]


def _verdict_table(found: Mapping[str, Any]) -> list[str]:
    columns = [f"{metric} − {base}" for metric in METRICS for base in BASES]
    lines = [
        f"| contender | {' | '.join(METRICS)} | {' | '.join(columns)} |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for contender, own in found.items():
        means = [f"{own[metric]['mean']:.4f}" for metric in METRICS]
        gains = [
            _interval(own[metric][f"less {base}"]["mean"]) if base != contender else ""
            for metric in METRICS
            for base in BASES
        ]
        lines.append(f"| {' | '.join([contender, *means, *gains])} |")
    return [*lines, "", _undecided(found)]


def _undecided(found: Mapping[str, Any]) -> str:
    """Which differences in balanced accuracy may be luck."""
    texts = []
    for base in BASES:
        gains = {
            name: own["balanced accuracy"][f"less {base}"]["mean"]
            for name, own in found.items()
            if name != base
        }
        names = [name for name, (_, low, high) in gains.items() if low <= 0 <= high]
        texts.append(f"from {base}: {'; '.join(names) or 'none'}")
    return f"Not distinguishable in balanced accuracy {' — '.join(texts)}."


def _interval(gain: Sequence[float]) -> str:
    value, low, high = gain
    text = f"{value:+.4f} [{low:+.4f}, {high:+.4f}]"
    return text if low <= 0 <= high else f"**{text}**"


def _task_table(found: Mapping[str, Any], shown: Sequence[str], names: Sequence[str]) -> list[str]:
    metric = METRICS[0]
    lines = [f"| task | {' | '.join(shown)} |", "|---" * (len(shown) + 1) + "|"]
    for task, name in enumerate(names):
        cells = [f"{found[SINGLE][metric]['tasks'][task]:.3f}"]
        for contender in shown[1:]:
            value, low, high = found[contender][metric][f"less {SINGLE}"]["tasks"][task]
            cells.append(f"{value:+.3f}" if low <= 0 <= high else f"**{value:+.3f}**")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _cnn_page(part: Mapping[str, Any]) -> list[str]:
    luck = part["chance"]
    return [
        "A small CNN (three convolutions, 128 features), one joint run a seed (other initial parameters, "
        "order and validation images).",
        "",
        *_cluster_tables(part["seeds"]),
        "",
        f"Chance ({CHANCE_DRAWS} random labellings), 95 % of them: superclasses "
        f"{_span(luck['superclasses'])}; living {_span(luck['living'])}; machines "
        f"{_span(luck['machines'])}. k-means on the classes' mean principal components, no training at "
        f"all: superclasses {part['no training']['superclasses']:+.3f}.",
        "",
        *_recovery(part["seeds"]),
        "",
        *_silhouettes(part["seeds"]),
        "",
        *_by_name(part["seeds"][0], "data map, hard"),
        *_by_name(part["seeds"][0], "data map, fuzzy c-means"),
        *_by_name(part["seeds"][0], "balanced data map, hard"),
        *_by_name(part["seeds"][0], "lookahead (whole batches), spectral"),
        *_by_name(part["seeds"][0], "gradient cosine (whole batches), spectral"),
    ]


def _silhouettes(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["Mean silhouette by number of clusters, each seed:"]
    for which in seeds[0]["silhouette"]:
        found = [seed["silhouette"][which] for seed in seeds]
        largest = ", ".join(max(each, key=lambda c: each[c]) for each in found)
        below = "below a quarter, so the rule keeps one cluster"
        kept = (
            below if max(max(each.values()) for each in found) <= 0.25 else "which the rule takes"
        )
        lines += ["", f"{which} (largest at {largest}, {kept}):", ""]
        lines += _silhouette_table(found, SILHOUETTES)
    return lines


def _mlp_page(part: Mapping[str, Any]) -> list[str]:
    return [
        f"The built-in MLP on {COMPONENTS} whitened principal components of the pixels; "
        f"{len(part['seeds'])} seeds (other initial parameters, order and validation images).",
        "",
        *_cluster_tables(part["seeds"]),
        "",
        *_silhouettes(part["seeds"]),
        "",
        "### What 20 specialised models are worth",
        "",
        f"{MLP_ROUNDS} epochs for all networks alike; {part['executor']}. Each seed has its own joint run, "
        "clusters and networks. 5,000 test images, 50 positives for each of the 100 tasks, so F1 is small "
        "at this threshold. The networks that train alone are at their best after one to three epochs; "
        f"'{ENSEMBLE}' (other seeds, no clusters) says what asking many networks is worth.",
        "",
        *_verdict_table(part["verdicts"]),
    ]


def _cluster_tables(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """Adjusted Rand indices, a row for each method."""
    pairs = ", ".join(
        f"{name} {_numbers([seed['pairs'][name] for seed in seeds])}" for name in seeds[0]["pairs"]
    )
    lines = [
        "Adjusted Rand index, each seed: 20 clusters against the superclasses; 2 clusters of all classes "
        "against living or not; 2 clusters of animals and machines (electrical devices, vehicles) alone. "
        "Fuzzy pass and hard have the same centres, and so the same main clusters. Agreement: between the "
        "20 clusters of two seeds.",
        "",
        "| method | clusters used | superclasses | mean | living | machines | agreement |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in seeds[0]["superclasses"]:
        own = [seed["superclasses"][name] for seed in seeds]
        used = ", ".join(str(seed["used"][name]) for seed in seeds)
        labels = [np.array(seed["labels"][name]) for seed in seeds]
        others = [_numbers([seed[key][name] for seed in seeds]) for key in ("living", "machines")]
        lines.append(
            f"| {name} | {used} | {_numbers(own)} | {np.mean(own):+.3f} | {' | '.join(others)} | "
            f"{_agreement(labels):.2f} |"
        )
    halves = "; ".join(_numbers(seed["reliability"]) for seed in seeds)
    largest = [np.array(seed["memberships"]).max(axis=1).mean() for seed in seeds]
    return [
        *lines,
        "",
        "Without clustering: how often two classes of one superclass are more alike than two of different "
        f"ones (AUC over pairs of classes, chance .5): {pairs}. Two halves of the lookahead's probes, "
        f"{' and '.join(map(str, seeds[0]['probes']))} of 32 images and of whole batches, agree at rank "
        f"correlation {halves}. A class's largest membership by the fuzzy pass is "
        f"{np.mean(largest):.2f} on average.",
    ]


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:+.3f}" for value in values)


def _span(found: Sequence[float]) -> str:
    return f"{found[1]:+.3f} to {found[2]:+.3f}"


RECOVERED = (
    "data map, hard",
    "data map, fuzzy c-means",
    "balanced data map, hard",
    "lookahead (whole batches), spectral",
    "gradient cosine (whole batches), spectral",
)


def _recovery(seeds: Sequence[Mapping[str, Any]]) -> list[str]:
    """How well each superclass is found, the best ones first."""
    known = images()
    table = np.array(
        [
            np.mean([_jaccard(seed["labels"][name], known.parent) for seed in seeds], axis=0)
            for name in RECOVERED
        ]
    )
    lines = [
        "Best Jaccard index of each superclass with a cluster, mean over seeds (1: a cluster of these five "
        "classes and no other):",
        "",
        f"| superclass | {' | '.join(RECOVERED)} |",
        "|---" * (len(RECOVERED) + 1) + "|",
    ]
    for at in np.argsort(-table.max(axis=0), kind="stable"):
        cells = [f"{value:.2f}" for value in table[:, at]]
        lines.append(f"| {known.superclasses[at]} | {' | '.join(cells)} |")
    return lines


def _jaccard(labels: Sequence[int], parent: Numbers) -> Array:
    own = np.eye(max(labels) + 1)[list(labels)]  # [T, C]
    true = np.eye(int(parent.max()) + 1)[parent]
    both = true.T @ own
    found: Array = (both / (true.sum(axis=0)[:, None] + own.sum(axis=0) - both)).max(axis=1)
    return found


def _by_name(seed: Mapping[str, Any], method: str) -> list[str]:
    heading = f"The 20 clusters of seed 0, {method}:"
    return ["", heading, "", *_named_clusters(seed["labels"][method], images().names)]


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "digits": digits_part,
    "cifar-cnn": cnn_part,
    "cifar-mlp": mlp_part,
}
PAGES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], list[str]]], ...] = (
    ("digits", "Digits, 15 tasks", _digits_page),
    ("cifar-cnn", "CIFAR-100, 100 one-vs-rest tasks, CNN", _cnn_page),
    ("cifar-mlp", "CIFAR-100, 100 one-vs-rest tasks, MLP on principal components", _mlp_page),
)


def main() -> None:
    torch.set_num_threads(1)
    file = RESULTS / "datamap_groups.json"
    parts = json.loads(file.read_text()) if file.exists() else {}
    asked = [name for name in PARTS if f"--{name}" in sys.argv]
    if "--cifar" in sys.argv:
        asked += [name for name in PARTS if name.startswith("cifar")]
    for name in asked or ([] if "--page" in sys.argv else PARTS):
        parts[name] = PARTS[name]()
        file.write_text(json.dumps(parts, separators=(",", ":")) + "\n")
    (RESULTS / "datamap_groups.md").write_text(page(parts))


if __name__ == "__main__":
    main()

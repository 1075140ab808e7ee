"""CIFAR-100 as 100 one-vs-rest tasks: its pictures, its superclasses and what people call living."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import nn

from benchmarks.common.arrays import Flags, Numbers
from benchmarks.common.folders import DATA
from benchmarks.common.networks import binary_tasks
from cotrain.data.dataset import Development, TaskData

COMPONENTS = 256
CIFAR = DATA / "img_cifar100" / "cifar100_150_50.npz"
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
        tasks=binary_tasks(names),
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

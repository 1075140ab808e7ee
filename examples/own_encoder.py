"""
Your own encoder, with images
=============================

Bring a ``torch`` module that turns a batch of images into features, and a ``Dataset`` that yields
``(image, {task: label})``. Which heads should share the encoder?

The images are those of CIFAR-100 where ``shared/data`` lies beside the checkout (or
``COTRAIN_DATA`` names such a folder), and scikit-learn's digits where not.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/own_encoder.png'
from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset

import cotrain

DATA = Path(os.environ.get("COTRAIN_DATA", "../shared/data"))
CIFAR = DATA / "img_cifar100" / "cifar100_150_50.npz"

# %%
# A task that an item does not name has no label for it: the task ``seven`` was looked at for a
# third of the digits only, the task ``people`` for half of the pictures.


class Digits(Dataset[tuple[Tensor, dict[str, int]]]):
    """1,797 images ``[1, 8, 8]`` of digits with three questions."""

    def __init__(self) -> None:
        digits = load_digits()
        self.images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
        self.digit = digits.target.tolist()

    def __len__(self) -> int:
        return len(self.digit)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, int]]:
        digit = self.digit[index]
        labels = {"even": int(digit % 2 == 0), "loop": int(digit in (0, 6, 8, 9))}
        if index % 3 == 0:
            labels["seven"] = int(digit == 7)
        return self.images[index], labels


GROUPS = {"plant": (2, 4, 17), "vehicle": (18, 19), "people": (14,)}  # numbers of superclasses


class Pictures(Dataset[tuple[Tensor, dict[str, int]]]):
    """1,500 pictures ``[3, 8, 8]`` of CIFAR-100, made smaller, with three questions."""

    def __init__(self) -> None:
        with np.load(CIFAR) as cifar:
            pixels, self.group = cifar["x_train"][:1500], cifar["y_coarse_train"][:1500].tolist()
        self.images = F.avg_pool2d(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255, 4)

    def __len__(self) -> int:
        return len(self.group)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, int]]:
        labels = {name: int(self.group[index] in of) for name, of in GROUPS.items()}
        if index % 2:
            del labels["people"]
        return self.images[index], labels


dataset = Pictures() if CIFAR.exists() else Digits()
channels = dataset[0][0].shape[0]
print(f"{type(dataset).__name__}: {len(dataset):,} images of {list(dataset[0][0].shape)}")

# %%
# The encoder is a function that returns a fresh module, because many networks will be trained.
# cotrain puts the heads on top of its features.


def encoder() -> nn.Module:
    """A fresh encoder: ``[B, channels, 8, 8]`` → ``[B, 32]`` features."""
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 36, 32),
        nn.ReLU(),
        nn.Dropout(0.2),
    )


# %%
# Two seeds and a small budget: enough to see it run.
folder = Path(tempfile.mkdtemp()) / "run"
settings = cotrain.Settings(seeds=2, budget=30)
result, predictor = cotrain.plan(
    cotrain.from_dataset(dataset), encoder=encoder, out=folder, settings=settings
)
print(result.answer)
for contender, score in result.mean_test.items():
    print(f"{contender:8} {score:.3f} mean {result.tasks[0].metric} on test")

# %%
# The shipped networks predict in any later process, given the same encoder.
print(cotrain.load(folder, encoder=encoder).predict(dataset.images[:3]))

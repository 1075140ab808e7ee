"""Your own encoder and your own Dataset: which heads should share it?

python examples/own_encoder.py [RUN_FOLDER]
"""

from __future__ import annotations

import sys
import tempfile

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import Dataset

import cotrain


class Digits(Dataset[tuple[Tensor, dict[str, int]]]):
    """Yields ``(image, {task: label})``; a task that is absent has no label for this image."""

    def __init__(self) -> None:
        digits = load_digits()
        self.images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
        self.digit = digits.target.tolist()

    def __len__(self) -> int:
        return len(self.digit)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, int]]:
        digit = self.digit[index]
        labels = {"even": int(digit % 2 == 0), "loop": int(digit in (0, 6, 8, 9))}
        if index % 3 == 0:  # only a third of the images has been looked at for this task
            labels["seven"] = int(digit == 7)
        return self.images[index], labels


def encoder() -> nn.Module:
    """A fresh encoder: ``[B, 1, 8, 8]`` → ``[B, 32]`` features."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 36, 32),
        nn.ReLU(),
        nn.Dropout(0.2),
    )


def main(folder: str) -> None:
    """Plan, print the answer, predict with the shipped model."""
    splits = cotrain.from_dataset(Digits())
    settings = cotrain.Settings(seeds=2, budget=8)  # small, for a quick look
    result, predictor = cotrain.plan(splits, encoder=encoder, out=folder, settings=settings)
    print(result.answer)
    print(predictor.predict(Digits().images[:3]))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())

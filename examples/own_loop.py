"""
Your own training loop
======================

Three instruments look on while your loop trains your model, and nothing else about it changes:
parameters, buffers, optimizer and random state are bit for bit what they were without them.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/own_loop.png'
from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from cotrain.measure import DataMaps, Gradients, Lookahead, ModelPoint, judge_binary

# %%
# A model and data as you may have them: a shared encoder with dropout and batch normalisation, a
# head for each of four yes-or-no questions about a digit. The last one asks for coin flips, which
# nobody can learn.
TASKS = ("even", "at least 5", "closed loop", "random")


class Net(nn.Module):
    """A shared encoder and a head for each task, with dropout and BatchNorm as in real life."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Dropout(0.1)
        )
        self.heads = nn.ModuleList(nn.Linear(64, 1) for _ in TASKS)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, 64]`` → ``[B, T]`` logits."""
        features = self.encoder(x)
        return torch.cat([head(features) for head in self.heads], dim=1)


def losses(logits: Tensor, y: Tensor) -> Tensor:
    """``[T, B]`` losses of single examples."""
    return F.binary_cross_entropy_with_logits(logits, y, reduction="none").T


def digits() -> TensorDataset:
    """Images, labels, and each example's own number."""
    data = load_digits()
    digit = torch.tensor(data.target)
    random = torch.randint(2, digit.shape)
    labels = [digit % 2 == 0, digit >= 5, torch.isin(digit, torch.tensor([0, 6, 8, 9])), random]
    images = torch.tensor(data.data, dtype=torch.float32) / 16
    return TensorDataset(images, torch.stack(labels, dim=1).float(), torch.arange(len(digit)))


# %%
# The loop. A :class:`~cotrain.measure.ModelPoint` says where training stands: how to compute the
# losses, and which part of the model the tasks share. ``DataMaps`` needs to know which rows a batch
# had.
torch.manual_seed(0)
dataset, model = digits(), Net()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
lookahead, gradients = Lookahead(tasks=TASKS), Gradients(tasks=TASKS)
maps = DataMaps(TASKS, rows=len(dataset))
step = 0
for _ in range(8):
    for x, y, rows in DataLoader(dataset, batch_size=64, shuffle=True):
        if step % 10 == 0:
            here = ModelPoint(
                lambda x=x, y=y: losses(model(x), y),
                model=model,
                shared=model.encoder,
                step=step,
            )
            lookahead.probe(here)
            gradients.probe(here)
        logits = model(x)
        maps.record(rows, *judge_binary(logits, y))
        loss = losses(logits, y).mean(dim=1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
    gradients.end_epoch()
    maps.end_epoch()

# %%
# Every result prints itself, with standard errors.
for found in (lookahead.affinity(), gradients.similarity(), maps.result()):
    print(f"{found.title}\n{found}\n")

# %%
# And every result draws itself. Blue: a step for the column's task lowers the loss of the row's
# task. The coin flips neither help nor are helped.
lookahead.affinity().plot()

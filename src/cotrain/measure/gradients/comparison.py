"""Gradient similarity over training (Elich et al. 2023, arXiv 2311.04698, section 4).

For two gradients g, g' of the shared parameters: cosine ⟨g, g'⟩ / (|g||g'|); a conflict is a negative
cosine; magnitude similarity 2|g||g'| / (|g|² + |g'|²). Between tasks: the gradients of one batch, and
of one and the same sample; between samples: one task's gradients of two samples. The second is the
yardstick: if samples of one task conflict as much, conflicts between tasks are nothing special.
Letters: T tasks, S probes, E epochs, B rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.arrays import Array
from cotrain.measure.gradients.similarity import GradientSimilarity, compared, conflicts, spread
from cotrain.measure.points.point import Point, check_names, checked_losses, refuse_undefined
from cotrain.measure.probes import mean_and_error
from cotrain.measure.schedule import MOST_DRAWN
from cotrain.stats import finite_mean

NOTHING: Array = np.zeros((0, 2))


@dataclass(kw_only=True)
class Gradients:
    """Compares task gradients along a training run; call :meth:`end_epoch` after each epoch.

    Args:
        tasks: T names, in the order of the losses.
        seed: Draws tasks and samples; the global random state is not touched.

    >>> from torch import nn
    >>> from cotrain.measure.points.model_point import ModelPoint
    >>> net = nn.Linear(2, 1, bias=False)
    >>> _ = nn.init.ones_(net.weight)
    >>> x, signs = torch.eye(2), torch.tensor([[1.0], [-3.0]])
    >>> def losses():  # two tasks [2, B] that pull f(x) up and down
    ...     return net(x).T * signs + 9
    >>> gradients = Gradients(tasks=["up", "down"])
    >>> gradients.probe(ModelPoint(losses, model=net, shared=net))
    >>> found = gradients.similarity()
    >>> round(float(found.cosine[0, 1]), 3), round(float(found.magnitude[0, 1]), 3)
    (-1.0, 0.6)
    """

    tasks: Sequence[str]
    seed: int = 0
    grams: list[NDArray[np.float32]] = field(default_factory=list, repr=False)  # S times [T, T]
    between_tasks: list[Array] = field(default_factory=list, repr=False)  # S times [pairs, 2]
    between_samples: list[Array] = field(default_factory=list, repr=False)
    epochs: list[int] = field(default_factory=list, repr=False)  # probes up to each epoch's end

    def __post_init__(self) -> None:
        """Refuse names that are not distinct."""
        check_names(self.tasks)

    def probe(self, point: Point) -> None:
        """Compare the tasks' gradients at one point of training, of the batch and of single samples.

        Raises:
            InputError: If a loss or a gradient is not finite; names the task and the step.
        """
        losses = checked_losses(point, self.tasks)
        gradients = point.task_gradients()
        gram = gradients.inner(gradients)
        known = point.present.unsqueeze(1) & point.present
        refuse_undefined(gram, known, self.tasks, point)
        tasks, samples = self._single_samples(point, losses)
        self.grams.append(torch.where(known, gram, torch.nan).float().cpu().numpy())
        self.between_tasks.append(tasks)
        self.between_samples.append(samples)

    def end_epoch(self) -> None:
        """Close an epoch: percentiles are taken within it."""
        self.epochs.append(len(self.grams))

    def similarity(self) -> GradientSimilarity:
        """The result over all probes so far; probes after the last closed epoch form one more."""
        size = len(self.tasks)
        grams = np.array(self.grams, dtype=np.float32).reshape(-1, size, size)
        mean, error = mean_and_error(grams, between_pairs)
        norms = np.sqrt(np.einsum("stt->st", grams), dtype=np.float64)
        once = np.tri(size, k=-1, dtype=bool)  # each pair of tasks once
        epochs = [
            (
                finite_mean(norms[part]),
                spread(between_pairs(grams[part])[:, once].reshape(-1, 3)[:, :2]),
                spread(_joined(self.between_tasks[part])),
                spread(_joined(self.between_samples[part])),
            )
            for part in self._parts()
        ]
        shapes = ((size,), (2, 5), (2, 5), (2, 5))
        over_epochs = [
            _rows([epoch[at] for epoch in epochs], *shape) for at, shape in enumerate(shapes)
        ]
        norm, batches, inter_task, inter_sample = over_epochs
        return GradientSimilarity(
            tasks=tuple(self.tasks),
            probes=len(grams),
            cosine=mean[..., 0],
            cosine_error=error[..., 0],
            magnitude=mean[..., 1],
            magnitude_error=error[..., 1],
            conflict=mean[..., 2],
            conflict_error=error[..., 2],
            norms=norm,
            batches=batches,
            inter_task=inter_task,
            inter_sample=inter_sample,
        )

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything measured so far, as plain arrays."""
        size = len(self.tasks)
        ragged = {"between_tasks": self.between_tasks, "between_samples": self.between_samples}
        return {
            "grams": np.array(self.grams, dtype=np.float32).reshape(-1, size, size),
            "epochs": np.array(self.epochs, dtype=np.int64),
            **{name: _joined(parts) for name, parts in ragged.items()},
            **{f"{name}_ends": _ends(parts) for name, parts in ragged.items()},
        }

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from where :meth:`state` stood."""
        self.grams, self.epochs = list(state["grams"]), state["epochs"].tolist()
        self.between_tasks, self.between_samples = (
            np.split(state[name], state[f"{name}_ends"])[:-1]
            for name in ("between_tasks", "between_samples")
        )

    def _parts(self) -> list[slice]:
        """The probes of each epoch; those after the last closed one are an epoch, too."""
        tail = [len(self.grams)] if len(self.grams) > (self.epochs or [0])[-1] else []
        ends = [0, *self.epochs, *tail]
        return [slice(a, b) for a, b in pairwise(ends)]

    def _single_samples(self, point: Point, losses: Tensor) -> tuple[Array, Array]:
        """``[pairs, 2]`` cosine and magnitude similarity between tasks, and between samples."""
        labelled = point.labelled.cpu().numpy()
        tasks, rows = self._draw(labelled, losses)
        cells = [(t, b) for t in tasks for b in rows if labelled[t, b]]
        if labelled.shape[1] == 1 or len(cells) < 2:
            return NOTHING, NOTHING
        found = point.example_gradients([t for t, _ in cells], [b for _, b in cells])
        pairs = compared(found.inner(found).double().cpu().numpy())
        task, row = np.array(cells).T
        above = np.triu(np.ones((len(cells), len(cells)), dtype=bool), 1)
        return pairs[np.equal.outer(row, row) & above], pairs[np.equal.outer(task, task) & above]

    def _draw(self, mask: NDArray[np.bool_], losses: Tensor) -> tuple[list[int], list[int]]:
        """At most eight tasks, and eight rows where most of them are labelled.

        Tasks are drawn from their order by loss, so the draw does not depend on their place.
        """
        rng = np.random.default_rng((self.seed, len(self.grams)))
        by_loss = np.argsort(losses.cpu().numpy(), kind="stable")
        present = by_loss[mask[by_loss].any(axis=1)]
        tasks = rng.permutation(present)[:MOST_DRAWN]
        order = rng.permutation(mask.shape[1])
        fullest = np.argsort(-mask[tasks][:, order].sum(axis=0), kind="stable")
        return tasks.tolist(), order[fullest][:MOST_DRAWN].tolist()


def between_pairs(grams: NDArray[np.floating[Any]]) -> Array:
    """``[s, T, T, 3]`` cosine, magnitude similarity and conflict; NaN on the diagonal."""
    pairs = compared(grams.astype(np.float64))
    found = np.concatenate([pairs, conflicts(pairs[..., :1])], axis=-1)
    found[:, np.eye(grams.shape[-1], dtype=bool)] = np.nan
    return found


def _joined(parts: Sequence[Array]) -> Array:
    return np.concatenate([NOTHING, *parts])


def _ends(parts: Sequence[Array]) -> NDArray[np.int64]:
    return np.cumsum([len(part) for part in parts], dtype=np.int64)


def _rows(rows: Sequence[Array], *shape: int) -> Array:
    """``[E, ...]``, also for no epoch at all."""
    return np.array(rows, dtype=np.float64).reshape(-1, *shape)

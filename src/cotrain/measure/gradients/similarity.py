"""How alike the gradients of tasks are, over a training: cosines, conflicts and sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cotrain.arrays import Array
from cotrain.figures.style import Figure
from cotrain.figures.text import shorten
from cotrain.figures.timeline import Band, timeline_figure
from cotrain.measure.measurement import Measurement
from cotrain.stats import finite_mean

COSINE, MAGNITUDE = 0, 1  # what is compared
MEAN, STD, LOW, HIGH, CONFLICT = range(5)  # how it is summarised; CONFLICT of the cosine only
STRONGEST = 3


@dataclass(frozen=True, kw_only=True)
class GradientSimilarity(Measurement):
    """Similarity of task gradients of the shared parameters, over a training run of E epochs.

    Args:
        tasks: Task names.
        probes: Number of probed steps.
        cosine: ``[T, T]`` mean cosine of two tasks' batch gradients; the diagonal is NaN, here and below.
        cosine_error: ``[T, T]`` standard error.
        magnitude: ``[T, T]`` mean magnitude similarity, 1 for equally long gradients, near 0 for unequal.
        magnitude_error: ``[T, T]`` standard error.
        conflict: ``[T, T]`` share of probes with a negative cosine.
        conflict_error: ``[T, T]`` standard error.
        norms: ``[E, T]`` mean length of each task's gradient.
        batches: ``[E, 2, 5]`` over all pairs of tasks and probes of an epoch: (cosine, magnitude
            similarity) by (mean, standard deviation, 2.5 and 97.5 % percentile, share of conflicts).
        inter_task: ``[E, 2, 5]`` the same between two tasks on one sample.
        inter_sample: ``[E, 2, 5]`` the same between two samples of one task.
    """

    title = "Gradient similarity"
    about = (
        "Cosines between gradients of the shared parameters over training, with 95 % of them inside the "
        "band. Samples of one task are the yardstick: tasks that conflict no more than they do conflict "
        "in no special way."
    )

    probes: int
    cosine: Array
    cosine_error: Array
    magnitude: Array
    magnitude_error: Array
    conflict: Array
    conflict_error: Array
    norms: Array
    batches: Array
    inter_task: Array
    inter_sample: Array

    def __str__(self) -> str:
        """Conflicts between tasks beside those between samples, and the pairs that conflict most."""
        lines = [
            f"{len(self.tasks)} tasks, gradients of the shared parameters, {self.probes} probes"
        ]
        for name, values in (
            ("between tasks, whole batches", self.batches),
            ("between tasks, same sample", self.inter_task),
            ("between samples, same task", self.inter_sample),
        ):
            if np.isfinite(values[:, COSINE, MEAN]).any():
                cosine, magnitude = finite_mean(values)
                lines.append(
                    f"  {name:<30} cosine {cosine[MEAN]:+.2f}, conflicts {cosine[CONFLICT]:4.0%}, "
                    f"magnitude similarity {magnitude[MEAN]:.2f}"
                )
        return "\n".join([*lines, *self._worst()])

    def _worst(self) -> list[str]:
        """The pairs with the lowest cosine."""
        lower = np.tril(np.ones_like(self.cosine, dtype=bool), -1) & np.isfinite(self.cosine)
        pairs = np.argwhere(lower)
        order = np.argsort(self.cosine[lower], kind="stable")[:STRONGEST]
        return [
            f"  {shorten(self.tasks[a], 40)} against {shorten(self.tasks[b], 40)}: cosine "
            f"{self.cosine[a, b]:+.3f} ± {self.cosine_error[a, b]:.3f}, "
            f"conflicts {self.conflict[a, b]:.0%}"
            for a, b in pairs[order].tolist()
            if self.cosine[a, b] < 0
        ]

    def figure(self) -> Figure:
        """Cosines over training: between tasks, and between samples as the yardstick."""
        bands = [
            Band(name=name, middle=part[MEAN], low=part[LOW], high=part[HIGH])
            for name, values in (
                ("tasks, same sample", self.inter_task),
                ("samples, same task", self.inter_sample),
                ("tasks, whole batches", self.batches),
            )
            for part in [values[:, COSINE].T]
            if np.isfinite(part[MEAN]).any()
        ]
        return timeline_figure(bands, title="cosine of gradients", x_title="epoch")


def compared(gram: Array) -> Array:
    """``[..., C, C, 2]`` cosine and magnitude similarity from ``[..., C, C]`` inner products.

    NaN where a gradient is zero: it has no direction.

    >>> compared(np.array([[4.0, -3.0], [-3.0, 9.0]]))[0, 1].round(3)
    array([-0.5  ,  0.923])
    """
    squares = np.einsum("...cc->...c", gram)
    a, b = squares[..., :, None], squares[..., None, :]
    lengths = np.sqrt(np.where((a > 0) & (b > 0), a * b, np.nan))
    return np.stack([gram / lengths, 2 * lengths / (a + b)], axis=-1)


def conflicts(cosine: Array) -> Array:
    """1 where two gradients conflict, 0 where they do not, NaN where that is unknown."""
    return np.where(np.isfinite(cosine), cosine < 0, np.nan)


def spread(pairs: Array) -> Array:
    """``[2, 5]`` summary of ``[n, 2]`` similarities, NaN for none.

    >>> spread(np.array([[-0.5, 0.2], [0.5, 0.4]]))[:, [MEAN, CONFLICT]].round(2)
    array([[0. , 0.5],
           [0.3, nan]])
    """
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if not len(pairs):
        return np.full((2, 5), np.nan)
    low, high = np.percentile(pairs, [2.5, 97.5], axis=0)
    share = np.array([conflicts(pairs[:, COSINE]).mean(), np.nan])
    deviation = pairs.std(axis=0, ddof=1) if len(pairs) > 1 else np.full(2, np.nan)
    return np.stack([pairs.mean(axis=0), deviation, low, high, share], axis=1)

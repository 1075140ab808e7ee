"""Score sources by linear probes of the raw inputs: no network is trained.

Letters: S sources, T = S + 1 tasks (the target last), N rows, D inputs, K columns of a task's labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.artifacts import RunFolder
from cotrain.data.taskdata import Development, TaskData
from cotrain.population.engine import flops_per_example
from cotrain.stages import architecture_of
from cotrain.transfer.alignment import above_chance, indicators
from cotrain.transfer.ranked import Ranked

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class ByLinearProbe:
    """How much of the target's labels a linear probe of a source's labels tells on the target's rows.

    The probe of a source is the direction in which its labels change, whitened by the covariance of the
    inputs plus its mean eigenvalue: ridge regression, or linear discriminant analysis of classes. The score
    is the alignment of its predictions with the target's labels, times the square root of that with the
    source's own labels on validation rows, each above that of chance (see
    :mod:`cotrain.transfer.alignment`): a probe that does not know its own task scores 0. In the spirit of
    LEEP (Nguyen et al. 2020, arXiv 2002.12862), with no network at all; inputs that are no quantities, such
    as the numbers of tokens, tell nothing.

    Args:
        rows: That the covariance is estimated from.
        widths: Of the network to be pre-finetuned: what one of its examples costs is the unit of cost.
        seed: Of the draw of these rows.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from cotrain.data import from_arrays
    >>> x = np.random.default_rng(0).normal(size=(400, 3))
    >>> y = np.stack([x[:, 2] > 0, x[:, 0] > 0, x[:, 0] + x[:, 1] > 0], axis=1)
    >>> joint = from_arrays(x, y).development
    >>> ByLinearProbe()(RunFolder(Path(tempfile.mkdtemp())), joint).score.round(1)
    array([0. , 0.3])
    """

    rows: int = 256
    widths: tuple[int, ...] = (256, 256)
    seed: int = 0

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """See :class:`~cotrain.transfer.ranked.Ranker`."""
        target = len(joint.tasks) - 1
        drawn = np.random.default_rng(self.seed).permutation(len(joint.train))[: self.rows]
        whiten = Whitening.of(joint.train.inputs.flatten(1).numpy()[drawn])
        there, wanted = _labelled(joint.train, target)
        score, flops = np.zeros(target), whiten.flops
        for s in range(target):
            inputs, labels = _labelled(joint.train, s)
            probe = whiten(inputs.T @ (labels - labels.mean(axis=0)) / len(inputs))
            known, own = _labelled(joint.valid, s)
            told = above_chance(there @ probe, wanted)
            score[s] = told * max(0.0, above_chance(known @ probe, own)) ** 0.5
            rows = len(inputs) + len(there) + len(known) + 2 * len(drawn)
            flops += 2 * probe.size * rows
        unit = flops_per_example(architecture_of(joint, None, self.widths))
        return Ranked(score=score, examples=flops / unit)


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """Multiplies by the inverse of a covariance that few rows tell, plus its mean eigenvalue.

    Args:
        centred: ``[N, D]`` rows without their mean.
        kernel: ``[N, N]`` their products, the ridge added.
        ridge: The mean eigenvalue.
    """

    centred: Array
    kernel: Array
    ridge: float

    @classmethod
    def of(cls, rows: Array) -> Whitening:
        """From ``[N, D]`` rows."""
        centred = rows - rows.mean(axis=0)
        ridge = float(centred.var(axis=0).mean()) or 1.0
        kernel = centred @ centred.T + len(rows) * ridge * np.eye(len(rows), dtype=np.float32)
        return cls(centred=centred, kernel=kernel, ridge=ridge)

    def __call__(self, directions: Array) -> Array:
        """``[D, K]`` of ``[D, K]``, by Woodbury's identity.

        >>> rows = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
        >>> covariance = np.cov(rows.T, bias=True)
        >>> direct = np.linalg.inv(covariance + np.trace(covariance) / 3 * np.eye(3))
        >>> bool(np.allclose(Whitening.of(rows)(np.eye(3, dtype=np.float32)), direct, atol=1e-5))
        True
        """
        inner = np.linalg.solve(self.kernel, self.centred @ directions)
        return (directions - self.centred.T @ inner) / self.ridge

    @property
    def flops(self) -> float:
        """Of the products of the rows and of solving with them."""
        rows, inputs = self.centred.shape
        return float(2 * rows**2 * inputs + 2 / 3 * rows**3)


def _labelled(data: TaskData, task: int) -> tuple[Array, Array]:
    """``[N, D]`` inputs and ``[N, K]`` labels of the rows that a task labels."""
    rows, labels = data.labels(task)
    wanted = indicators(labels, data.tasks[task]).astype(np.float32)
    return data.inputs.flatten(1).numpy()[rows], wanted

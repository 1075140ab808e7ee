"""Score sources by linear probes of the raw inputs: no network is trained.

Letters: S sources, T = S + 1 tasks (the target last), N rows, D inputs, K columns of a task's labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.data.dataset import Development, TaskData
from cotrain.engine.build import architecture_of
from cotrain.engine.engine import flops_per_example
from cotrain.folder import RunFolder
from cotrain.transfer.rankers.alignment import above_chance, indicators
from cotrain.transfer.rankers.base import Ranked

Array = NDArray[np.floating[Any]]
SAMPLE = 512


@dataclass(frozen=True, kw_only=True)
class ByLinearProbe:
    """How much of the target's labels a linear probe of a source's labels tells on the target's rows.

    The probe of a source is the direction in which its labels change, whitened by the covariance of the
    inputs plus its mean eigenvalue: ridge regression, or linear discriminant analysis of classes. The score
    is the alignment of its predictions with the target's labels, times the square root of that with the
    source's own labels on validation rows, each above that of chance (see
    :mod:`cotrain.transfer.rankers.alignment`): a probe that does not know its own task scores 0.
    In the spirit of
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

    rows: int = 128
    widths: tuple[int, ...] = (256, 256)
    seed: int = 0

    def __call__(self, folder: RunFolder, joint: Development) -> Ranked:
        """Fit a probe a source, and score it by what it tells of the target."""
        train, valid, target = joint.train, joint.valid, len(joint.tasks) - 1
        drawn = np.random.default_rng(self.seed).permutation(len(train))[: self.rows]
        whiten = Whitening.of(train.inputs.numpy()[drawn])
        wanted = Moment.of(train, target)
        score, flops = np.zeros(target), whiten.flops + wanted.flops
        for s in range(target):
            learned, known = Moment.of(train, s), Moment.of(valid, s)
            probe = whiten(learned.cross / learned.rows)
            score[s] = wanted.told_by(probe) * max(0.0, known.told_by(probe)) ** 0.5
            rows = 2 * len(drawn) + len(known.sample) + len(wanted.sample)
            flops += learned.flops + known.flops + 2 * probe.size * rows
        unit = flops_per_example(architecture_of(joint, widths=self.widths))
        return Ranked(score=score, examples=flops / unit)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a linear probe needs to know of a task's labels.

    Args:
        cross: ``[D, K]`` products of inputs and centred labels, over the labelled rows.
        own: ``[K, K]`` of the labels with each other.
        rows: N labelled ones.
        sample: ``[n, D]`` inputs of some of them, evenly spaced, for how much predictions vary there.
    """

    cross: Array
    own: Array
    rows: int
    sample: Array

    @classmethod
    def of(cls, data: TaskData, task: int) -> Moment:
        """The moments over the rows that a task labels."""
        rows, labels = data.labels(task)
        wanted = indicators(labels, data.tasks[task]).astype(np.float32)
        wanted -= wanted.mean(axis=0)
        inputs = data.inputs.numpy()[rows]
        some = np.linspace(0, len(rows) - 1, min(len(rows), SAMPLE)).astype(np.intp)
        return cls(
            cross=inputs.T @ wanted, own=wanted.T @ wanted, rows=len(rows), sample=inputs[some]
        )

    def told_by(self, probe: Array) -> float:
        """Alignment above chance of the labels with the predictions of a probe ``[D, C]``."""
        if self.rows < 2:
            return 0.0
        told = self.sample @ probe
        told = (told - told.mean(axis=0)).astype(np.float64)
        spread = told.T @ told * (self.rows / len(told))
        return above_chance(probe.T @ self.cross, spread, self.own, self.rows)

    @property
    def flops(self) -> float:
        """Floating-point operations of the products."""
        return float(2 * self.cross.size * self.rows)


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
        """The whitening by the covariance of ``[N, D]`` rows."""
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
        """Floating-point operations of the products of the rows and of solving with them."""
        rows, inputs = self.centred.shape
        return float(2 * rows**2 * inputs + 2 / 3 * rows**3)

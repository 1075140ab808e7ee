"""The data every stage works on: inputs, targets, the label mask — and a test split under seal.

Letters: N rows, T tasks, D inputs, F columns the trees see.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain import __version__
from cotrain.data.identity import row_keys
from cotrain.errors import InputError
from cotrain.tasks import Kind, Task

if TYPE_CHECKING:
    from cotrain.data.features.prepare import Preparation


class Rows(Protocol):
    """Rows to predict, as networks and as other models read them."""

    @property
    def inputs(self) -> Tensor:
        """``[N, ...]`` float32, what networks read; finite."""
        ...

    @property
    def columns(self) -> NDArray[np.float64]:
        """``[N, F]`` what trees read: NaN where missing, categories as codes."""
        ...


@dataclass(frozen=True, kw_only=True)
class NewRows:
    """Rows without targets.

    Args:
        inputs: As of :class:`Rows`; likewise below.
        columns: See there.
    """

    inputs: Tensor
    columns: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """Rows with inputs and partially labelled targets.

    Args:
        inputs: ``[N, ...]`` float32, what the network reads; finite.
        targets: ``[N, T]`` float32: class codes, or standardised values. Cells without a label hold 0,
            whatever stood there, so a missing label can have no influence.
        mask: ``[N, T]`` bool, true where a label is present.
        tasks: The ordered task list.
        columns: ``[N, F]`` float64, what the trees read: NaN where missing, categories as codes.
        categorical: ``[F]`` bool, which of ``columns`` are category codes.
        domains: ``[T]`` if tasks are domains, so that every row is labelled for one of them and weights
            are the rates at which batches sample them: what seeds the draws of each domain's rows. Else
            empty.
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor
    tasks: tuple[Task, ...]
    columns: NDArray[np.float64]
    categorical: NDArray[np.bool_]
    domains: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit and inputs that are not finite; blank unlabelled cells."""
        shape = (len(self.inputs), len(self.tasks))
        if self.targets.shape != shape or self.mask.shape != shape:
            raise InputError(
                f"targets {tuple(self.targets.shape)} and mask {tuple(self.mask.shape)} must both be "
                f"[rows, tasks] = {shape}"
            )
        if not bool(torch.isfinite(self.inputs).all()):
            raise InputError("inputs hold NaN or infinity: fill or drop these cells first")
        blanked = torch.where(self.mask, self.targets, 0.0).to(torch.float32)
        if not bool(torch.isfinite(blanked).all()):
            raise InputError("a labelled target is NaN or infinite: mask the cell or correct it")
        object.__setattr__(self, "targets", blanked)

    def __len__(self) -> int:
        """Number of rows N."""
        return len(self.inputs)

    def rows(self, index: NDArray[np.intp] | Tensor) -> TaskData:
        """The same data at the given rows."""
        at = torch.as_tensor(index)
        return replace(
            self,
            inputs=self.inputs[at],
            targets=self.targets[at],
            mask=self.mask[at],
            columns=self.columns[at.numpy()],
        )

    def labels(self, task: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Row numbers that carry a label of the task, and these labels."""
        at = self.mask[:, task].numpy().nonzero()[0]
        return at, self.targets[:, task].numpy()[at].astype(np.float64)

    def label_key(self, task: int) -> bytes:
        """A hash of a task's labels: an order by it depends on neither names nor places of tasks."""
        if self.domains:  # made from each domain's content, wherever its rows stand
            return self.domains[task].to_bytes(8)
        labels = (self.targets[:, task], self.mask[:, task])
        content = b"".join(part.contiguous().numpy().tobytes() for part in labels)
        return hashlib.sha256(content).digest()

    def all_labels(self) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """``[T]`` the same of every task."""
        return [self.labels(task) for task in range(len(self.tasks))]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """What a cross-fitted model trains on, and the rows that it leaves out, to predict them.

    Args:
        train: Rows of the development data that it trains on.
        held: Rows that it leaves out.
    """

    train: NDArray[np.intp]
    held: NDArray[np.intp]


@dataclass(frozen=True, kw_only=True)
class Units:
    """Where a fold's models have their zero and their one: ``labels = mean + scale · outputs``.

    Args:
        mean: ``[T]`` mean labels of its training rows; 0 for classes.
        scale: ``[T]`` their standard deviation; 1 for classes.
    """

    mean: Tensor
    scale: Tensor


@dataclass(frozen=True, kw_only=True)
class Development:
    """What measuring, tuning and deciding may see: the training and the validation split.

    Args:
        train: Training rows.
        valid: Validation rows.
        train_rows: ``[N]`` places of the training rows in the user's table, from 0; their own order if
            None.
        units: ``[N]`` for the training rows followed by the validation rows: rows of one unit never come
            into different folds; None if only rows of equal inputs stay together.
        times: ``[N]`` likewise: folds are blocks of time; None if time is no matter.
        folds: The model of seed s leaves out fold s; without any, all train on the training rows and leave
            out the validation rows. See :mod:`cotrain.data.folds`.
    """

    train: TaskData
    valid: TaskData
    train_rows: NDArray[np.int64] | None = None
    units: NDArray[np.int64] | None = None
    times: NDArray[np.float64] | None = None
    folds: tuple[Fold, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be made again: workers get the rows once."""
        return {own.name: getattr(self, own.name) for own in fields(self)}

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The ordered task list."""
        return self.train.tasks

    @cached_property
    def rows(self) -> TaskData:
        """All N rows: the training rows, and after them the validation rows."""
        train, valid = self.train, self.valid
        return replace(
            train,
            inputs=torch.cat([train.inputs, valid.inputs]),
            targets=torch.cat([train.targets, valid.targets]),
            mask=torch.cat([train.mask, valid.mask]),
            columns=np.concatenate([train.columns, valid.columns]),
        )

    @cached_property
    def holdout(self) -> Fold:
        """The training rows and the validation rows as a fold."""
        return Fold(
            train=np.arange(len(self.train)),
            held=np.arange(len(self.train), len(self.train) + len(self.valid)),
        )

    def fold(self, seed: int) -> Fold:
        """What the model of a seed trains on and leaves out."""
        return self.folds[seed % len(self.folds)] if self.folds else self.holdout

    @cached_property
    def training_size(self) -> int:
        """Rows that every model can train on: those of the smallest fold."""
        return min((len(fold.train) for fold in self.folds), default=len(self.train))

    @cached_property
    def cuts(self) -> tuple[Development, ...]:
        """Each fold as a training and a validation split of its own; itself if there are none."""
        return tuple(
            Development(train=self.rows.rows(fold.train), valid=self.rows.rows(fold.held))
            for fold in self.folds
        ) or (self,)

    def cut(self, seed: int) -> Development:
        """The cut of a seed's model."""
        return self.cuts[seed % len(self.cuts)]

    @cached_property
    def spreads(self) -> tuple[float, ...]:
        """``[T]`` variance of each task's labels over all rows."""
        return tuple(float(np.var(labels)) for _, labels in self.rows.all_labels())

    @cached_property
    def _units(self) -> tuple[Units, ...]:
        return tuple(_units_of(self.rows, fold.train) for fold in self.folds)

    def units_of(self, seed: int) -> Units | None:
        """Zero and one of a seed's model; None where the labels have them already."""
        return self._units[seed % len(self.folds)] if self.folds else None


def _units_of(data: TaskData, rows: NDArray[np.intp]) -> Units:
    """From the labels of some rows; tasks of the same head have them in common."""
    mean, scale = torch.zeros(len(data.tasks)), torch.ones(len(data.tasks))
    targets, mask = data.targets[rows], data.mask[rows]
    for t, task in enumerate(data.tasks):
        if task.kind is Kind.REGRESSION:
            alike = [
                k
                for k, other in enumerate(data.tasks)
                if k == t or (task.head and other.head == task.head)
            ]
            labels = targets[:, alike][mask[:, alike]].double()
            if len(labels):
                mean[t] = labels.mean()
                spread = labels.std(correction=0)
                scale[t] = spread if spread > 0 else 1.0
    return Units(mean=mean, scale=scale)


@dataclass(frozen=True, kw_only=True)
class FinishedDecision(ABC):
    """A decision that is final: all that is judged on test rows follows from it, and nothing changes it.

    What serves each task in a run and what a study compares are such decisions; each is a subclass that
    holds what was decided.

    Args:
        tasks: ``[T]`` the tasks that were decided about, in order.
    """

    tasks: tuple[Task, ...]

    @property
    @abstractmethod
    def decided(self) -> str:
        """What was decided, in a few words."""

    def check(self, tasks: Sequence[Task]) -> None:
        """Refuse tasks that nothing was decided about."""
        if tuple(tasks) != self.tasks:
            raise ValueError(
                f"the decision ({self.decided}) is about other tasks than these {len(tasks)}"
            )


class SealedTest:
    """The test split. It opens only for a :class:`FinishedDecision`.

    No stage before the evaluation has one to show, so choosing on test data does not type-check.
    """

    def __init__(self, data: TaskData) -> None:
        self.__data = data

    def __len__(self) -> int:
        """Number of test rows."""
        return len(self.__data)

    def __repr__(self) -> str:
        """Rows only."""
        return f"SealedTest(rows={len(self)})"

    def count_known(self, keys: NDArray[np.int64]) -> int:
        """How many of its rows have the inputs of known rows, by their keys; not which."""
        return int(np.isin(row_keys(self.__data.inputs), keys).sum())

    def open_for(self, decision: FinishedDecision) -> TaskData:
        """The test rows, in exchange for the decision that was made without them.

        Raises:
            TypeError: If it is none.
        """
        if not isinstance(decision, FinishedDecision):
            raise TypeError(
                f"the test split opens for a finished decision only, not for {decision!r}"
            )
        FinishedDecision.check(decision, self.__data.tasks)  # whatever a subclass makes of it
        return self.__data


@dataclass(frozen=True, kw_only=True)
class Splits:
    """A data set cut in three, the third part under seal.

    Args:
        development: Training and validation rows.
        test: The sealed test rows.
        notes: What the user should know about the cut: rows without labels, columns left out, …
        preparation: How table rows become inputs; None for data given as arrays.
        unlabelled: Rows that were dropped because they carry no label.
        digest: SHA-256 over inputs, targets, mask and row assignment; resuming checks it.
    """

    development: Development
    test: SealedTest
    digest: str
    notes: tuple[str, ...] = ()
    unlabelled: int = 0
    preparation: Preparation | None = None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The ordered task list."""
        return self.development.tasks

    def identity(self, *, verb: str, title: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What tells one run from another, for :meth:`cotrain.folder.RunFolder.claim`.

        Args:
            verb: What is done with the data.
            title: Their name.
            settings: What JSON can hold of the verb's settings.
        """
        return {
            "cotrain": __version__,
            "verb": verb,
            "data": self.digest,
            "title": title,
            "tasks": [asdict(task) for task in self.tasks],
            "settings": settings,
        }

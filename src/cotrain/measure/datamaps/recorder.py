"""Record data maps during any PyTorch training: running statistics, no history.

Each example of each task has its own count, so the order of batches does not matter, and an example may
be seen twice in an epoch or be left out of one. A cell costs 15 bytes, and 10 for each snapshot, once
here and once in the result: 617 tasks x 8,615 rows with 4 snapshots peak at 0.55 GB, with 8 at 0.98 GB.
Saving a result takes twice its size besides (benchmarks/results/datamap.md).
Letters: T tasks, N examples, B batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.measure.datamaps.datamap import ARRAYS, DataMap, Levels
from cotrain.measure.datamaps.observations import ArrayLike, Observations
from cotrain.measure.datamaps.running import Running

Arrays = dict[str, NDArray[Any]]


class DataMaps:
    """Follows the confidence in every label through one training.

    Args:
        tasks: T names.
        rows: Number of training examples N. An example keeps its number in all epochs.
        snapshots: Epochs, from 2 on, after which the map is kept; the last epoch always is.

    Raises:
        InputError: If there are no tasks or rows, or a snapshot is asked for before epoch 2.

    >>> maps = DataMaps(["toxic"], rows=2)
    >>> for confidence in ([[0.5, 0.9]], [[1.0, 0.9]]):  # of examples 1 and 0, in two epochs
    ...     maps.record(np.array([1, 0]), np.array(confidence), np.array([[False, True]]))
    ...     maps.end_epoch()
    >>> found = maps.result()
    >>> found.confidence().round(3).tolist(), found.variability().round(3).tolist()
    ([[0.8999999761581421, 0.75]], [[0.0, 0.3540000021457672]])
    """

    def __init__(self, tasks: Sequence[str], *, rows: int, snapshots: Sequence[int] = ()) -> None:
        if not tasks or rows < 1:
            raise InputError(f"a data map needs tasks and rows, found {len(tasks)} and {rows}")
        if any(epoch < 2 for epoch in snapshots):
            found = f"one epoch has no variability, found {min(snapshots)}"
            raise InputError(f"snapshots must be epochs from 2 on: {found}")
        self.tasks = tuple(tasks)
        self.rows = rows
        self.snapshots = frozenset(snapshots)
        self.epochs = 0
        self._batches = 0  # of the unfinished epoch
        self._running = Running.start(rows, len(self.tasks))
        self._kept: dict[int, tuple[Levels, ...]] = {}

    def record(
        self,
        rows: ArrayLike,
        confidence: ArrayLike,
        correct: ArrayLike,
        labelled: ArrayLike | None = None,
    ) -> None:
        """Take in one batch of the training forward pass, before the batch's update.

        Args:
            rows: ``[B]`` numbers of the examples, 0 to N − 1.
            confidence: ``[T, B]`` in the true label (see :mod:`cotrain.measure.datamaps.confidence`).
            correct: ``[T, B]`` bool, whether the prediction is right.
            labelled: ``[T, B]`` bool; by default where ``confidence`` is not NaN. With it, NaN in a
                labelled cell is refused instead of taken for a missing label.

        Raises:
            InputError: If shapes or rows do not fit, or a labelled confidence is not from 0 to 1. Nothing
                of the batch is recorded then.
        """
        batch = Observations.of(rows, confidence, correct, labelled)
        batch.check(self.tasks, self.rows, self.epochs + 1)
        for part in batch.distinct():
            self._running.update(part)
        self._batches += 1

    def end_epoch(self) -> None:
        """Close an epoch, and keep the map if a snapshot was asked for.

        Raises:
            InputError: If nothing was recorded since the last call.
        """
        if not self._batches:
            epoch = self.epochs + 1
            raise InputError(f"epoch {epoch} has no record: call end_epoch() once after each epoch")
        self._batches = 0
        self.epochs += 1
        if self.epochs in self.snapshots:
            self._kept[self.epochs] = self._running.snapshot()

    def result(self) -> DataMap:
        """The snapshots asked for and the last epoch; recording may go on.

        Raises:
            InputError: If fewer than two epochs were recorded, or the last one is not closed.
        """
        if self._batches or self.epochs < 2:
            found = f"{self.epochs} and {self._batches} batches of another"
            raise InputError(f"a data map needs at least two epochs, each ended, found {found}")
        last = {} if self.epochs in self._kept else {self.epochs: self._running.snapshot()}
        kept = {**self._kept, **last}
        arrays = {
            name: np.stack([each[i] for each in kept.values()]) for i, name in enumerate(ARRAYS)
        }
        numbers = np.arange(self.rows, dtype=np.int64)
        return DataMap(tasks=self.tasks, epochs=tuple(kept), numbers=numbers, **arrays)

    def state(self) -> Arrays:
        """Everything needed to go on later, as plain arrays that recording does not change."""
        running = {name: array.copy() for name, array in self._running.arrays().items()}
        kept = {
            f"snapshot {epoch} {name}": array  # not copied: a snapshot never changes
            for epoch, each in self._kept.items()
            for name, array in zip(ARRAYS, each, strict=True)
        }
        return {"epochs": np.array([self.epochs, self._batches]), **running, **kept}

    def load_state(self, state: Mapping[str, ArrayLike]) -> None:
        """Go on from where :meth:`state` stood, bit for bit.

        Raises:
            InputError: If the state is not that of a recorder with as many tasks and rows.
        """
        found = {key: np.asarray(array) for key, array in state.items()}
        own = {"epochs": np.zeros(2), **self._running.arrays()}
        for name, array in own.items():
            if name not in found or found[name].shape != array.shape:
                expected = f"{self.rows} rows and {len(self.tasks)} tasks"
                raise InputError(f"the state holds no {name!r} of {expected}")
        self.epochs, self._batches = map(int, found["epochs"])
        del own["epochs"]
        self._running = Running(**{n: found[n].astype(a.dtype) for n, a in own.items()})
        kept = sorted({int(key.split()[1]) for key in found if key.startswith("snapshot ")})
        self._kept = {e: tuple(found[f"snapshot {e} {name}"] for name in ARRAYS) for e in kept}

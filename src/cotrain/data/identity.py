"""Which rows have the same inputs, and which tasks the same labels: short hashes. Letters: N rows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from cotrain.data.dataset import TaskData


def row_keys(inputs: Tensor) -> NDArray[np.int64]:
    """``[N]`` hashes of the rows of ``inputs [N, ...]``: equal rows have equal keys.

    Two different rows have the same key with probability 2⁻⁶⁴.

    >>> import torch
    >>> keys = row_keys(torch.tensor([[0.0, 1.0], [2.0, 3.0], [-0.0, 1.0]]))
    >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
    (True, False)
    """
    rows = inputs.flatten(1).numpy() + np.float32(0)  # -0.0 is 0.0
    keys = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows)
    return np.frombuffer(keys, dtype=np.int64).copy()


def label_key(data: TaskData, task: int) -> bytes:
    """A hash of a task's labels: an order by it depends on neither the names nor the places of tasks."""
    if data.domains:  # made from each domain's content, wherever its rows stand
        return data.domains[task].to_bytes(8)
    labels = (data.targets[:, task], data.mask[:, task])
    return hashlib.sha256(b"".join(part.contiguous().numpy().tobytes() for part in labels)).digest()

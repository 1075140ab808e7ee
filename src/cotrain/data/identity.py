"""Which rows have the same inputs: short hashes. Letters: N rows."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


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

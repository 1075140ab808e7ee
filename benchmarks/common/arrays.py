"""Names for the arrays that benchmarks pass around."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
Inputs: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]
Sets: TypeAlias = NDArray[np.bool_]  # [M, T] which tasks are in which set

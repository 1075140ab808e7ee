"""The array type that most of the package computes with."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Float64 of any shape; docstrings say which, ``[rows, columns]``, with their letters."""

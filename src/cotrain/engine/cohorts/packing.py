"""Python objects as a head and arrays, so that an object store keeps the arrays once and as they are.

Pickle would copy a tensor into the stream; an array beside the stream can be read in place by every process
of a machine. What is packed travels between processes of one user's cluster only, like every task of Ray;
it is no file format, and nothing that came from outside is unpacked.
"""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Packed = list[Any]  # the pickle, and an array of bytes for each tensor and array


def pack(value: Any) -> Packed:
    """A pickle that functions and classes of a script survive, and the memory of its tensors and arrays.

    Needs Ray, which brings the pickler.
    """
    from ray.cloudpickle import CloudPickler

    class Packer(CloudPickler):  # type: ignore[misc]
        def reducer_override(self, part: Any) -> Any:
            if type(part) is Tensor and part.layout is torch.strided and not part.requires_grad:
                flat = part.detach().contiguous().flatten().view(torch.uint8)
                return _tensor, (flat.numpy(), part.dtype, part.shape)
            return super().reducer_override(part)

    head, buffers = io.BytesIO(), list[pickle.PickleBuffer]()
    Packer(head, protocol=5, buffer_callback=buffers.append).dump(value)
    return [head.getvalue(), *(np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers)]


def unpack(packed: Packed) -> Any:
    """The value; its tensors and arrays share the memory of ``packed`` and may be read-only."""
    head, *buffers = packed
    return pickle.loads(head, buffers=buffers)


def size(packed: Packed) -> int:
    """Bytes that a packed object takes."""
    return sum(len(part) for part in packed)


def _tensor(flat: NDArray[np.uint8], dtype: torch.dtype, shape: torch.Size) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # read-only memory: nobody writes there
        return torch.from_numpy(flat).view(dtype).reshape(shape)

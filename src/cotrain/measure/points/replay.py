"""Evaluate someone's losses again and again without leaving a trace."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cotrain.errors import InputError


class Replay:
    """Losses of a model as it is, always from the same random state and the same buffers.

    So dropout draws the same masks every time. The random states of torch, numpy and Python and all
    buffers, reassigned ones too, are put back after each evaluation. Under autocast nothing is cached: the
    cache would not notice that parameters have moved.

    Args:
        losses: Computes ``[T]`` or ``[T, B]`` losses with the model.
        model: Whose buffers are put back.
    """

    def __init__(self, losses: Callable[[], Tensor], model: nn.Module) -> None:
        self._losses = losses
        self._model = model
        self._cpu: Tensor | None = None
        self._others: tuple[Any, Any] = ((), ())
        self._cuda: list[Tensor] = []

    def __call__(self) -> Tensor:
        """``[T, B]``; B = 1 for losses that are means already."""
        with torch.random.fork_rng(), _others_kept(), self._buffers_kept():
            self._rewind()
            losses = self._losses()
        if not isinstance(losses, Tensor) or losses.dim() not in (1, 2):
            found = list(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
            raise InputError(f"the losses must be a tensor [T] or [T, B], got {found}")
        return losses.unsqueeze(1) if losses.dim() == 1 else losses

    def _rewind(self) -> None:
        """The random state of the first evaluation."""
        if self._cpu is None:
            self._others = (random.getstate(), np.random.get_state())
            self._cpu = torch.random.get_rng_state()
            self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        torch.random.set_rng_state(self._cpu)
        random.setstate(self._others[0])
        np.random.set_state(self._others[1])
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)

    @contextmanager
    def _buffers_kept(self) -> Iterator[None]:
        """Let the closure work on copies; afterwards the very same tensors are back."""
        places = [(module, dict(module._buffers)) for module in self._model.modules()]
        buffers = [(buffer, buffer.data) for buffer in self._model.buffers()]
        for buffer, data in buffers:
            buffer.data = data.clone()
        try:
            yield
        finally:
            for module, own in places:
                module._buffers.update(own)
            for buffer, data in buffers:
                buffer.data = data


@contextmanager
def _others_kept() -> Iterator[None]:
    """Put back the random states of Python and numpy, and whether autocast caches."""
    states, caching = (random.getstate(), np.random.get_state()), torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_cache_enabled(caching)
        random.setstate(states[0])
        np.random.set_state(states[1])

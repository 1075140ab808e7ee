"""A cohort's progress taken apart into members, and put together again in any order and number."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch

from cotrain.engine.cohorts.checkpoint import MEASURED
from cotrain.engine.state import State, Tensors
from cotrain.engine.training import Progress


def take(progress: Progress, rows: Sequence[int]) -> Progress:
    """A copy of some members, each as often as asked for: state, moments, best epochs and models."""
    place = {row: at for at, row in enumerate(progress.active)}
    active = [at for at, row in enumerate(rows) if row in place]
    return Progress(
        state=progress.state.select([place[rows[at]] for at in active]),
        active=active,
        epoch=progress.epoch,
        diverged={at for at, row in enumerate(rows) if row in progress.diverged},
        models={
            (at, epoch): model if at == row else _clone(model)
            for at, row in enumerate(rows)
            for (owner, epoch), model in progress.models.items()
            if owner == row
        },
        **{name: getattr(progress, name)[list(rows)] for name in MEASURED},
    )


def _clone(model: Tensors) -> Tensors:
    return {name: tensor.clone() for name, tensor in model.items()}


def split(progress: Progress) -> list[Progress]:
    """``[P]`` progresses, one for each member alone."""
    return [take(progress, [row]) for row in range(len(progress.loss))]


def join(parts: Sequence[Progress]) -> Progress:
    """One cohort of all the parts' members, which have done the same epochs; shares no memory with them."""
    firsts = [0, *accumulate(len(part.loss) for part in parts)][:-1]
    placed = list(zip(firsts, parts, strict=True))
    flat = [part.state.to_flat() for part in parts]
    stacked = {name: torch.cat([own[name] for own in flat]) for name in flat[0]}
    return Progress(
        state=State.from_flat(stacked, parts[0].state.step),
        active=[first + row for first, part in placed for row in part.active],
        epoch=parts[0].epoch,
        diverged={first + row for first, part in placed for row in part.diverged},
        models={
            (first + row, epoch): _clone(model)
            for first, part in placed
            for (row, epoch), model in part.models.items()
        },
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in MEASURED},
    )

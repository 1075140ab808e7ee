"""A cohort's progress as one safetensors file: tensors, and a small JSON description."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from cotrain.engine.state import State, Tensors
from cotrain.engine.training import Progress
from cotrain.folder import RunFolder

NOTHING: Mapping[str, Tensor] = MappingProxyType({})
MEASURED = ("loss", "best_epoch", "outputs", "epochs_run")


def save(
    folder: RunFolder,
    name: str,
    progress: Progress,
    beside: Mapping[str, Tensor] = NOTHING,
    **facts: Any,
) -> None:
    """Write the progress atomically, with further tensors and JSON-able facts beside it."""
    tensors: dict[str, Tensor] = {
        f"state/{key}": tensor for key, tensor in progress.state.to_flat().items()
    }
    tensors |= {f"measured/{key}": getattr(progress, key) for key in MEASURED}
    for (row, epoch), model in progress.models.items():
        tensors |= {f"model/{row}/{epoch}/{key}": tensor for key, tensor in model.items()}
    tensors |= {f"beside/{key}": tensor for key, tensor in beside.items()}
    description = {
        "active": progress.active,
        "epoch": progress.epoch,
        "step": progress.state.step,
        "diverged": sorted(progress.diverged),
        **facts,
    }
    folder.write_tensors(name, tensors, description)


def load(folder: RunFolder, name: str) -> tuple[Progress, dict[str, Any], Tensors]:
    """The progress, the facts and the tensors beside it, as written by :func:`save`."""
    tensors, description = folder.read_tensors(name)
    progress = Progress(
        state=State.from_flat(under(tensors, "state/"), description.pop("step")),
        active=description.pop("active"),
        epoch=description.pop("epoch"),
        diverged=set(description.pop("diverged")),
        models=split_models(under(tensors, "model/")),
        **under(tensors, "measured/"),
    )
    return progress, description, under(tensors, "beside/")


def split_models(tensors: Mapping[str, Tensor]) -> dict[tuple[int, int], Tensors]:
    """(member row, epoch) → tensors, from ``row/epoch/name`` keys."""
    models: dict[tuple[int, int], Tensors] = {}
    for key, tensor in tensors.items():
        row, epoch, name = key.split("/", 2)
        models.setdefault((int(row), int(epoch)), {})[name] = tensor
    return models


def under(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """The tensors whose names begin so, without the beginning."""
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in tensors.items()
        if key.startswith(prefix)
    }


def without_training_state(progress: Progress) -> Progress:
    """The progress of a finished cohort, emptied of what only further training needs."""
    progress.state = State(
        params={"none": torch.zeros(0)},
        buffers={},
        momentum={},
        variance={},
        step=progress.state.step,
    )
    progress.active = []
    return progress

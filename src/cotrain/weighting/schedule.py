"""Weights that change at given epochs: what a search finds, and what can be trained again from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cotrain.engine.member import Change, Member
from cotrain.errors import InputError, nearest
from cotrain.folder import RunFolder

PLAIN_RATE = 3e-3  # learning rate of weights that come without one


@dataclass(frozen=True, kw_only=True)
class WeightSchedule:
    """Task weights, learning rate and weight decay for every epoch.

    Args:
        tasks: T names.
        changes: By growing epochs, the first from epoch 0.

    >>> early = Change(epoch=0, weights=(1.0, 1.0), learning_rate=1e-3)
    >>> late = Change(epoch=8, weights=(0.5, 1.5), learning_rate=1e-3)
    >>> schedule = WeightSchedule(tasks=("a", "b"), changes=(early, late))
    >>> print(schedule)
    from epoch 1: a 1.00, b 1.00
    from epoch 9: a 0.50, b 1.50
    >>> schedule.member("replay", seed=3).at(8).weights
    (0.5, 1.5)
    """

    tasks: tuple[str, ...]
    changes: tuple[Change, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        epochs = [change.epoch for change in self.changes]
        if epochs[:1] != [0] or sorted(set(epochs)) != epochs:
            raise InputError(
                f"a schedule starts at epoch 0 and goes on in growing epochs, found {epochs}"
            )
        for change in self.changes:
            _check(self.tasks, change.weights)
            if not (change.learning_rate >= 0 and change.weight_decay >= 0):
                raise InputError(f"learning rate and weight decay must not be negative: {change}")

    def member(self, name: str, *, seed: int = 0, dropout: float = 1.0) -> Member:
        """A member that trains along the schedule."""
        first = self.changes[0]
        return Member(
            name=name,
            weights=first.weights,
            seed=seed,
            learning_rate=first.learning_rate,
            weight_decay=first.weight_decay,
            dropout=dropout,
            changes=self.changes,
        )

    def at_rate(self, learning_rate: float) -> WeightSchedule:
        """The same with another first learning rate, the later ones in proportion."""
        if not self.changes[0].learning_rate:
            raise InputError("a schedule that starts with a learning rate of 0 has no proportions")
        factor = learning_rate / self.changes[0].learning_rate
        changed = (
            replace(change, learning_rate=factor * change.learning_rate) for change in self.changes
        )
        return replace(self, changes=tuple(changed))

    def save(self, path: str | Path) -> None:
        """Write JSON, with the tasks' names."""
        path = Path(path)
        content = {
            "tasks": self.tasks,
            "changes": [
                asdict(change) | {"weights": dict(zip(self.tasks, change.weights, strict=True))}
                for change in self.changes
            ],
        }
        RunFolder(path.parent).write_json(path.name, content)

    @classmethod
    def load(cls, path: str | Path, tasks: Sequence[str]) -> WeightSchedule:
        """Read what :meth:`save` wrote, or plain JSON ``{task: weight}``, for these tasks in their order.

        Raises:
            InputError: If a task is missing or unknown, or a weight is negative or not finite.
        """
        path = Path(path)
        content = _read(path)
        try:
            changes = tuple(_change(path, found, tasks) for found in content["changes"])
        except (KeyError, TypeError, AttributeError, ValueError, ValidationError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is not a weight schedule: {error}") from error
        return cls(tasks=tuple(tasks), changes=changes)

    def __str__(self) -> str:
        """One line for every change."""
        return "\n".join(
            f"from epoch {change.epoch + 1}: "
            + ", ".join(
                f"{task} {weight:.2f}"
                for task, weight in zip(self.tasks, change.weights, strict=True)
            )
            for change in self.changes
        )


def _read(path: Path) -> dict[str, Any]:
    """A schedule, which has a version; plain weights become one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f'{path} must hold {{"target": weight, ...}}, with every target')
    if "schema_version" not in content:
        return {"changes": [{"epoch": 0, "weights": content, "learning_rate": PLAIN_RATE}]}
    return RunFolder(path.parent).read_json(path.name)


def _change(path: Path, found: dict[str, Any], tasks: Sequence[str]) -> Change:
    weights = {str(name): float(value) for name, value in found["weights"].items()}
    for name in weights:
        if name not in tasks:
            raise InputError(f"{path} weighs {name!r}: {nearest(name, tasks)}")
    for name in tasks:
        if name not in weights:
            raise InputError(f"{path} has no weight for {name!r}")
    row = tuple(weights[name] for name in tasks)
    return TypeAdapter(Change).validate_python(found | {"weights": row})


def _check(tasks: Sequence[str], weights: Sequence[float]) -> None:
    if len(weights) != len(tasks):
        raise InputError(f"{len(weights)} weights for {len(tasks)} tasks")
    for task, weight in zip(tasks, weights, strict=True):
        if not 0 <= weight < float("inf"):
            raise InputError(
                f"the weight of {task!r} must be finite and not negative, found {weight}"
            )
    if not any(weights):
        raise InputError("all weights are 0: nothing would be trained")

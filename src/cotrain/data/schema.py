"""What the columns of a table mean: the tasks, and the role of every input column."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from cotrain.errors import InputError
from cotrain.tasks import Kind, Task

VERSION = 1


class Role(StrEnum):
    """How an input column is read."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    SMILES = "smiles"


@dataclass(frozen=True, kw_only=True)
class InputColumn:
    """An input column and its role."""

    name: str
    role: Role


@dataclass(frozen=True, kw_only=True)
class LabelCount:
    """How much of a target is known.

    Args:
        rows: Rows of the table.
        labelled: Rows that carry a label.
        classes: Rows of each class, in the order of the task's classes; empty for regression.
    """

    rows: int
    labelled: int
    classes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Schema:
    r"""The ordered tasks and input columns of a table.

    >>> from cotrain.data import infer_schema
    >>> import polars as pl
    >>> table = pl.DataFrame({"age": [31, 45, 62], "buys": ["no", "yes", "no"]})
    >>> schema = infer_schema(table, targets=["buys"])
    >>> print(*schema.describe(), sep="\n")
    buys: binary, positive class 'yes' (33.3 %), 100.0 % labelled
    inputs: 1 number
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    tasks: tuple[Task, ...]
    inputs: tuple[InputColumn, ...]
    counts: tuple[LabelCount, ...]
    domains: bool = False
    """Whether the tasks are domains, with rows of their own."""

    def to_json(self) -> dict[str, Any]:
        """Plain data for ``json.dump``."""
        return {"version": VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Schema:
        """The schema that :meth:`to_json` wrote."""
        if data["version"] != VERSION:
            raise InputError(
                f"the schema has version {data['version']}, this cotrain reads version {VERSION}: "
                f"train again or install the cotrain that wrote it"
            )
        return cls(
            tasks=tuple(
                Task(**{**task, "kind": Kind(task["kind"]), "classes": tuple(task["classes"])})
                for task in data["tasks"]
            ),
            inputs=tuple(
                InputColumn(name=column["name"], role=Role(column["role"]))
                for column in data["inputs"]
            ),
            counts=tuple(
                LabelCount(**{**count, "classes": tuple(count["classes"])})
                for count in data["counts"]
            ),
            domains=data.get("domains", False),
        )

    def describe(self) -> tuple[str, ...]:
        """One line a task and one for the inputs."""
        lines = (
            f"{task.name}: {_kind_text(task, count)}, "
            f"{100 * count.labelled / count.rows:.1f} % labelled"
            for task, count in zip(self.tasks, self.counts, strict=True)
        )
        return (*lines, f"inputs: {self._inputs_text()}")

    def _inputs_text(self) -> str:
        plurals = {
            Role.NUMBER: ("number", "numbers"),
            Role.CATEGORY: ("category", "categories"),
            Role.DATE: ("date", "dates"),
            Role.SMILES: ("SMILES column", "SMILES columns"),
        }
        found = Counter(column.role for column in self.inputs)
        return ", ".join(f"{n:,} {plurals[role][n > 1]}" for role, n in sorted(found.items()))


def _kind_text(task: Task, count: LabelCount) -> str:
    if task.kind is Kind.BINARY:
        share = 100 * count.classes[1] / count.labelled
        return f"binary, positive class {task.classes[1]!r} ({share:.1f} %)"
    if task.kind is Kind.REGRESSION:
        return f"regression, {count.labelled:,} labels"
    pairs = list(zip(task.classes, count.classes, strict=True))
    shown = ", ".join(f"{label!r} {n:,}" for label, n in pairs[:6])
    more = f", {len(pairs) - 6} more" if len(pairs) > 6 else ""
    return f"multiclass, {len(pairs)} classes ({shown}{more})"

"""A table and a few names become a schema: which columns are tasks, inputs, or neither."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from types import MappingProxyType

import polars as pl

from cotrain.data.check import leave_out
from cotrain.data.columns.kinds import infer_task
from cotrain.data.columns.roles import infer_role
from cotrain.data.schema import InputColumn, LabelCount, Role, Schema
from cotrain.data.tidy import tidy
from cotrain.errors import InputError, nearest, refuse_all
from cotrain.tasks import Task

_NO_KINDS: Mapping[str, str] = MappingProxyType({})


def infer_schema(
    frame: pl.DataFrame,
    *,
    targets: Sequence[str],
    ignore: Sequence[str] = (),
    kinds: Mapping[str, str] = _NO_KINDS,
    smiles: str | None = None,
    reserved: Sequence[str] = (),
) -> Schema:
    """Decide what every column of a table is.

    Args:
        frame: The table.
        targets: Names or patterns (``tox_*``) of the columns to predict. An exact name is never
            read as a pattern.
        ignore: Names or patterns of columns to leave out. A name also leaves out a target, a pattern only
            one that a pattern matches.
        kinds: Kind of a target, by name or pattern, where the inferred one is wrong.
        smiles: The input column that holds molecules.
        reserved: Columns of the split, which are neither input nor target.

    Raises:
        InputError: A name is not found, or a column cannot be used; the message says which and why.

    >>> table = pl.DataFrame({"age": [31, 45], "t_1": [0, 1], "t_2": ["b", "a"], "id": [7, 8]})
    >>> schema = infer_schema(table, targets=["t_*"], ignore=["id"])
    >>> [task.name for task in schema.tasks], [column.name for column in schema.inputs]
    (['t_1', 't_2'], ['age'])
    """
    frame = tidy(frame)
    if frame.is_empty():
        raise InputError("the table has no rows: add the data")
    ignored = match(ignore, frame.columns, "ignored column")
    matched = match(targets, frame.columns, "target")
    target_names = [
        name for name in matched if name not in ignore and (name in targets or name not in ignored)
    ]
    if matched and not target_names:
        raise InputError("no target is left: name more of them, or ignore fewer")
    split = match(reserved, frame.columns, "split column")
    _check_disjoint(target_names, ignored, split)
    _check_smiles(smiles, frame, [*target_names, *ignored, *split])
    kind_of = kinds_by_name(kinds, target_names)
    tasks, counts = zip(*_infer_tasks(frame, target_names, kind_of), strict=True)
    used = {*target_names, *ignored, *split}
    inputs = _input_columns(frame, [name for name in frame.columns if name not in used], smiles)
    return Schema(tasks=tasks, inputs=inputs, counts=counts)


def _infer_tasks(
    frame: pl.DataFrame, names: Sequence[str], kind_of: Mapping[str, str]
) -> list[tuple[Task, LabelCount]]:
    """Every target's task and label counts; what is wrong with any of them is said at once."""
    found, refused = [], {}
    for name in names:
        try:
            found.append(infer_task(frame[name], kind_of.get(name)))
        except InputError as error:
            refused[name] = str(error)
    refuse_all(list(refused.values()), leave_out(refused))
    return found


def match(patterns: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    """Known names that the names and patterns stand for, in order and without repeats.

    >>> match(["b", "a*"], ["a1", "a2", "b"], "target")
    ['b', 'a1', 'a2']
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        exact = pattern in known
        hits = [pattern] if exact else [name for name in known if fnmatchcase(name, pattern)]
        if not hits:
            problem = "matches no column" if any(c in pattern for c in "*?[") else "is not a column"
            raise InputError(f"{what} {pattern!r} {problem}: {nearest(pattern, known)}")
        found.update(dict.fromkeys(hits))
    return list(found)


def _check_disjoint(targets: list[str], ignored: list[str], split: list[str]) -> None:
    if not targets:
        raise InputError("no target given: name the columns to predict")
    for name in targets:
        if name in ignored:
            raise InputError(
                f"target {name!r} is ignored by a pattern: name it there outright to leave it out, or "
                "choose another pattern"
            )
        if name in split:
            raise InputError(
                f"column {name!r} is both a target and the split: choose another split"
            )


def _check_smiles(smiles: str | None, frame: pl.DataFrame, used: list[str]) -> None:
    if smiles is None:
        return
    if smiles not in frame.columns:
        raise InputError(
            f"SMILES column {smiles!r} is not a column: {nearest(smiles, frame.columns)}"
        )
    if smiles in used:
        raise InputError(
            f"SMILES column {smiles!r} is also a target, ignored, or the split: choose one use"
        )
    if frame[smiles].dtype != pl.String:
        raise InputError(f"SMILES column {smiles!r} holds no text: name the column of molecules")


def kinds_by_name(kinds: Mapping[str, str], targets: Sequence[str]) -> dict[str, str]:
    """Kind by target name; an exact name outranks a pattern, whatever the order."""
    ranked = sorted(kinds.items(), key=lambda item: item[0] in targets)
    return {
        name: kind
        for pattern, kind in ranked
        for name in match([pattern], targets, "kind given for target")
    }


def _input_columns(
    frame: pl.DataFrame, names: list[str], smiles: str | None
) -> tuple[InputColumn, ...]:
    if not names:
        raise InputError("no input columns are left: name fewer targets or ignore fewer columns")
    return tuple(
        InputColumn(name=name, role=Role.SMILES if name == smiles else infer_role(frame[name]))
        for name in names
    )

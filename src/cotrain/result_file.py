"""``result.json``: written last, so a folder that holds it is a finished run."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cotrain.artifacts import RunFolder
from cotrain.errors import InputError
from cotrain.result import Result

NAME = "result.json"
WORKING_FOLDERS = ("population", "trees")


def is_finished(folder: RunFolder) -> bool:
    """Whether the run came to its end."""
    return folder.has(NAME)


def write_result(folder: RunFolder, result: Result) -> None:
    """Finish the run: write the result, then drop what only training needed."""
    folder.write_json(NAME, _plain(dataclasses.asdict(result)))
    for name in WORKING_FOLDERS:
        shutil.rmtree(folder.path(name), ignore_errors=True)


def read_result(folder: RunFolder) -> Result:
    """The result of a finished run.

    Raises:
        InputError: If there is none, or the file is not what cotrain wrote.
    """
    try:
        return TypeAdapter(Result).validate_python(folder.read_json(NAME))
    except ValidationError as error:
        raise InputError(f"{folder.path(NAME)} is damaged: {error.errors()[0]['msg']}") from error


def _plain(value: Any) -> Any:
    """The value with NaN and infinity as strings: strict JSON has no such numbers."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value

"""``result.json``: written last, so a folder that holds it is a finished run."""

from __future__ import annotations

import dataclasses

from cotrain.folder import RunFolder
from cotrain.results import Result

NAME = "result.json"


def is_finished(folder: RunFolder) -> bool:
    """Whether the run came to its end."""
    return folder.has(NAME)


def write_result(folder: RunFolder, result: Result) -> None:
    """Finish the run: write the result, then drop the working files."""
    folder.write_json(NAME, dataclasses.asdict(result))
    folder.drop_working_files()


def read_result(folder: RunFolder) -> Result:
    """The result of a finished run.

    Raises:
        InputError: If there is none, or the file is not what cotrain wrote.
    """
    return folder.read(NAME, Result)

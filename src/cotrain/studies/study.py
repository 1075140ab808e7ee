"""The skeleton of a study: claim a folder, train or read back, open the test split once, save the result.

A study fills it with a :class:`~cotrain.studies.trainer.StudyTrainer` that trains its grid, scores that
are collected on validation and then on the test split, estimates with intervals, and a result.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from cotrain.data.dataset import Splits
from cotrain.figures.section import Section
from cotrain.folder import RunFolder
from cotrain.studies.findings import Finding


class Study(ABC):
    """The result of a study: it judges its findings, draws and prints itself, and is kept in a run folder.

    Subclasses are frozen dataclasses whose fields JSON can hold, unless they bring their own file format.
    """

    FILE: ClassVar[str] = "study.json"

    @property
    @abstractmethod
    def findings(self) -> tuple[Finding, ...]:
        """The published findings and what these data say of them."""

    @abstractmethod
    def sections(self) -> tuple[Section, ...]:
        """The pictures with their numbers."""

    @abstractmethod
    def trained(self) -> str:
        """What was trained, and what it took, in a few lines."""

    def __str__(self) -> str:
        """What was trained, and the verdicts."""
        return "\n".join([self.trained(), *map(str, self.findings)])

    def write(self, folder: RunFolder) -> None:
        """Keep the result in a run folder."""
        folder.write_json(self.FILE, dataclasses.asdict(self))  # type: ignore[call-overload]

    @classmethod
    def read(cls, folder: RunFolder) -> Self:
        """The result of a finished study.

        Raises:
            InputError: If there is none, or the file is not what cotrain wrote.
        """
        return folder.read(cls.FILE, cls)


Result = TypeVar("Result", bound=Study)


def run_study(
    kind: type[Result],
    splits: Splits,
    study: Callable[[RunFolder], Result],
    *,
    name: str,
    out: str | Path,
    title: str,
    settings: Mapping[str, Any],
) -> Result:
    """Train what is not trained yet, and read back what was found.

    Args:
        kind: Class of the result.
        splits: The data.
        study: Trains, scores and judges, in the folder that keeps what is trained.
        name: Of the study, as the command line calls it.
        out: The run folder; an interrupted study of the same data and settings is continued.
        title: Name of the data set.
        settings: Whatever tells one study from another, as JSON can hold it.

    Raises:
        InputError: If the folder holds something else.
    """
    folder = RunFolder(Path(out))
    folder.claim(splits.identity(verb=f"study {name}", title=title, settings=settings))
    if not folder.has(kind.FILE):
        study(folder).write(folder)
    folder.drop_working_files()
    return kind.read(folder)

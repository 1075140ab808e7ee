"""The run folder: schema-versioned JSON and safetensors, written atomically, readable after any kill.

A file is either absent or whole: it is written beside its place, flushed to disk and renamed. File
names are chosen by cotrain, never derived from task names, and :meth:`RunFolder.path` refuses to leave
the folder.
"""

import contextlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cotrain.errors import InputError

SCHEMA_VERSION = 2
WORKING_FOLDERS = ("population", "models", "scores")
T = TypeVar("T")


def write_whole(path: Path, fill: Callable[[Path], object]) -> None:
    """Let ``fill`` write a file beside ``path``, then put it in place; on OSError nothing is left."""
    partial = path.with_name(path.name + ".partial")
    try:
        fill(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


@dataclass(frozen=True)
class RunFolder:
    """A folder that holds one run.

    >>> import tempfile
    >>> run = RunFolder(Path(tempfile.mkdtemp()))
    >>> run.write_json("plan.json", {"groups": [[0, 1]]})
    >>> run.read_json("plan.json")
    {'groups': [[0, 1]]}
    """

    root: Path

    def path(self, name: str) -> Path:
        """The place of a file inside the folder."""
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise ValueError(f"{name!r} leaves the run folder {self.root}")
        return path

    def holds_other_work(self) -> bool:
        """Whether the folder holds anything but a run (a run killed in its first write is one)."""
        if not self.root.exists() or self.has("run.json"):
            return False
        return any(path.name != "run.json.partial" for path in self.root.iterdir())

    def claim(self, asked: Mapping[str, Any]) -> None:
        """Start work in an empty folder, or make sure that the folder holds this very work.

        Args:
            asked: Whatever tells one run from another: its verb, data, tasks and settings.

        Raises:
            InputError: If the folder holds something else, with what differs.
        """
        asked = _as_json(asked)
        if not self.has("run.json"):
            if self.holds_other_work():
                raise InputError(
                    f"{self.root} is not empty and holds no run: choose another folder"
                )
            self.write_json("run.json", asked)
            return
        found = self.read_json("run.json")
        for key, value in asked.items():
            if found.get(key) != value:
                raise InputError(
                    f"{self.root} holds a run with other {_difference(key, value, found.get(key))}: "
                    "repeat the command of that run, or choose another --out"
                )

    def has(self, name: str) -> bool:
        """Whether the file was completed."""
        return self.path(name).exists()

    def write(self, name: str, fill: Callable[[Path], object]) -> None:
        """Let ``fill`` write a temporary file, then put it in place in one step."""
        path = self.path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, fill)
        except OSError as error:
            raise InputError(
                f"cannot write {path}: {error.strerror or error}; "
                "free some space or choose another --out, then go on with --resume"
            ) from error

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a JSON object with the schema version in front."""
        versioned = {"schema_version": SCHEMA_VERSION, **_strict(content)}
        text = json.dumps(versioned, indent=1, ensure_ascii=False, allow_nan=False)
        self.write_text(name, text + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """Read a JSON object of any shape, written by this version of the schema.

        Raises:
            InputError: If the file is missing, damaged, or of another version.
        """
        try:
            content = _parse(self.path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.root} holds no readable {name}: is it a run folder?"
            ) from error
        version = content.pop("schema_version")
        if version != SCHEMA_VERSION:
            raise InputError(
                f"{self.path(name)} has schema version {version}, this cotrain reads {SCHEMA_VERSION}: "
                "run again, or use the cotrain that wrote it"
            )
        return content

    def read(self, name: str, kind: type[T]) -> T:
        """Read a JSON file as the dataclass that :meth:`write_json` was given as a mapping.

        Args:
            name: The file.
            kind: The dataclass; fields of the file that it does not have are passed over.

        Raises:
            InputError: If the file is missing, damaged, or of another version: one line that names the
                file and, where it can be told, the field at fault.
        """
        from pydantic import TypeAdapter, ValidationError  # heavy: only when a file is read

        try:
            return TypeAdapter(kind).validate_python(self.read_json(name))
        except ValidationError as error:
            fault = _first_fault(error.errors()[0])
        except InputError as error:
            if not self.has(name) or error.__cause__ is None:
                raise
            fault = str(error.__cause__)
        raise InputError(f"{self.path(name)} is damaged ({fault})")

    def write_tensors(
        self, name: str, tensors: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> None:
        """Write torch tensors and a JSON-able description as one safetensors file."""
        from safetensors.torch import save

        contiguous = {key: tensor.contiguous() for key, tensor in tensors.items()}
        note = {"cotrain": json.dumps({"schema_version": SCHEMA_VERSION, **metadata})}
        # not save_file: it writes through a hidden file of its own, which a kill would leave behind
        content = save(contiguous, metadata=note)
        self.write(name, lambda path: path.write_bytes(content))

    def read_tensors(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The inverse of :meth:`write_tensors`: tensors and description."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path(name), framework="pt") as file:
                # cloned into aligned memory, as fresh tensors have it: last bits depend on that
                tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
                metadata = json.loads((file.metadata() or {})["cotrain"])
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise InputError(f"{self.path(name)} is missing or damaged: {error}") from error
        if not isinstance(metadata, dict) or metadata.pop("schema_version", None) != SCHEMA_VERSION:
            raise InputError(f"{self.path(name)} was written by another version of cotrain")
        return tensors, metadata

    def drop_working_files(self) -> None:
        """Delete what only training needed."""
        for name in WORKING_FOLDERS:
            shutil.rmtree(self.path(name), ignore_errors=True)

    def remove(self, name: str) -> None:
        """Delete a file that is no longer needed."""
        self.path(name).unlink(missing_ok=True)


def _parse(text: str) -> dict[str, Any]:
    """The JSON object with a schema version that the text is, else ValueError."""
    content = json.loads(text)
    if not isinstance(content, dict) or "schema_version" not in content:
        raise ValueError("it has no schema_version")
    return content


def _first_fault(found: Mapping[str, Any]) -> str:
    """Where pydantic found a fault, and which: ``'rows': field required``."""
    where = ".".join(map(str, found["loc"]))
    said = " ".join(str(found["msg"]).split())
    return f"{where!r}: {said[0].lower()}{said[1:]}" if where else said


def _strict(value: Any) -> Any:
    """The value with NaN and infinity as strings: strict JSON has no such numbers."""
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _difference(key: str, asked: Any, found: Any) -> str:
    """What differs, down to the names of the settings."""
    if not (isinstance(asked, dict) and isinstance(found, dict)):
        return key
    return f"{key} ({', '.join(k for k in asked if asked[k] != found.get(k))})"


def _as_json(value: Any) -> Any:
    """The value as it comes back from a JSON file."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value

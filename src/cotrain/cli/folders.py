"""Which run folder a command writes to, and whether it may."""

from __future__ import annotations

from pathlib import Path

from cotrain.cli.options import Output
from cotrain.errors import InputError


def title(data: Path) -> str:
    """The file's name without its endings."""
    return data.name.split(".")[0]


def claim(output: Output, data: Path, ending: str = "") -> Path:
    """The run folder of a command; nothing is created yet.

    Args:
        output: What was asked for; unless given, ``cotrain-NAME`` for a file NAME.csv.gz.
        data: The table.
        ending: Behind NAME.

    Raises:
        InputError: If the folder holds something else or cannot be written.
    """
    folder = output.out or Path(f"cotrain-{title(data)}{ending}")
    _refuse_other_work(folder, resume=output.resume)
    parent = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise InputError(f"--out {folder} cannot be made: {parent} is a file")
    if not _writable(parent):
        raise InputError(f"--out {folder} cannot be written: {parent} is read-only for you")
    return folder


def _refuse_other_work(folder: Path, *, resume: bool) -> None:
    from cotrain.folder import RunFolder

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder} is a file: choose a folder")
    if RunFolder(folder).holds_other_work():
        raise InputError(f"--out {folder} is not empty and holds no run: choose another folder")
    if folder.exists() and any(folder.iterdir()) and not resume:
        raise InputError(f"--out {folder} holds a run: add --resume, or choose another folder")


def _writable(folder: Path) -> bool:
    import tempfile

    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True

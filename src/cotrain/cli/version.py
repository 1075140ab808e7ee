"""``cotrain --version``: with ``--verbose`` everything that a bug report needs, to be pasted."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from cotrain import __version__

LIBRARIES = ("torch", "numpy", "polars", "scikit-learn")


def versions() -> str:
    """Versions, device and threads, a line each."""
    return "\n".join(f"{name}: {value}" for name, value in _facts())


def _facts() -> Iterator[tuple[str, str]]:
    yield "cotrain", __version__
    yield "Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for library in LIBRARIES:
        yield library, _installed(library) or "missing"
    for extra, libraries in _extras().items():
        found = [f"{name} {_installed(name)}" for name in libraries if _installed(name)]
        yield f"extra {extra}", ", ".join(found) or "not installed"
    yield from _machine()


def _installed(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _extras() -> dict[str, list[str]]:
    """The libraries of every extra but the developers' own, as the package's metadata lists them."""
    found: dict[str, list[str]] = {}
    for text in _requirements():
        requirement, _, marker = text.partition(";")
        if "extra ==" in marker:
            extra = marker.split("extra ==")[1].strip(" '\"()")
            name = requirement.strip()
            for end in "[<>=!~ (":
                name = name.split(end)[0]
            found.setdefault(extra, []).append(name)
    return {extra: names for extra, names in sorted(found.items()) if extra != "dev"}


def _requirements() -> list[str]:
    try:
        return requires("cotrain") or []
    except PackageNotFoundError:  # run from a source tree
        return []


def _machine() -> Iterator[tuple[str, str]]:
    import os

    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]
        yield (
            "device",
            f"CUDA {torch.version.cuda}: {', '.join(names)} (cotrain computes on the CPU)",
        )
    else:
        yield "device", f"CPU ({torch.backends.cpu.get_cpu_capability()})"
    yield "threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores"

"""Public names that are imported when they are first used: ``import cotrain`` loads no torch."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazy(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], list[str]]:
    """A package's ``__getattr__`` and ``__all__``.

    Args:
        package: Its ``__name__``.
        homes: Module → the public names that live there.
    """
    where = {name: module for module, names in homes.items() for name in names}

    def getattr_(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(where[name]), name)

    return getattr_, sorted(where)

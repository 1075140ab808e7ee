"""Groups of related tasks, read from their names.

>>> by_prefix(["ATG_ER", "ATG_AR", "BSK_x"], "_")
{'ATG_ER': 'ATG', 'ATG_AR': 'ATG', 'BSK_x': 'BSK'}
>>> by_pattern(["books", "dvd", "baby"], {"media": ("book*", "dvd")})
{'books': 'media', 'dvd': 'media'}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from cotrain.errors import InputError

Families = Mapping[str, str]


def by_prefix(names: Sequence[str], separator: str) -> dict[str, str]:
    """Name → what stands before the separator; names without it belong to no group."""
    return {name: name.split(separator)[0] for name in names if separator in name}


def by_pattern(names: Sequence[str], groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Name → the group with a pattern that matches it; names that no pattern matches belong to none.

    Raises:
        InputError: If a name belongs to two groups, or a pattern matches none.
    """
    found: dict[str, str] = {}
    for group, patterns in groups.items():
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise InputError(f"{pattern!r} of group {group!r} matches no task")
        for name in (n for n in names if any(fnmatchcase(n, one) for one in patterns)):
            if name in found:
                raise InputError(
                    f"{name!r} is in two groups, {found[name]!r} and {group!r}: a task has one"
                )
            found[name] = group
    return found


def groups_of(sources: Sequence[str], families: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    """Name of a group → places of its sources, by name.

    >>> groups_of(["a1", "b1", "a2", "c"], {"a1": "a", "a2": "a", "b1": "b"})
    {'a': (0, 2), 'b': (1,)}
    """
    names = sorted({families[name] for name in sources if name in families})
    return {
        group: tuple(s for s, name in enumerate(sources) if families.get(name) == group)
        for group in names
    }

"""Commands whose parameters are groups of options: every option is declared in one place.

A group is a frozen dataclass whose fields are annotated as typer wants them. A command takes whole groups;
:func:`from_groups` turns it into the function of single options that typer reads. A group that is a
parameter's default sets other defaults than its class, for this command alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def from_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as a function of all the options in its groups.

    Args:
        command: Every parameter of it is annotated with a group.

    Raises:
        TypeError: If two of the groups have an option of the same name.
    """
    groups: dict[str, Any] = {
        name: kind for name, kind in get_type_hints(command).items() if name != "return"
    }
    options: list[Parameter] = []
    for name, kind in groups.items():
        options += _options(kind, signature(command).parameters[name].default)
    names = [option.name for option in options]
    if len(set(names)) < len(names):
        raise TypeError(f"{command.__name__}: groups share an option, {sorted(names)}")

    def call(**given: Any) -> None:
        command(
            **{
                name: kind(**{field.name: given[field.name] for field in fields(kind)})
                for name, kind in groups.items()
            }
        )

    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__annotations__ = {option.name: option.annotation for option in options}
    call.__signature__ = Signature(options)  # type: ignore[attr-defined]
    return call


def _options(kind: Any, group: Any) -> list[Parameter]:
    """The fields of a group as parameters of a function."""
    hints = get_type_hints(kind, include_extras=True)
    return [
        Parameter(
            field.name,
            Parameter.KEYWORD_ONLY,
            annotation=hints[field.name],
            default=_default(field) if group is Parameter.empty else getattr(group, field.name),
        )
        for field in fields(kind)
    ]


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return Parameter.empty if field.default is MISSING else field.default

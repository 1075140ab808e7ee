"""A command of groups becomes a command of options."""

from __future__ import annotations

from dataclasses import dataclass, field
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cotrain.cli.compose import from_groups


@dataclass(frozen=True, kw_only=True)
class Named:
    name: Annotated[str, typer.Argument()]
    words: Annotated[list[str], typer.Option("--word")] = field(default_factory=lambda: ["a"])


@dataclass(frozen=True, kw_only=True)
class Counted:
    count: Annotated[int, typer.Option(min=1)] = 3


@dataclass(frozen=True, kw_only=True)
class CountedAndLoud(Counted):
    loud: Annotated[bool, typer.Option("--loud")] = False


FIVE = CountedAndLoud(count=5)


def command(named: Named, *, counted: CountedAndLoud = FIVE) -> None:
    """Says it."""
    typer.echo(f"{named} {counted}")


def test_groups_are_filled_from_options() -> None:
    app = typer.Typer()
    app.command()(from_groups(command))
    found = CliRunner().invoke(app, ["x", "--word", "b", "--word", "c", "--loud"])
    named, counted = Named(name="x", words=["b", "c"]), CountedAndLoud(count=5, loud=True)
    assert (found.exit_code, found.output) == (0, f"{named} {counted}\n")


def test_a_group_given_as_default_sets_the_defaults() -> None:
    options = signature(from_groups(command)).parameters
    assert [*options] == ["name", "words", "count", "loud"]
    assert (options["count"].default, options["words"].default) == (5, ["a"])
    assert from_groups(command).__doc__ == "Says it."


def test_an_option_in_two_groups_is_refused() -> None:
    def twice(counted: Counted, loud: CountedAndLoud) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="groups share an option"):
        from_groups(twice)

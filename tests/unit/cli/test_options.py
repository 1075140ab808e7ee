"""One name, one meaning and one unit in every command; defaults are those of the dataclasses."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from inspect import Parameter, signature
from typing import Any

import pytest
import typer

from cotrain.__main__ import app
from cotrain.cli.options import listed
from cotrain.run.settings import LOOKING_ON, Settings

PER_COMMAND = {"target", "run", "data", "columns", "output"}
"""Arguments are named by their command; ``--target`` is one of ``sources``, several of a study."""


def commands(group: typer.Typer, above: str = "") -> Iterator[tuple[str, list[Parameter]]]:
    """Every command by its whole name, with what it takes."""
    for command in group.registered_commands:
        assert command.callback is not None
        yield above + command.callback.__name__, [*signature(command.callback).parameters.values()]
    for below in group.registered_groups:
        assert below.typer_instance is not None
        yield from commands(below.typer_instance, f"{below.typer_instance.info.name} ")


COMMANDS = dict(commands(app))


def defaults(command: str) -> dict[str, Any]:
    return {option.name: option.default for option in COMMANDS[command]}


def numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def test_all_commands_are_here() -> None:
    verbs = {"run", "measure", "group", "sources", "pretrain", "predict", "demo"}
    assert {*COMMANDS} == verbs | {"study optimizers", "study scale", "study scalarization"}


def test_a_name_has_one_meaning() -> None:
    meanings: dict[str, set[object]] = defaultdict(set)
    for command in COMMANDS.values():
        for option in command:
            kind, declared = option.annotation.__args__[0], option.annotation.__metadata__[0]
            meanings[option.name].add((declared.help, str(kind)))
    doubles = {name for name, said in meanings.items() if len(said) > 1}
    assert doubles <= PER_COMMAND, doubles


def test_every_option_has_a_topic() -> None:
    topics = {"Data", "What to try", "Budget and seeds", "Where it runs", "Output"}
    for name, command in COMMANDS.items():
        for option in command:
            declared = option.annotation.__metadata__[0]
            if isinstance(declared, typer.models.OptionInfo):
                assert declared.rich_help_panel in topics, (name, option.name)


@pytest.mark.parametrize("name", ["max_groups", "budget", "seeds", "seed", "trainings", "group_by"])
def test_a_run_has_the_defaults_of_its_settings(name: str) -> None:
    assert defaults("run")[name] == getattr(Settings(), name)


def test_measuring_looks_at_more() -> None:
    assert defaults("run")["with_"] == [",".join(Settings().instruments)]
    assert defaults("measure")["with_"] == [",".join(LOOKING_ON)]
    assert defaults("run")["few_rows"] == listed(Settings().few_rows)
    assert Settings(max_groups=defaults("measure")["max_groups"]) == Settings()


def test_the_studies_have_the_defaults_of_their_grids() -> None:
    from cotrain.studies import Grid, OptimizerGrid, ScaleGrid

    found, grid = defaults("study scalarization"), Grid()
    assert numbers(found["constant_weights"]) == grid.shares
    assert numbers(found["units"]) == grid.widths
    assert numbers(found["depths"]) == grid.depths
    assert numbers(found["learning_rates"]) == grid.learning_rates
    assert (found["max_pairs"], found["seeds"]) == (grid.most_pairs, grid.seeds)
    optimizers, every = defaults("study optimizers"), OptimizerGrid()
    assert numbers(optimizers["widths"]) == every.widths
    assert (optimizers["dropout"], optimizers["seeds"]) == (every.dropout, every.seeds)
    assert {optimizers["rates"]} == {len(one.learning_rates) for one in every.contestants}
    scale, sets = defaults("study scale"), ScaleGrid()
    assert numbers(scale["widths"]) == sets.widths
    for name in ("draws", "examples", "rows", "seeds"):
        assert scale[name] == getattr(sets, name)


def test_transfer_has_the_defaults_of_its_functions() -> None:
    from cotrain.transfer import Pretraining, choose_sources

    python = signature(choose_sources).parameters
    found = defaults("sources")
    assert found["share"] == python["share"].default
    assert found["max_sources"] == python["most"].default
    assert numbers(defaults("pretrain")["widths"]) == Pretraining().widths
    assert defaults("pretrain")["epochs"] == Pretraining().epochs


def ran(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard error, and what a command loaded."""
    code = (
        "import sys; from cotrain.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "print('loaded', *sys.modules)\n"
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, done.stdout.rpartition("loaded")[2]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_library(command: str) -> None:
    code, said, loaded = ran(*command.split(), "--help")
    assert (code, said) == (0, "")
    assert not {"torch", "numpy", "polars"} & set(loaded.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--targets", "nonsense"],
            "error: target 'nonsense' is not a column: there are: a, b, t\n",
        ),
        (["--targets", "t", "--with", "x"], "error: --with 'x': there is lookahead, gradients, "),
        (["--targets", "t", "--apart", "t"], "error: --apart 't': write two targets, A,B\n"),
        (["--targets", "t", "--split", "x"], "error: split 'x' is unknown: use random, "),
    ],
)
def test_a_wrong_option_is_refused_before_torch_is_loaded(
    tmp_path: Any, options: list[str], said: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b,t\n" + "".join(f"{row},{row % 7},{row % 2}\n" for row in range(60)))
    code, error, loaded = ran("run", str(table), *options, "--out", str(tmp_path / "out"))
    assert (code, error[: len(said)]) == (2, said)
    assert "torch" not in loaded.split()


def test_an_unknown_option_is_refused_before_torch_is_loaded() -> None:
    code, said, loaded = ran("run", "t.csv", "--targets", "t", "--most-models", "3")
    assert (code, "No such option" in said) == (2, True)
    assert "torch" not in loaded.split()

"""Entry point of the ``cotrain`` command."""

import os
import sys
from typing import Annotated

import typer

from cotrain import __version__
from cotrain.cli.compose import from_groups
from cotrain.cli.demo import demo
from cotrain.cli.group import group
from cotrain.cli.measure import measure
from cotrain.cli.predict import predict
from cotrain.cli.pretrain import pretrain
from cotrain.cli.run import run
from cotrain.cli.sources import sources
from cotrain.cli.study import study
from cotrain.errors import InputError

# Waiting threads sleep instead of spinning: with other work on the machine, spinning costs 10 times more
# than it saves. Read when the first OpenMP library loads, so it is set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

app = typer.Typer(
    name="cotrain",
    help="Which prediction tasks to train together, what it is worth, and what it costs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(from_groups(run))
app.command()(from_groups(measure))
app.command()(from_groups(group))
app.command()(from_groups(sources))
app.add_typer(study)
app.command()(from_groups(pretrain))
app.command()(from_groups(predict))
app.command()(from_groups(demo))


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", help="With --version: of all libraries, too, device and threads."
        ),
    ] = False,
) -> None:
    if version and verbose:
        from cotrain.cli.version import versions

        typer.echo(versions())
    elif version:
        typer.echo(f"cotrain {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
    else:
        return
    raise typer.Exit


def main() -> None:
    """Run the command; bad input ends with one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

"""Entry point of the ``cotrain`` command."""

import os
import sys

import typer

from cotrain import __version__
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
app.command()(run)
app.command()(measure)
app.command()(group)
app.command()(sources)
app.add_typer(study)
app.command()(pretrain)
app.command()(predict)
app.command()(demo)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"cotrain {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command; bad input ends with one line on standard error and exit code 2."""
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

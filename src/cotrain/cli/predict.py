"""``cotrain predict``: apply a finished run to new rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotrain.cli import table
from cotrain.cli.options import Columns, output_option
from cotrain.errors import InputError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, kw_only=True)
class NewRows:
    """What predicts, and what is predicted."""

    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")]
    data: Annotated[
        Path, typer.Argument(help="Table with the input columns of the training table.")
    ]
    columns: Columns = None
    output: Annotated[
        Path, output_option("--output", "-o", help="Where to write: .csv, .tsv or .parquet.")
    ]


def predict(given: NewRows) -> None:
    """Write one column a task: probability of the positive class, predicted class, or value."""
    output = given.output
    if output.suffix not in (".csv", ".tsv", ".parquet"):
        raise InputError(f"-o {output}: the name must end in .csv, .tsv or .parquet")

    from cotrain import load
    from cotrain.run.mixture import in_words
    from cotrain.tasks import Kind

    predictor = load(given.run)
    least = min(2, len(predictor.input_columns))
    found = predictor.predict(table.read_file(given.data, given.columns, least))
    _write(found, output)
    for task, weights in zip(predictor.tasks, predictor.mixture.weights, strict=True):
        what = {
            Kind.BINARY: f"probability of {task.classes[-1]!r}" if task.classes else "",
            Kind.MULTICLASS: "class and probabilities",
            Kind.REGRESSION: "value",
        }[task.kind]
        typer.echo(f"{task.name}: {what} (by {in_words(weights)})")
    typer.echo(f"{len(found)} rows written to {output}")


def _write(found: pl.DataFrame, output: Path) -> None:
    """Write the whole file or none: a full disk leaves what was there before."""
    from cotrain.folder import write_whole

    content = io.BytesIO()
    if output.suffix == ".parquet":
        found.write_parquet(content)
    else:
        found.write_csv(content, separator="\t" if output.suffix == ".tsv" else ",")
    try:
        write_whole(output, lambda partial: partial.write_bytes(content.getvalue()))
    except OSError as error:
        raise InputError(
            f"-o {output} cannot be written: {error.strerror or error}; choose another place"
        ) from error

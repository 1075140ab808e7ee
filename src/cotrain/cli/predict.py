"""``cotrain predict``: apply a finished run to new rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cotrain.errors import InputError

if TYPE_CHECKING:
    import polars as pl


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    data: Annotated[
        Path, typer.Argument(help="Table with the input columns of the training table.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to write: .csv, .tsv or .parquet.")
    ],
    columns: Annotated[
        str | None, typer.Option(help="Comma-separated names, for a file without a header line.")
    ] = None,
) -> None:
    """Write one column a task: probability of the positive class, predicted class, or value."""
    from cotrain import load, read_table
    from cotrain.tasks import Kind

    if output.suffix not in (".csv", ".tsv", ".parquet"):
        raise InputError(f"-o {output}: the name must end in .csv, .tsv or .parquet")
    predictor = load(run)
    found = predictor.predict(
        read_table(
            data,
            columns.split(",") if columns else None,
            least_columns=min(2, len(predictor.input_columns)),
        )
    )
    _write(found, output)
    for task, server in zip(predictor.tasks, predictor.served_by, strict=True):
        what = {
            Kind.BINARY: f"probability of {task.classes[-1]!r}" if task.classes else "",
            Kind.MULTICLASS: "class and probabilities",
            Kind.REGRESSION: "value",
        }[task.kind]
        typer.echo(f"{task.name}: {what} (by {server})")
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

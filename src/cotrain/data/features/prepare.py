"""Fit on the training rows, apply to any rows: what networks and trees read of a table."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import polars as pl
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from skops.io.exceptions import UntrustedTypesFoundException

from cotrain.data.features.encoders import TRUSTED, network_encoder, tree_encoder, varies
from cotrain.data.features.expand import expand
from cotrain.data.schema import InputColumn, Role, Schema
from cotrain.errors import InputError

_JSON, _SKOPS = "preparation.json", "preparation.skops"


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Turns the input columns of a table into network inputs and tree columns.

    Args:
        schema: The tasks and the input columns.
        network: Fitted encoder of the network inputs.
        network_kept: Which outputs of ``network`` vary on the training rows; D are true.
        trees: Fitted encoder of the tree columns.
        trees_kept: Which outputs of ``trees`` vary on the training rows; F are true.
        network_columns: What the network reads, if not the schema's inputs.

    >>> from cotrain.data import infer_schema
    >>> table = pl.DataFrame({"age": [20, 40, None], "sex": ["f", "m", "f"], "t": [0, 1, 0]})
    >>> schema = infer_schema(table, targets=["t"])
    >>> preparation = Preparation.fit(table, schema, np.array([0, 1, 2]))
    >>> preparation.tree_columns(table).tolist()
    [[20.0, 0.0], [40.0, 1.0], [nan, 0.0]]
    """

    schema: Schema
    network: ColumnTransformer
    network_kept: NDArray[np.bool_]
    trees: ColumnTransformer
    trees_kept: NDArray[np.bool_]
    network_columns: tuple[InputColumn, ...] | None = None

    @property
    def network_reads(self) -> tuple[InputColumn, ...]:
        """The columns that the network reads."""
        return self.schema.inputs if self.network_columns is None else self.network_columns

    @property
    def unread(self) -> tuple[str, ...]:
        """Input columns that trees read and the network does not."""
        read = {column.name for column in self.network_reads}
        return tuple(column.name for column in self.schema.inputs if column.name not in read)

    def reading_like(self, other: Preparation) -> Preparation:
        """The same for trees, with network inputs as another preparation makes them.

        Columns are found by name; where both have one column of molecules, its name may differ.

        Raises:
            InputError: If the other reads a column that is no input here.
        """
        return replace(
            self,
            network=other.network,
            network_kept=other.network_kept,
            network_columns=renamed(other.network_reads, self.schema.inputs),
        )

    @classmethod
    def fit(cls, frame: pl.DataFrame, schema: Schema, train_rows: NDArray[np.intp]) -> Preparation:
        """Fit on the given rows; no other row is looked at."""
        columns = expand(frame[train_rows], schema.inputs)
        network, trees = network_encoder(columns.columns), tree_encoder(columns.columns)
        network_kept = varies(network.fit_transform(columns))
        trees_kept = varies(_as_float(trees.fit_transform(columns)))
        if not (network_kept.any() and trees_kept.any()):
            raise InputError(
                "no input column varies in the training rows: add input columns or rows"
            )
        return cls(
            schema=schema,
            network=network,
            network_kept=network_kept,
            trees=trees,
            trees_kept=trees_kept,
        )

    def network_inputs(self, frame: pl.DataFrame) -> NDArray[np.float32]:
        """What the network reads ``[N, D]``; finite."""
        encoded = self.network.transform(expand(frame, self.network_reads))
        return np.ascontiguousarray(encoded[:, self.network_kept], dtype=np.float32)

    def tree_columns(self, frame: pl.DataFrame) -> NDArray[np.float64]:
        """What the trees read ``[N, F]``: NaN where missing, categories as codes."""
        encoded = self.trees.transform(expand(frame, self.schema.inputs))
        return np.ascontiguousarray(_as_float(encoded)[:, self.trees_kept])

    @property
    def categorical(self) -> NDArray[np.bool_]:
        """Which tree columns are category codes ``[F]``."""
        return np.array([name.startswith("category") for name in self._tree_names()], dtype=bool)

    @property
    def unused(self) -> tuple[str, ...]:
        """Input columns that are constant on the training rows and therefore left out."""
        used = {int(re.findall(r"\d+", name)[0]) for name in self._tree_names()}
        inputs = self.schema.inputs
        return tuple(column.name for at, column in enumerate(inputs) if at not in used)

    def _tree_names(self) -> list[str]:
        names = self.trees.get_feature_names_out()
        return [str(name) for name in names[self.trees_kept]]

    def save(self, folder: Path) -> None:
        """Write ``preparation.json`` and ``preparation.skops`` into an existing folder."""
        plain = {
            "schema": self.schema.to_json(),
            "network_kept": self.network_kept.tolist(),
            "trees_kept": self.trees_kept.tolist(),
        }
        if self.network_columns is not None:
            plain["network_columns"] = [[c.name, c.role] for c in self.network_columns]
        try:
            (folder / _JSON).write_text(json.dumps(plain, indent=1), encoding="utf-8")
            skops.io.dump({"network": self.network, "trees": self.trees}, folder / _SKOPS)
        except OSError as error:
            raise InputError(
                f"cannot write {folder}: {error.strerror or error}; free some space, then go on "
                f"with --resume"
            ) from error

    @classmethod
    def load(cls, folder: Path) -> Preparation:
        """Read what :meth:`save` wrote; no code is run from the files."""
        fitted = _read_encoders(folder / _SKOPS)
        try:
            plain = json.loads((folder / _JSON).read_text(encoding="utf-8"))
            return cls(
                schema=Schema.from_json(plain["schema"]),
                network=fitted["network"],
                network_kept=np.array(plain["network_kept"]),
                trees=fitted["trees"],
                trees_kept=np.array(plain["trees_kept"]),
                network_columns=_columns(plain.get("network_columns")),
            )
        except InputError:  # another version; a subclass of ValueError
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(folder / _JSON) from error


def _columns(saved: list[list[str]] | None) -> tuple[InputColumn, ...] | None:
    if saved is None:
        return None
    return tuple(InputColumn(name=name, role=Role(role)) for name, role in saved)


def renamed(
    wanted: tuple[InputColumn, ...], inputs: tuple[InputColumn, ...]
) -> tuple[InputColumn, ...]:
    """The wanted columns by the names they have among the inputs."""
    there, molecules = (
        [column.name for column in columns if column.role is Role.SMILES]
        for columns in (wanted, inputs)
    )
    renamed = dict(zip(there, molecules, strict=True)) if len(there) == len(molecules) == 1 else {}
    found = tuple(replace(c, name=renamed.get(c.name, c.name)) for c in wanted)
    known = {column.name for column in inputs}
    lacking = [column.name for column in found if column.name not in known]
    if lacking:
        shown = ", ".join(map(repr, lacking[:8])) + (", …" if len(lacking) > 8 else "")
        raise InputError(
            f"the encoder reads {shown}, which {'are' if len(lacking) > 1 else 'is'} no input of this "
            "table: add what lacks, and make no target of what it reads"
        )
    return found


def _read_encoders(path: Path) -> dict[str, ColumnTransformer]:
    try:
        fitted: dict[str, ColumnTransformer] = skops.io.load(path, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise InputError(f"{path} was not written by cotrain, do not trust it: {error}") from None
    except (OSError, BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    return fitted


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} is missing or damaged: copy the run folder again, or train again")


def _as_float(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(encoded, dtype=np.float64)

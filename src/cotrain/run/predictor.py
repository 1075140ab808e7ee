"""The shipped model: networks in safetensors, trees without pickle, and what is needed to read new rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from cotrain.arrays import Array
from cotrain.baselines.boosted import LightGBMTrees
from cotrain.contenders.base import Contender, Model, ModelContender
from cotrain.contenders.extra_trees import ExtraTrees
from cotrain.contenders.linear import Linear
from cotrain.contenders.trees import Trees
from cotrain.data.dataset import NewRows, Rows
from cotrain.engine.build import Encoder
from cotrain.engine.cohorts.checkpoint import split_models
from cotrain.engine.executors.base import Executor
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.models.losses import predictions
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture, shared_rows
from cotrain.engine.trained import Models, mixed, predict
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.run.contest import Contest
from cotrain.run.result_file import is_finished
from cotrain.run.selection import Selection, blend
from cotrain.tasks import Kind, Task, head_rows, output_slices

if TYPE_CHECKING:
    from cotrain.data import Preparation

STANDARD: tuple[ModelContender, ...] = (
    Trees(),
    Trees(learner=LightGBMTrees()),
    Linear(),
    ExtraTrees(),
)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Predicts every task by the contender that was chosen for it.

    Args:
        tasks: The T tasks.
        served_by: ``[T]`` who serves each task.
        models: Networks by (member row, epoch).
        best_epoch: ``[P, T]`` which network of each member speaks for a task; 0 = not used.
        shares: ``[P, T]`` of each member in a task's prediction by its seed's members.
        seeds: ``[P]`` seed of each member.
        input_shape: Shape of one row of inputs.
        executor: Runs the networks.
        models_of: Task → who fitted its models that are no networks, and the models.
        preparation: Turns a table into inputs; None if the run was given arrays.
    """

    tasks: tuple[Task, ...]
    served_by: tuple[str, ...]
    models: Models
    best_epoch: Tensor
    shares: Tensor
    seeds: tuple[int, ...]
    input_shape: tuple[int, ...]
    executor: Executor
    models_of: dict[int, tuple[ModelContender, list[Model]]]
    preparation: Preparation | None

    @property
    def input_columns(self) -> tuple[str, ...]:
        """The columns that a table must have; empty if the run was given arrays."""
        if self.preparation is None:
            return ()
        columns = (*self.preparation.schema.inputs, *self.preparation.network_reads)
        return tuple(dict.fromkeys(column.name for column in columns))

    def predict(self, rows: pl.DataFrame | Array | Tensor) -> pl.DataFrame:
        """One column a task: probability of the positive class, predicted class, or value.

        A multi-class task has further columns ``task=class`` with the probabilities. The columns that a
        table had in training are looked up by name; others are ignored.

        Args:
            rows: A table with the training table's input columns, or ``[N, ...]`` inputs if the run was
                given arrays.

        Raises:
            InputError: If a column is missing or holds what it did not hold in training.
        """
        columns: dict[str, Any] = {}
        for task, values in zip(self.tasks, self.probabilities(rows), strict=True):
            if task.kind is Kind.MULTICLASS:
                columns[task.name] = np.array(task.classes)[values.argmax(axis=1)]
                columns |= {f"{task.name}={c}": values[:, k] for k, c in enumerate(task.classes)}
            else:
                columns[task.name] = values
        return pl.DataFrame(columns)

    def probabilities(self, rows: pl.DataFrame | Array | Tensor) -> list[Array]:
        """Per task ``[N]`` or ``[N, classes]`` probabilities, or ``[N]`` values in the user's units."""
        read = self._read(rows)
        outputs = predict(self.models, self.best_epoch, self.executor, read.inputs, self.tasks)
        slices = output_slices(self.tasks)
        return [self._task(t, outputs[:, slices[t]], read) for t in range(len(self.tasks))]

    def _task(self, t: int, outputs: Tensor, rows: Rows) -> Array:
        task, share = self.tasks[t], self.shares[:, t] * (self.best_epoch[:, t] > 0)
        parts = []
        if share.any():
            network = predictions([task], mixed(outputs, share, self.seeds))[0]
            parts.append(network.mean(axis=0))
        if t in self.models_of:
            fitted_by, models = self.models_of[t]
            found = [fitted_by.predict(task, model, rows) for model in models]
            parts.append(np.mean(found, axis=0))
        value = parts[0] if len(parts) == 1 else blend(*parts)
        return np.asarray(value * task.scale + task.mean) if task.kind is Kind.REGRESSION else value

    def _read(self, rows: pl.DataFrame | Array | Tensor) -> Rows:
        if self.preparation is None:
            if isinstance(rows, pl.DataFrame):
                raise InputError("this run was trained on arrays: predict from an array")
            inputs = torch.as_tensor(np.asarray(rows), dtype=torch.float32)
            if tuple(inputs.shape[1:]) != self.input_shape or not bool(inputs.isfinite().all()):
                raise InputError(
                    f"inputs {tuple(inputs.shape)} must be finite, [rows, {self.input_shape}]"
                )
            return NewRows(inputs=inputs, columns=inputs.flatten(1).double().numpy())
        if not isinstance(rows, pl.DataFrame):
            raise InputError("this run was trained on a table: predict from a polars DataFrame")
        inputs = torch.from_numpy(self.preparation.network_inputs(rows))
        return NewRows(inputs=inputs, columns=self.preparation.tree_columns(rows))


def ship(
    contest: Contest,
    selection: Selection,
    preparation: Preparation | None,
    *,
    widths: Sequence[int] | None,
) -> None:
    """Write what :func:`load` needs: the networks, other models and preparation that serve some task.

    Args:
        contest: With all trained models.
        selection: Who serves which task.
        preparation: Turns a table into inputs; None if the run was given arrays.
        widths: Of the built-in encoder; None for the user's own.
    """
    folder, trained = contest.engine.folder, contest.trained
    tasks = contest.context.tasks
    shares = torch.zeros(len(trained.members), len(tasks))
    fitted_by: list[str | None] = []
    for t in range(len(tasks)):
        parts = selection.parts(t)
        for network in contest.networks:
            if network.name in parts:
                shares[:, t] = contest.shares(network, t)
        others = [own for own in contest.modelled if own.name in parts]
        fitted_by.append(others[0].label if others else None)
        for own in others:
            models = contest.models[own.label][t]
            folder.write(
                f"model/task-{t}.model",
                lambda path, own=own, models=models: own.save(models, path),  # type: ignore[misc]
            )
    best_epoch, networks = trained.serving(shares > 0)
    tensors = {"best_epoch": best_epoch, "shares": shares}
    for (row, epoch), model in networks.items():
        tensors |= {f"{row}/{epoch}/{name}": tensor for name, tensor in model.items()}
    description = {
        "tasks": [dataclasses.asdict(task) for task in tasks],
        "served_by": list(selection.served_by),
        "fitted_by": fitted_by,
        "seeds": [member.seed for member in trained.members],
        "input_shape": list(contest.engine.architecture.sample.shape[1:]),
        "widths": None if widths is None else list(widths),
    }
    folder.write_tensors("model/networks.safetensors", tensors, description)
    if preparation is not None:
        folder.path("preparation").mkdir(exist_ok=True)
        preparation.save(folder.path("preparation"))


def load(
    path: str | Path,
    *,
    encoder: Encoder | None = None,
    contenders: Sequence[Contender] = (),
) -> Predictor:
    """The predictor of a finished run.

    Args:
        path: The run folder.
        encoder: The encoder the run was given, if it was given one: weights are stored, code is not.
        contenders: The further contenders the run was given; likewise.

    Raises:
        InputError: If the folder holds no finished run, or the run needs its encoder.
    """
    folder = RunFolder(Path(path))
    if not is_finished(folder):
        raise InputError(f"{path} holds no finished run: give the --out folder of cotrain run")
    tensors, facts = folder.read_tensors("model/networks.safetensors")
    if facts["widths"] is None and encoder is None:
        raise InputError(f"the run in {path} was trained with your own encoder: pass encoder=...")
    tasks = tuple(_task(fields) for fields in facts["tasks"])
    best_epoch, shares = tensors.pop("best_epoch"), tensors.pop("shares")
    known = {own.label: own for own in (*STANDARD, *contenders) if isinstance(own, ModelContender)}
    return Predictor(
        tasks=tasks,
        served_by=tuple(facts["served_by"]),
        models=split_models(tensors),
        best_epoch=best_epoch,
        shares=shares,
        seeds=tuple(facts["seeds"]),
        input_shape=tuple(facts["input_shape"]),
        executor=_executor(facts, tasks, encoder),
        models_of={
            t: _load_models(known, label, folder.path(f"model/task-{t}.model"))
            for t, label in enumerate(facts["fitted_by"])
            if label is not None
        },
        preparation=_preparation(folder),
    )


def _load_models(
    known: Mapping[str, ModelContender], label: str, path: Path
) -> tuple[ModelContender, list[Model]]:
    if label not in known:
        raise InputError(f"{path} was fitted by the contender {label!r}: pass contenders=[...]")
    try:
        return known[label], known[label].load(path)
    except ImportError as error:
        raise InputError(f"{path} needs {error.name}: pip install 'cotrain[gbm]'") from error
    except Exception as error:  # whatever a damaged or foreign file makes the library raise
        raise InputError(f"{path} is damaged or not what cotrain wrote: {error}") from error


def _executor(facts: dict[str, Any], tasks: Sequence[Task], encoder: Encoder | None) -> Executor:
    shape = facts["input_shape"]
    architecture = Architecture(
        encoder=encoder or (lambda: MLP(int(np.prod(shape)), widths=facts["widths"])),
        sample=torch.zeros(1, *shape),
        bias=torch.zeros(max(head_rows(tasks)) + 1),
        rows=shared_rows(tasks),
    )
    return SequentialExecutor(architecture.build(seed=0))


def _task(fields: dict[str, Any]) -> Task:
    return Task(**fields | {"kind": Kind(fields["kind"]), "classes": tuple(fields["classes"])})


def _preparation(folder: RunFolder) -> Preparation | None:
    if not folder.has("preparation"):
        return None
    from cotrain.data import Preparation

    return Preparation.load(folder.path("preparation"))

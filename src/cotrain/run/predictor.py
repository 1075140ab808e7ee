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
from cotrain.engine.cohorts.checkpoint import split_models, under
from cotrain.engine.executors.base import Executor
from cotrain.engine.executors.sequential import SequentialExecutor
from cotrain.engine.models.losses import predictions
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture, shared_rows
from cotrain.engine.trained import Models, mixed, predict
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.run.contest import Contest
from cotrain.run.mixture import Mixture
from cotrain.run.result_file import is_finished
from cotrain.tasks import Kind, Task, head_rows, output_slices

if TYPE_CHECKING:
    from cotrain.data import Preparation

STANDARD: tuple[ModelContender, ...] = (
    Linear(),
    Trees(),
    Trees(learner=LightGBMTrees()),
    ExtraTrees(),
)


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Predicts every task by the mixture that was decided for it.

    Args:
        tasks: The T tasks.
        mixture: How the contenders' predictions are added up.
        models: Networks by (member row, epoch).
        best_epoch: ``[P, T]`` which network of each member speaks for a task; 0 = not used.
        shares: Contender of networks → ``[P, T]`` share of each member in its prediction of a task.
        seeds: ``[P]`` seed of each member.
        input_shape: Shape of one row of inputs.
        executor: Runs the networks.
        models_of: Contender of models → who fitted them, and for each task the models that serve it.
        preparation: Turns a table into inputs; None if the run was given arrays.
    """

    tasks: tuple[Task, ...]
    mixture: Mixture
    models: Models
    best_epoch: Tensor
    shares: dict[str, Tensor]
    seeds: tuple[int, ...]
    input_shape: tuple[int, ...]
    executor: Executor
    models_of: dict[str, tuple[ModelContender, dict[int, list[Model]]]]
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
        task = self.tasks[t]
        found = {name: self._by(name, t, outputs, rows) for name in self.mixture.weights[t]}
        value = self.mixture.predict(t, found)
        return np.asarray(value * task.scale + task.mean) if task.kind is Kind.REGRESSION else value

    def _by(self, name: str, t: int, outputs: Tensor, rows: Rows) -> Array:
        """Mean prediction of a task by the models of one contender."""
        if name in self.shares:
            by_seed = mixed(outputs, self.shares[name][:, t], self.seeds)
            return np.asarray(predictions([self.tasks[t]], by_seed)[0].mean(axis=0))
        fitted_by, models = self.models_of[name]
        found = [fitted_by.predict(self.tasks[t], model, rows) for model in models[t]]
        return np.asarray(np.mean(found, axis=0))

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
    mixture: Mixture,
    preparation: Preparation | None,
    *,
    widths: Sequence[int] | None,
) -> None:
    """Write what :func:`load` needs: the networks, other models and preparation that serve some task.

    Args:
        contest: With all trained models.
        mixture: What serves which task.
        preparation: Turns a table into inputs; None if the run was given arrays.
        widths: Of the built-in encoder; None for the user's own.
    """
    folder, trained = contest.engine.folder, contest.trained
    tasks = contest.context.tasks
    shares = {
        own.name: torch.stack(
            [contest.shares(own, t) * (own.name in mixture.weights[t]) for t in range(len(tasks))],
            dim=1,
        )
        for own in contest.networks
        if any(own.name in weights for weights in mixture.weights)
    }
    fitted = {}
    for at, own in enumerate(contest.modelled):
        served = [t for t in range(len(tasks)) if own.name in mixture.weights[t]]
        if served:
            fitted[own.name] = {"label": own.label, "at": at, "tasks": served}
        for t in served:
            models = contest.models[own.label][t]
            folder.write(
                _file(at, t),
                lambda path, own=own, models=models: own.save(models, path),  # type: ignore[misc]
            )
    used = torch.zeros(len(trained.members), len(tasks), dtype=torch.bool)
    best_epoch, networks = trained.serving(sum((share > 0 for share in shares.values()), used) > 0)
    tensors = {"best_epoch": best_epoch, **{f"shares/{name}": own for name, own in shares.items()}}
    for (row, epoch), model in networks.items():
        tensors |= {f"model/{row}/{epoch}/{name}": tensor for name, tensor in model.items()}
    description = {
        "tasks": [dataclasses.asdict(task) for task in tasks],
        "mixture": {
            field: getattr(mixture, field) for field in ("weights", "shares", "sharpness", "reach")
        },
        "fitted": fitted,
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
    known = {own.label: own for own in (*STANDARD, *contenders) if isinstance(own, ModelContender)}
    return Predictor(
        tasks=tasks,
        mixture=_mixture(tasks, facts["mixture"]),
        models=split_models(under(tensors, "model/")),
        best_epoch=tensors["best_epoch"],
        shares=under(tensors, "shares/"),
        seeds=tuple(facts["seeds"]),
        input_shape=tuple(facts["input_shape"]),
        executor=_executor(facts, tasks, encoder),
        models_of={
            name: (
                _known(known, own["label"], folder),
                {
                    t: _load_models(known[own["label"]], folder.path(_file(own["at"], t)))
                    for t in own["tasks"]
                },
            )
            for name, own in facts["fitted"].items()
        },
        preparation=_preparation(folder),
    )


def _mixture(tasks: tuple[Task, ...], facts: dict[str, Any]) -> Mixture:
    """What ships, without the scores that decided."""
    return Mixture(
        tasks=tasks,
        weights=tuple(facts["weights"]),
        scores=(),
        expected=(),
        shares=tuple(map(tuple, facts["shares"])),
        sharpness=facts["sharpness"],
        reach=facts["reach"],
    )


def _file(at: int, task: int) -> str:
    """Of a task's models by the contender of models with a number."""
    return f"model/{at}-{task}.model"


def _known(known: Mapping[str, ModelContender], label: str, folder: RunFolder) -> ModelContender:
    if label not in known:
        raise InputError(
            f"models in {folder.root} were fitted by the contender {label!r}: pass contenders=[...]"
        )
    return known[label]


def _load_models(contender: ModelContender, path: Path) -> list[Model]:
    try:
        return contender.load(path)
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

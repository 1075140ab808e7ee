"""Stage 2: fine-tuning on one unseen target from each of several encoders, and from none.

The source heads are dropped; a new head starts at zero. Every start gets the same sweep of settings, tuned
on the target's validation rows from seed 0, and is then trained from the other seeds. A seed varies the
initial parameters of what starts fresh, the dropout masks, the order of the rows, and, if only some of the
target's rows are used, which. Source: Padmakumar et al. 2022 (arXiv 2204.11117); there the heads start at
random.
Letters: K starts, S seeds, O outputs, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cotrain.arrays import Array
from cotrain.data.dataset import Development, TaskData
from cotrain.engine.build import Encoder, architecture_of, build_engine
from cotrain.engine.engine import Engine, Watch
from cotrain.engine.member import Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.recipe import Recipe, recipe_for, shortened
from cotrain.engine.trained import Trained, merge
from cotrain.engine.tuning import Setting, setting_of
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.tasks import score
from cotrain.transfer.rows import with_rows

SCRATCH = "scratch"
"""The baseline that starts from a fresh encoder."""
START = "encoder"
"""The one pre-finetuned encoder of a run, among the starts of its architecture."""

# Validation chooses the epoch, so all train to the end; the small rate keeps what an encoder knows.
SWEEP = (
    Setting(learning_rate=1e-3, dropout=0.3),
    Setting(learning_rate=1e-3, dropout=1.0),
    Setting(learning_rate=3e-4, dropout=0.3),
)


@dataclass(frozen=True, kw_only=True)
class Finetuning:
    """How a target is fine-tuned.

    Args:
        settings: Tried for every start, the baseline included.
        seeds: Of every start, at least 1.
        rows: Training rows of the target; None for all.
        length: Epochs at most, as a share of the usual number.
        widths: Hidden widths of the built-in encoder.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    settings: tuple[Setting, ...] = SWEEP
    seeds: int = 5
    rows: int | None = None
    length: float = 1.0
    widths: tuple[int, ...] = (256, 256)
    low_precision: bool = True

    def recipe(self, rows: int, seed: int) -> Recipe:
        """Epochs and batches of a training on so many rows."""
        full = recipe_for(rows, seed=seed)
        return (
            full if self.length == 1 else shortened(full, max(1, round(self.length * full.epochs)))
        )


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """A target fine-tuned from K starts and S seeds.

    Args:
        starts: ``[K]`` names; ``scratch`` is the first.
        settings: ``[K]`` the chosen ones.
        valid: ``[K, S]`` validation scores.
        examples: ``[K]`` training rows processed, the sweep included.
        seconds: ``[K]``, shared by examples among members that trained side by side.
        trainings: Members trained.
        trained: ``[K · S]`` members, start by start.
        engine: Who predicts.
    """

    starts: tuple[str, ...]
    settings: tuple[Setting, ...]
    valid: Array
    examples: NDArray[np.int64]
    seconds: Array
    trainings: int
    trained: Trained
    engine: Engine

    def predict(self, inputs: Tensor) -> Array:
        """``[K, S, N, ...]`` probabilities or values on other rows."""
        outputs = self.engine.predict(self.trained, inputs)
        found = predictions(self.engine.development.tasks, outputs)[0]
        return found.reshape(*self.valid.shape, *found.shape[1:])

    def scores(self, data: TaskData) -> Array:
        """``[K, S]`` scores on the rows of ``data`` that the target labels.

        Args:
            data: Rows of the target alone, see :func:`~cotrain.transfer.rows.only_target`.
        """
        return _scores(self.predict(data.inputs), data)


def finetune(
    folder: RunFolder,
    target: Development,
    starts: Mapping[str, Mapping[str, Tensor]],
    *,
    how: Finetuning | None = None,
    encoder: Encoder | None = None,
    watch: Watch = lambda _: None,
    stage: str = "finetune",
) -> Finetuned:
    """Fine-tune one target from every start and from scratch.

    Args:
        folder: Keeps checkpoints and finished members; a killed run goes on from it. What is finished there
            is read back unasked, so other data, starts or settings need another folder or stage.
        target: Training and validation rows of one task, see
            :func:`~cotrain.transfer.rows.of_target`.
        starts: Name → state of an encoder, as :func:`~cotrain.transfer.pretrain.pretrain` gives them.
        how: The defaults of :class:`Finetuning` unless given.
        encoder: Returns a fresh encoder; the built-in MLP unless given.
        watch: Called with progress updates.
        stage: Names the files; targets that share a folder, and so the executor, have each its own.

    Raises:
        InputError: If an encoder has another shape than a fresh one.
    """
    how = how or Finetuning()
    whole = build_engine(
        folder,
        target,
        how.recipe(len(target.train), 0),
        encoder=encoder,
        widths=how.widths,
        low_precision=how.low_precision,
        watch=watch,
    )
    whole = starting_from(whole, starts)
    names = (SCRATCH, *starts)

    def train(seed: int, members: Sequence[Member]) -> tuple[Engine, Trained]:
        own = with_rows(target, how.rows, seed)
        architecture = architecture_of(own, encoder, how.widths)
        engine = replace(
            whole,
            architecture=replace(architecture, starts=starts),
            development=own,
            recipe=how.recipe(len(own.train), seed),
        )
        return engine, engine.train(f"{stage}-{seed}", members)

    tried = [_member(start, setting, 0) for setting in how.settings for start in names]
    engine, sweep = train(0, tried)
    best = _best(sweep, target.valid, len(names))
    chosen = [tried[at] for at in best]
    parts = [sweep.select(set(chosen).__contains__)]
    order = sorted(range(len(chosen)), key=lambda at: chosen[at].learning_rate)
    for seed in range(1, how.seeds):
        _, again = train(seed, [replace(chosen[at], seed=seed) for at in order])
        parts.append(again)
    return _finetuned(engine, sweep, parts, names, chosen)


def starting_from(engine: Engine, starts: Mapping[str, Mapping[str, Tensor]]) -> Engine:
    """The engine with encoders that its members may start from.

    Raises:
        InputError: If a state does not fit the engine's encoder, with the first parameter that differs.
    """
    architecture = engine.architecture
    if SCRATCH in starts:
        raise InputError(f"{SCRATCH!r} is the name of the baseline: give the encoder another")
    expected = architecture.build(seed=0).encoder.state_dict()
    for name, state in starts.items():
        for key in dict.fromkeys([*expected, *state]):
            here, there = (tuple(d[key].shape) if key in d else None for d in (expected, state))
            if here != there:
                raise InputError(
                    f"encoder {name!r} has {key} of shape {there} where the network has {here}: "
                    "pre-finetune on the same input columns and with the same widths"
                )
    return replace(engine, architecture=replace(architecture, starts=starts))


def _member(start: str, setting: Setting, seed: int) -> Member:
    return Member(
        name=start,
        weights=(1.0,),
        seed=seed,
        learning_rate=setting.learning_rate,
        dropout=setting.dropout,
        epochs=setting.epochs,
        start="" if start == SCRATCH else start,
    )


def _best(sweep: Trained, valid: TaskData, starts: int) -> list[int]:
    """``[K]`` member of each start with the best validation score; ties go to the first setting."""
    found = predictions(valid.tasks, sweep.outputs)[0]
    scores = _scores(found, valid).reshape(-1, starts)
    chosen = np.nan_to_num(scores, nan=-np.inf).argmax(axis=0)
    return [int(setting) * starts + start for start, setting in enumerate(chosen)]


def _scores(found: Array, data: TaskData) -> Array:
    """``[...]`` scores of ``[..., N]`` values or ``[..., N, classes]`` probabilities."""
    task = data.tasks[0]
    rows, labels = data.labels(0)
    lead = found.shape[: found.ndim - 1 - (task.outputs > 1)]
    flat = found.reshape(-1, *found.shape[len(lead) :])
    return np.array([score(task, one[rows], labels) for one in flat]).reshape(lead)


def _finetuned(
    engine: Engine,
    sweep: Trained,
    parts: Sequence[Trained],
    names: Sequence[str],
    chosen: Sequence[Member],
) -> Finetuned:
    everyone = merge(parts)
    place = {(m.name, m.seed): at for at, m in enumerate(everyone.members)}
    order = [place[name, seed] for name in names for seed in range(len(parts))]
    trained = everyone.take(order)
    valid = engine.development.valid
    found = _scores(predictions(valid.tasks, trained.outputs)[0], valid)
    examples, seconds = _costs(engine, [sweep, *parts[1:]], names)
    return Finetuned(
        starts=tuple(names),
        settings=tuple(setting_of(m) for m in chosen),
        valid=found.reshape(len(names), len(parts)),
        examples=examples,
        seconds=seconds,
        trainings=sum(len(part.members) for part in (sweep, *parts[1:])),
        trained=trained,
        engine=engine,
    )


def _costs(
    engine: Engine, parts: Sequence[Trained], names: Sequence[str]
) -> tuple[NDArray[np.int64], Array]:
    """``[K]`` examples and seconds of each start."""
    examples, seconds = np.zeros(len(names), dtype=np.int64), np.zeros(len(names))
    for part in parts:
        own = np.array(
            [engine.examples(part.select(lambda m, n=name: m.name == n)) for name in names]  # type: ignore[misc]
        )
        examples += own
        seconds += part.seconds * own / max(1, own.sum())
    return examples, seconds

"""A pre-finetuned encoder as a folder: weights for any PyTorch program, and what cotrain needs beside.

``encoder.safetensors`` holds the weights, those of the built-in MLP under the names of
``nn.Sequential(nn.Linear(...), nn.ReLU(), nn.Linear(...), nn.ReLU())``; ``encoder.json`` says what they
were trained on; ``rows.safetensors`` holds the keys of the training rows, so that a target whose test rows
the encoder has seen is noticed; ``preparation`` turns a table into the encoder's inputs. No pickle.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.data.dataset import Splits
from cotrain.data.identity import row_keys
from cotrain.engine.state import Tensors
from cotrain.errors import InputError
from cotrain.figures.text import duration
from cotrain.folder import RunFolder

if TYPE_CHECKING:
    from cotrain.data.features.prepare import Preparation

FACTS, WEIGHTS, ROWS = "encoder.json", "encoder.safetensors", "rows.safetensors"
PREPARATION = "preparation"
_AGAIN = "copy the folder of cotrain pretrain again, or repeat it"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source task of an encoder."""

    name: str
    weight: float
    labels: int  # in training rows
    loss: float  # on validation rows, at the epoch that is kept


@dataclass(frozen=True, kw_only=True)
class EncoderFacts:
    """What an encoder is and what it took.

    Args:
        title: Name of the data set.
        input_shape: Shape of one row of inputs.
        widths: Hidden widths of the built-in MLP; None for an encoder of the user's own.
        sources: What it was trained on.
        temperature: Of the mixture: 1 by size, infinity uniform.
        seed: Of everything random.
        rows: Training rows.
        best_epoch: The epoch that is kept, from 1.
        epochs_run: Epochs trained.
        examples: Training rows processed.
        flops: Floating-point operations in all.
        seconds: Of the training.
        cotrain: Version that wrote it.
    """

    title: str
    input_shape: tuple[int, ...]
    widths: tuple[int, ...] | None
    sources: tuple[Source, ...]
    temperature: float
    seed: int
    rows: int
    best_epoch: int
    epochs_run: int
    examples: int
    flops: float
    seconds: float
    cotrain: str

    @property
    def loss(self) -> float:
        """Unweighted mean of the sources' validation losses."""
        return float(np.mean([source.loss for source in self.sources]))

    def __str__(self) -> str:
        """What it learned from, and what that took."""
        labels = sum(source.labels for source in self.sources)
        return (
            f"encoder pre-finetuned on {len(self.sources):,} sources of {self.title}: {self.rows:,} rows, "
            f"{labels:,} labels, {self.epochs_run} epochs, the best {self.best_epoch}; mean validation "
            f"loss {self.loss:.4f}; {duration(self.seconds)}"
        )


@dataclass(frozen=True, kw_only=True)
class EncoderFile:
    """An encoder that targets can start from.

    Args:
        facts: What it is.
        state: Its parameters and buffers, as its own module names them.
        keys: ``[N]`` keys of its training rows, see :func:`~cotrain.data.identity.row_keys`.
        preparation: Turns a table into its inputs; None if it was trained on arrays.
    """

    facts: EncoderFacts
    state: Tensors
    keys: NDArray[np.int64]
    preparation: Preparation | None

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        total = hashlib.sha256()
        for name, tensor in sorted(self.state.items()):
            total.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return total.hexdigest()

    def check(self, target: Splits, *, allow_overlap: bool = False) -> tuple[str, ...]:
        """Refuse a target on which the encoder could not start, or would flatter itself.

        Test rows that the encoder has seen are refused, validation rows are said: what is chosen on them
        may not be the best, but the test scores stay honest.

        Args:
            target: The target's data.
            allow_overlap: Let test rows pass whose inputs the encoder was trained on.

        Returns:
            What the reader of the result should know of rows that were let pass.

        Raises:
            InputError: The inputs have another shape, a target is among the sources, or test rows of the
                target are training rows of the sources.
        """
        shape = tuple(target.development.train.inputs.shape[1:])
        if shape != self.facts.input_shape:
            raise InputError(
                f"the encoder reads inputs of shape {self.facts.input_shape}, the target has {shape}: "
                "give the columns that the encoder was pre-finetuned on"
            )
        seen = {source.name for source in self.facts.sources}
        both = [task.name for task in target.tasks if task.name in seen]
        if both:
            shown = ", ".join(map(repr, both[:5])) + (", …" if len(both) > 5 else "")
            raise InputError(
                f"target {shown} is among the sources of the encoder: pre-finetune without it"
            )
        valid = target.development.valid
        shared = int(np.isin(row_keys(valid.inputs), self.keys).sum())
        known = target.test.count_known(self.keys)
        in_valid = f"{shared:,} of {len(valid):,} validation rows"
        in_test = f"{known:,} of {len(target.test):,} test rows"
        trained = "have the inputs of rows that the encoder was trained on"
        if known and not allow_overlap:
            raise InputError(
                f"{in_test}{f' and {in_valid}' if shared else ''} {trained}: pre-finetune with --without "
                "and this table, or say --allow-overlap"
            )
        notes = [f"{in_test} {trained}: scores of pretrained may flatter."] if known else []
        if shared:
            notes.append(
                f"{in_valid} {trained}: validation may choose pretrained too often, and settings that suit "
                "known rows; pre-finetuning with --without and this table avoids it."
            )
        return tuple(notes)


def save_encoder(
    folder: RunFolder, facts: EncoderFacts, state: Tensors, sources: Splits
) -> EncoderFile:
    """Write an encoder; ``encoder.json`` comes last.

    Args:
        folder: Where to.
        facts: What it is.
        state: Its parameters and buffers.
        sources: What it was trained on.
    """
    rename = sequential_name if facts.widths is not None else str
    folder.write_tensors(WEIGHTS, {rename(name): t for name, t in state.items()}, {})
    keys = np.unique(row_keys(sources.development.train.inputs))
    folder.write_tensors(ROWS, {"keys": torch.from_numpy(keys)}, {})
    if sources.preparation is not None:
        folder.path(PREPARATION).mkdir(exist_ok=True)
        sources.preparation.save(folder.path(PREPARATION))
    folder.write_json(FACTS, asdict(facts))
    return load_encoder(folder.root)


def load_encoder(path: str | Path) -> EncoderFile:
    """Read what :func:`save_encoder` wrote; no code is run from the files.

    Raises:
        InputError: If the folder holds no encoder, or is damaged.
    """
    folder = RunFolder(Path(path))
    if not folder.has(FACTS):
        raise InputError(f"{path} holds no encoder: give the --out folder of cotrain pretrain")
    facts = _facts(folder)
    tensors, rows = _tensors(folder, WEIGHTS), _tensors(folder, ROWS)
    if facts.widths is not None:
        _check_widths(folder, tensors, facts.input_shape, facts.widths)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(f"{folder.path(WEIGHTS)} has {name} with NaN or infinity: {_AGAIN}")
    keys = rows.get("keys")
    if keys is None or keys.dtype != torch.int64 or keys.ndim != 1:
        raise InputError(
            f"{folder.path(ROWS)} does not hold the keys of the training rows: {_AGAIN}"
        )
    preparation = None
    if folder.has(PREPARATION):
        from cotrain.data.features.prepare import Preparation

        preparation = Preparation.load(folder.path(PREPARATION))
        made = (int(preparation.network_kept.sum()),)
        if made != facts.input_shape:
            raise InputError(
                f"{folder.path(PREPARATION)} makes inputs of shape {made} where {FACTS} promises "
                f"{facts.input_shape}: the two are not of one encoder, {_AGAIN}"
            )
    rename = own_name if facts.widths is not None else str
    return EncoderFile(
        facts=facts,
        state={rename(name): tensor for name, tensor in tensors.items()},
        keys=keys.numpy(),
        preparation=preparation,
    )


def _facts(folder: RunFolder) -> EncoderFacts:
    try:
        return folder.read(FACTS, EncoderFacts)
    except InputError as error:
        raise InputError(f"{error}: {_AGAIN}") from error


def _tensors(folder: RunFolder, name: str) -> Tensors:
    try:
        return folder.read_tensors(name)[0]
    except InputError as error:
        raise InputError(f"{error}: {_AGAIN}") from error


def sequential_name(name: str) -> str:
    """The name in an ``nn.Sequential`` of linear layers with ReLU between.

    >>> sequential_name("linears.1.weight")
    '2.weight'
    """
    return _renumbered(name, r"linears\.(\d+)\.", lambda at: f"{2 * at}.")


def own_name(name: str) -> str:
    """The name in the built-in MLP.

    >>> own_name("2.weight")
    'linears.1.weight'
    """
    return _renumbered(name, r"(\d+)\.", lambda at: f"linears.{at // 2}.")


def _renumbered(name: str, pattern: str, made: Callable[[int], str]) -> str:
    return re.sub(pattern, lambda found: made(int(found[1])), name, count=1)


def _check_widths(
    folder: RunFolder,
    tensors: Mapping[str, torch.Tensor],
    shape: Sequence[int],
    widths: Sequence[int],
) -> None:
    """Refuse weights that are not those of the network that ``encoder.json`` describes."""
    sizes = [int(np.prod(shape)), *widths]
    expected: dict[str, str] = {}
    for at, (a, b) in enumerate(pairwise(sizes)):
        expected[f"{2 * at}.weight"] = f"float32 [{b}, {a}]"
        expected[f"{2 * at}.bias"] = f"float32 [{b}]"
    found = {
        name: f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        for name, tensor in tensors.items()
    }
    for name in dict.fromkeys([*expected, *found]):
        if found.get(name) != expected.get(name):
            raise InputError(
                f"{folder.path(WEIGHTS)} has for {name} {found.get(name, 'nothing')} where {FACTS} "
                f"promises {expected.get(name, 'nothing')}: the two are not of one encoder, {_AGAIN}"
            )

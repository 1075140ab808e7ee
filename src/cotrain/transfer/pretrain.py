"""Stage 1: encoders of many source mixtures, pre-finetuned side by side as one population.

Padmakumar et al. 2022, "Exploring the Role of Task Transferability in Large-Scale Multi-Task Learning"
(arXiv 2204.11117): one encoder with a linear head for each source, batches of mixed sources, every example
counts alike and no loss is scaled; a member keeps the one model with the best unweighted mean of its
sources' validation losses, and stops after three epochs without a better one.

Departure: a run may be brief, a whole schedule of few epochs. It reaches what early stopping reaches for a
third of the compute (benchmarks/results/sources.md).
Letters: M mixtures, S sources, N rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cotrain.data.dataset import Development
from cotrain.engine.build import Encoder, build_engine
from cotrain.engine.engine import Engine, Watch, flops_per_example
from cotrain.engine.member import Member
from cotrain.engine.models.multitask import ENCODER
from cotrain.engine.recipe import Recipe, recipe_for
from cotrain.engine.state import Tensors
from cotrain.engine.trained import Trained
from cotrain.engine.tuning import Setting
from cotrain.errors import InputError, refuse_all
from cotrain.folder import RunFolder
from cotrain.transfer.mixtures import Weights
from cotrain.transfer.rows import rows_of

BRIEF = Setting(learning_rate=3e-3, dropout=0.0)
BATCH = 16  # of a brief run: more steps for the same rows


SETTING = Setting(learning_rate=1e-3, dropout=1.0)


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How encoders are pre-finetuned.

    Args:
        widths: Hidden widths of the built-in encoder.
        setting: Learning rate and dropout. Full dropout gave the lower mean validation loss on ToxCast.
        patience: Epochs without a better mean validation loss after which a member stops.
        epochs: Over the training rows, see :meth:`brief`; until early stopping if None.
        seed: Of the initial parameters, the dropout masks and the order of the rows.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
    """

    widths: tuple[int, ...] = (256, 256)
    setting: Setting = SETTING
    patience: int = 3
    epochs: int | None = None
    seed: int = 0
    low_precision: bool = True

    def __post_init__(self) -> None:
        """Refuse what would fail only later."""
        counts = (*self.widths, self.patience, 1 if self.epochs is None else self.epochs)
        if not self.widths or min(counts) < 1:
            raise InputError(
                f"widths, patience and epochs must be above 0, got {self.widths}, {self.patience}, "
                f"{self.epochs}"
            )

    def brief(self, epochs: int) -> Pretraining:
        """The same in few epochs: a whole schedule of them in small batches, without dropout.

        >>> Pretraining(widths=(64,)).brief(2).recipe(rows=6000).epochs
        2
        """
        return replace(self, epochs=epochs, setting=BRIEF)

    def recipe(self, rows: int) -> Recipe:
        """Epochs, batches and patience of a run on so many training rows."""
        recipe = replace(recipe_for(rows, seed=self.seed), one_model=True)
        if self.epochs is None:
            return replace(recipe, patience=self.patience)
        return replace(recipe, epochs=self.epochs, patience=self.epochs, batch_size=BATCH)


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Encoders of M mixtures, and what they took.

    Args:
        sources: ``[S]`` names of the source tasks.
        mixtures: Name → ``[S]`` weights.
        encoders: Name → state of the encoder, without its heads.
        loss: ``[M, S]`` validation losses at the epoch that is kept; infinity for weight 0.
        best_epoch: ``[M]`` that epoch, from 1.
        epochs_run: ``[M]`` epochs trained.
        examples: ``[M]`` training rows processed; rows without a label of the mixture teach it nothing and
            are not counted.
        flops: Floating-point operations of one example, with all S heads.
        seconds: Of the whole population.
    """

    sources: tuple[str, ...]
    mixtures: dict[str, Weights]
    encoders: dict[str, Tensors]
    loss: Tensor
    best_epoch: Tensor
    epochs_run: Tensor
    examples: Tensor
    flops: float
    seconds: float


def pretrain(
    folder: RunFolder,
    sources: Development,
    mixtures: Mapping[str, Weights],
    *,
    how: Pretraining | None = None,
    encoder: Encoder | None = None,
    watch: Watch = lambda _: None,
) -> Pretrained:
    """Train one encoder for every mixture, all in one population.

    Args:
        folder: Keeps checkpoints and the finished encoders; a killed run goes on from it. What is finished
            there is read back unasked, so other sources, mixtures or settings need another folder.
        sources: Training and validation rows of all sources. Where sources share rows, weights multiply
            losses; where they are domains, weights are sampling rates.
        mixtures: Name → ``[S]`` weights, for instance from
            :func:`~cotrain.transfer.mixtures.mixture_weights`.
        how: The paper's way unless given.
        encoder: Returns a fresh encoder; the built-in MLP unless given.
        watch: Called with progress updates.

    Raises:
        InputError: If a source has no usable labels.
    """
    how = how or Pretraining()
    check_sources(sources, mixtures)
    engine = build_engine(
        folder,
        sources,
        how.recipe(len(sources.train)),
        encoder=encoder,
        widths=how.widths,
        low_precision=how.low_precision,
        watch=watch,
    )
    members = [
        Member(
            name=name,
            weights=weights,
            seed=how.seed,
            learning_rate=how.setting.learning_rate,
            dropout=how.setting.dropout,
            epochs=how.setting.epochs,
        )
        for name, weights in mixtures.items()
    ]
    return _pretrained(engine, engine.train("pretrain", members), dict(mixtures))


def _pretrained(engine: Engine, trained: Trained, mixtures: dict[str, Weights]) -> Pretrained:
    best = trained.best_epoch.amax(dim=1)
    stuck = [m.name for m, epoch in zip(trained.members, best.tolist(), strict=True) if not epoch]
    if stuck:
        raise InputError(
            f"pre-finetuning on {stuck[0]!r} diverged in its first epoch: lower the learning rate"
        )
    train = engine.development.train
    mixed = [[s for s, weight in enumerate(m.weights) if weight > 0] for m in trained.members]
    rows = torch.tensor([rows_of(train, sources) for sources in mixed])
    if train.domains:
        rows.fill_(engine.examples_in_epoch)
    return Pretrained(
        sources=tuple(task.name for task in engine.development.tasks),
        mixtures=mixtures,
        encoders={
            member.name: encoder_of(trained.models[at, int(best[at])])
            for at, member in enumerate(trained.members)
        },
        loss=trained.loss,
        best_epoch=best,
        epochs_run=trained.epochs_run,
        examples=trained.epochs_run * rows,
        flops=flops_per_example(engine.architecture),
        seconds=trained.seconds,
    )


def encoder_of(model: Mapping[str, Tensor]) -> Tensors:
    """The encoder's part of a model, as its own module names it.

    >>> sorted(encoder_of({"encoder.linears.0.bias": torch.zeros(2), "head.bias": torch.zeros(1)}))
    ['linears.0.bias']
    """
    return {
        name.removeprefix(ENCODER): tensor
        for name, tensor in model.items()
        if name.startswith(ENCODER)
    }


def check_sources(sources: Development, mixtures: Mapping[str, Weights]) -> None:
    """Refuse sources of a mixture that could not be trained, or not be judged.

    Raises:
        InputError: Every such source, with what it lacks.
    """
    refused = {}
    for s, task in enumerate(sources.tasks):
        if any(weights[s] > 0 for weights in mixtures.values()):
            _, labels = sources.train.labels(s)
            if not len(labels) or (labels == labels[0]).all():
                found = f"only the value {labels[0]:g}" if len(labels) else "no labels"
                refused[task.name] = f"{found} in the training rows"
            elif not sources.valid.mask[:, s].any():
                refused[task.name] = "no labels in the validation rows"
    problems = [f"source {name!r} has {what}: leave it out" for name, what in refused.items()]
    refuse_all(problems, f"to leave out all {len(refused)}: --ignore '{','.join(refused)}'")

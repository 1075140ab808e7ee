"""``cotrain pretrain``: from the sources' data to an encoder in a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from cotrain import __version__
from cotrain.data.dataset import Splits
from cotrain.engine.build import Encoder
from cotrain.engine.engine import Watch
from cotrain.folder import RunFolder
from cotrain.transfer.encoder_file import (
    FACTS,
    EncoderFacts,
    EncoderFile,
    Source,
    load_encoder,
    save_encoder,
)
from cotrain.transfer.mixtures import BY_SIZE, mixture_weights, source_sizes
from cotrain.transfer.pretrain import Pretrained, Pretraining, check_sources, pretrain

MIXTURE = "all"


def build_encoder(
    sources: Splits,
    *,
    out: str | Path,
    temperature: float = BY_SIZE,
    how: Pretraining | None = None,
    encoder: Encoder | None = None,
    title: str = "sources",
    watch: Watch = lambda _: None,
) -> EncoderFile:
    """Pre-finetune one encoder on all sources and write it to a folder.

    Args:
        sources: Training and validation rows of the sources, from :mod:`cotrain.data` with ``test=False``:
            test rows, if there are any, stay unused.
        out: The folder; an interrupted one of the same sources and settings is continued.
        temperature: Of the mixture: 1 by size, infinity uniform; see
            :func:`~cotrain.transfer.mixtures.mixture_weights`.
        how: The paper's way unless given.
        encoder: Returns a fresh encoder; the built-in MLP unless given.
        title: Name of the data set.
        watch: Called with progress updates.

    Raises:
        InputError: If the folder holds something else, or a source has no usable labels.
    """
    folder, how = RunFolder(Path(out)), how or Pretraining()
    train = sources.development.train
    sizes = source_sizes(train)
    check_sources(sources.development, {MIXTURE: (1.0,) * len(sizes)})
    weights = mixture_weights(sizes, range(len(sizes)), temperature=temperature)
    settings = asdict(how) | {"temperature": str(temperature), "own encoder": encoder is not None}
    folder.claim(sources.identity(verb="pretrain", title=title, settings=settings))
    if not folder.has(FACTS):
        found = pretrain(
            folder, sources.development, {MIXTURE: weights}, how=how, encoder=encoder, watch=watch
        )
        shape, widths = tuple(train.inputs.shape[1:]), how.widths if encoder is None else None
        facts = _facts(found, sizes, title, shape, widths, temperature, how.seed, len(train))
        save_encoder(folder, facts, found.encoders[MIXTURE], sources)
    folder.drop_working_files()
    return load_encoder(out)


def _facts(
    found: Pretrained,
    sizes: tuple[int, ...],
    title: str,
    shape: tuple[int, ...],
    widths: tuple[int, ...] | None,
    temperature: float,
    seed: int,
    rows: int,
) -> EncoderFacts:
    parts = zip(found.sources, found.mixtures[MIXTURE], sizes, found.loss[0].tolist(), strict=True)
    return EncoderFacts(
        title=title,
        input_shape=shape,
        widths=widths,
        sources=tuple(
            Source(name=name, weight=weight, labels=size, loss=loss)
            for name, weight, size, loss in parts
        ),
        temperature=temperature,
        seed=seed,
        rows=rows,
        best_epoch=int(found.best_epoch[0]),
        epochs_run=int(found.epochs_run[0]),
        examples=int(found.examples[0]),
        flops=found.flops * int(found.examples[0]),
        seconds=found.seconds,
        cotrain=__version__,
    )

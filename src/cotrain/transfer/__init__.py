"""Transfer: pre-finetune an encoder on source tasks, then fine-tune it on an unseen target.

Source mixtures are weight vectors, so encoders of all mixtures are one population; so are all starts and
settings of a target.

>>> import tempfile
>>> from pathlib import Path
>>> import numpy as np
>>> from cotrain.folder import RunFolder
>>> from cotrain.data import from_arrays
>>> from cotrain.transfer import (
...     SWEEP, Finetuning, Pretraining, finetune, mixture_weights, of_target, pretrain, source_sizes
... )
>>> folder = RunFolder(Path(tempfile.mkdtemp()))
>>> rng = np.random.default_rng(0)
>>> x, rule = rng.normal(size=(140, 6)), rng.normal(size=6)
>>> sources = from_arrays(x[:80], np.stack([x[:80] @ rule > 0, x[:80, 0] > 0], 1)).development
>>> sizes = source_sizes(sources.train)
>>> mixtures = {"all": mixture_weights(sizes, [0, 1]), "first": mixture_weights(sizes, [0])}
>>> small = Pretraining(widths=(16,))
>>> encoders = pretrain(RunFolder(folder.path("stage-1")), sources, mixtures, how=small).encoders
>>> target = from_arrays(x[80:], (x[80:] @ rule > 1)[:, None])
>>> found = finetune(
...     RunFolder(folder.path("stage-2")),
...     of_target(target.development, 0),
...     encoders,
...     how=Finetuning(seeds=2, rows=16, widths=(16,), settings=SWEEP[:1]),
... )
>>> found.starts, found.valid.shape
(('scratch', 'all', 'first'), (3, 2))
"""

from cotrain.transfer.build_encoder import build_encoder
from cotrain.transfer.encoder_file import EncoderFacts, EncoderFile, load_encoder, save_encoder
from cotrain.transfer.finetune import SCRATCH, SWEEP, Finetuned, Finetuning, finetune
from cotrain.transfer.mixtures import BY_SIZE, UNIFORM, mixture_weights, source_sizes, unions
from cotrain.transfer.pretrain import Pretrained, Pretraining, pretrain
from cotrain.transfer.rankers.base import Ranked, Ranker
from cotrain.transfer.rankers.by_short_run import (
    AnyRanker,
    ByGradients,
    ByLookahead,
    ByRepresentation,
    BySampling,
)
from cotrain.transfer.rankers.linear_probe import ByLinearProbe
from cotrain.transfer.rankers.short_run import ShortRun
from cotrain.transfer.rows import of_target, only_target, with_rows
from cotrain.transfer.source_choice import SourceChoice, read_choice
from cotrain.transfer.sources import choose_sources

__all__ = [
    "BY_SIZE",
    "SCRATCH",
    "SWEEP",
    "UNIFORM",
    "AnyRanker",
    "ByGradients",
    "ByLinearProbe",
    "ByLookahead",
    "ByRepresentation",
    "BySampling",
    "EncoderFacts",
    "EncoderFile",
    "Finetuned",
    "Finetuning",
    "Pretrained",
    "Pretraining",
    "Ranked",
    "Ranker",
    "ShortRun",
    "SourceChoice",
    "build_encoder",
    "choose_sources",
    "finetune",
    "load_encoder",
    "mixture_weights",
    "of_target",
    "only_target",
    "pretrain",
    "read_choice",
    "save_encoder",
    "source_sizes",
    "unions",
    "with_rows",
]

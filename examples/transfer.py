"""
Transfer: learn from other tasks first
======================================

You have few labels for the task that counts and many for others. Pre-finetune an encoder on the
others, then fine-tune it on yours, and compare with starting from scratch.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/transfer.png'
from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from cotrain.data import from_arrays
from cotrain.folder import RunFolder
from cotrain.transfer import (
    SWEEP,
    Finetuning,
    Pretraining,
    finetune,
    mixture_weights,
    of_target,
    pretrain,
    source_sizes,
)

# %%
# Sources: "is it a 0?" to "is it a 5?" on 1,000 images. Target: "is it odd?" on 24 others.
pixels, digit = load_digits(return_X_y=True)
pixels = pixels / 16
names = [f"is {number}" for number in range(6)]
labels = np.stack([digit[:1000] == number for number in range(6)], axis=1)
sources = from_arrays(pixels[:1000], labels, names=names).development
target = from_arrays(pixels[1000:], (digit[1000:] % 2 == 1)[:, None], names=["odd"])
folder = Path(tempfile.mkdtemp())

# %%
# A mixture of sources is a weight vector over the tasks, so encoders of all mixtures are trained at
# once.
sizes = source_sizes(sources.train)
mixtures = {
    "all six": mixture_weights(sizes, range(6)),
    "first two": mixture_weights(sizes, [0, 1]),
}
stage_1 = pretrain(
    RunFolder(folder / "sources"), sources, mixtures, how=Pretraining(widths=(64, 64))
)

# %%
# All starts of the target are one population, too. The fresh start is always among them, and tuned
# alike.
stage_2 = finetune(
    RunFolder(folder / "target"),
    of_target(target.development, 0),
    stage_1.encoders,
    how=Finetuning(seeds=5, rows=24, widths=(64, 64), settings=SWEEP[:2]),
)
for start, scores in zip(stage_2.starts, stage_2.valid, strict=True):
    print(f"{start:10} validation AUC {scores.mean():.3f} ± {scores.std():.3f} over seeds")

# %%
# On tables whose trees are good, pre-finetuned networks win only where labels are very few: see the
# :doc:`measured results </results/transfer>`. ``cotrain pretrain`` and ``cotrain run --encoder`` do
# this for tables, with trees in the comparison and a sealed test split.

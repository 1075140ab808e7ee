"""
Domains: one label, several sources of rows
===========================================

The same question asked of rows from different places. Every domain becomes a task, all of them
share one head, and a weight is how often a domain is drawn into the batches.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/domains.png'
from __future__ import annotations

import tempfile
from textwrap import fill

import numpy as np
from sklearn.datasets import load_digits

import cotrain
from cotrain.data import from_domains

# %%
# "Is it at least five?" for images as they are, turned upside down, and seen as a negative. A third
# of the images each; the last domain has few rows.
pixels, digit = load_digits(return_X_y=True)
pixels, label = pixels / 16, (digit >= 5).astype(float)
order = np.random.default_rng(0).permutation(len(pixels))
plain, turned, negative = order[:700], order[700:1400], order[1400:1600]
splits = from_domains(
    {
        "plain": (pixels[plain], label[plain]),
        "upside down": (pixels[turned, ::-1], label[turned]),
        "negative": (1 - pixels[negative], label[negative]),
    }
)
for task, rows in zip(splits.tasks, splits.development.train.mask.sum(dim=0), strict=True):
    print(f"{task.name}: {int(rows)} training rows, head {task.head!r}")

# %%
# Alone, together, in groups, trees: everything works as for tasks. A joint network draws each
# domain equally often, however many rows it has.
settings = cotrain.Settings(seeds=2, budget=40, widths=(64,))
result, predictor = cotrain.plan(splits, out=tempfile.mkdtemp(), settings=settings, title="digits")
print(fill(result.answer, 100))
names = [str(contender) for contender in result.tasks[0].test]
print(f"\n{'domain':14}" + "".join(f"{name:>9}" for name in names))
for task in result.tasks:
    print(f"{task.name:14}" + "".join(f"{score:9.3f}" for score in task.test.values()))

# %%
# The predictor has a column for every domain: the column of a row's own domain is its prediction.
print(predictor.predict(pixels[turned[:3], ::-1]))

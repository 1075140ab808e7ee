"""
Weights that change while training
==================================

One network for all tasks, with task weights that a population searches while it trains. Is finding
them worth it against uniform weights?
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/weights.png'
from __future__ import annotations

import tempfile
from pathlib import Path

import cotrain
from cotrain.data import digits_table, from_table, infer_schema, parse_split
from cotrain.weighting import PBT, WeightSchedule, WeightSearch

# %%
# Three targets of the digits' table, one of them coin flips.
table = digits_table().head(800)
targets = ["even", "closed_loop", "random"]
schema = infer_schema(table, targets=targets, ignore=["is_*", "at_least_5", "upside_down"])
splits = from_table(table, schema, parse_split("stratified"), 0)

# %%
# Population-based training is a further contender of the run: members that do badly copy those that
# do well and perturb their weights. ``FAMO()``, ``Uncertainty()`` and others of
# :mod:`cotrain.weighting` go the same way.
folder = Path(tempfile.mkdtemp()) / "run"
settings = cotrain.Settings(seeds=2, budget=26, widths=(64,), weights=PBT(members=6))
result, _ = cotrain.plan(splits, out=folder, settings=settings, title="digits")
for contender, score in result.mean_test.items():
    print(f"{contender:9} {score:.3f}")

# %%
# The run says in a sentence whether the search was worth it.
print(next(line for line in result.details if "uniform weights" in line))

# %%
# How the weights of the best member moved, a line a task.
search = WeightSearch.load(folder / "weights.safetensors")
print(search)
search.plot()

# %%
# The schedule that the search found can be trained again, from any seed, without searching.
schedule = WeightSchedule.load(folder / "weights.json", targets)
print(schedule)
print(schedule.member("replay", seed=3).weights)

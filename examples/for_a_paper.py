"""
Comparing methods for a paper
=============================

Three ways to weight tasks under two optimizers, each tuned over the same number of learning rates
on validation, from several seeds, judged once on a sealed test split, with intervals.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/for_a_paper.png'
from __future__ import annotations

import tempfile

from cotrain.data import digits_table, from_table, infer_schema, parse_split
from cotrain.engine.optimizers import SGD, Adam
from cotrain.studies import Contestant, Method, OptimizerGrid, study_optimizers
from cotrain.weighting import Fixed, Random, Uncertainty

# %%
# The data: four questions about digits.
table = digits_table().head(500)
schema = infer_schema(
    table, targets=["even", "at_least_5", "closed_loop", "upside_down"], ignore=["is_*", "random"]
)
splits = from_table(table, schema, parse_split("stratified"), 0)

# %%
# The grid. A method of your own goes in the same way: anything that :mod:`cotrain.weighting` has,
# or that keeps its protocol. Uniform weights are always the first.
grid = OptimizerGrid(
    contestants=(
        Contestant(name="SGD", optimizer=SGD(), learning_rates=(0.0316, 0.1)),
        Contestant(name="Adam", optimizer=Adam(), learning_rates=(0.00316, 0.01)),
    ),
    methods=(
        Method(name="uniform", weighting=Fixed()),
        Method(name="UW", weighting=Uncertainty()),
        Method(name="RLW", weighting=Random()),
    ),
    widths=(32,),
    seeds=3,
)
found = study_optimizers(splits, out=tempfile.mkdtemp(), grid=grid, title="digits")

# %%
# The published findings, and what these data say of them. A finding is confirmed or refuted only
# where its interval allows; most of what 50 test rows say is *undecided*.
print(found)

# %%
# Δm against each task alone, in per cent: below zero is better.
for optimizer in found.optimizers:
    for method in found.methods:
        delta = found.delta(optimizer, method)
        print(
            f"{optimizer:5} {method:8} Δm {delta.value:+6.2f} [{delta.low:+.2f}, {delta.high:+.2f}]"
        )

# %%
# The first of the study's pictures.
found.plot()

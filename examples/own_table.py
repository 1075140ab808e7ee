"""
Your own table
==============

From a CSV file to an answer, a report and predictions. The same as ``cotrain run`` and ``cotrain
predict``, from Python.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/own_table.png'
from __future__ import annotations

import tempfile
from pathlib import Path
from textwrap import fill

import polars as pl
from rich.console import Console

import cotrain
from cotrain.data import StratifiedSplit, digits_table, from_table, infer_schema, read_table
from cotrain.reporting import print_result, render_html

# %%
# A table on disk: 500 small images of digits as 64 columns of pixels, and questions about each. One
# of five cells of one target is empty, as cells of real tables are.
folder = Path(tempfile.mkdtemp())
table = digits_table().head(500)
holes = [None if row % 5 == 0 else value for row, value in enumerate(table["even"])]
table.with_columns(pl.Series("even", holes)).write_csv(folder / "digits.csv")

# %%
# Read it, and look at what was understood before anything is trained: which kind each target is,
# and which columns are inputs. A kind that is wrong is set with ``kinds={"even": "regression"}``.
frame = read_table(folder / "digits.csv")
schema = infer_schema(
    frame,
    targets=["even", "at_least_5", "closed_loop", "random"],
    ignore=["is_*", "upside_down"],
)
print(*schema.describe(), sep="\n")

# %%
# Cut the rows in three. The test part is sealed: no function can read it before the choice is made.
splits = from_table(frame, schema, StratifiedSplit(), seed=0)
print(splits.test)

# %%
# The whole way: tune single, joint, grouped networks and trees alike, measure, decide, choose on
# validation, open the test split once. Two seeds and a small budget keep this example short; leave
# both out for numbers that mean something.
settings = cotrain.Settings(seeds=2, budget=14)
result, predictor = cotrain.plan(splits, out=folder / "run", settings=settings, title="digits")
print(fill(result.answer, 100))

# %%
# The table of the answer. Read it from the right: the last column is the gain over training each
# task alone, with its 95 % interval, and most intervals of a test split of 50 rows contain zero.
print_result(result, Console(width=104))

# %%
# The same as one offline HTML file, and predictions for new rows. The run folder keeps everything:
# ``cotrain.load(folder / "run")`` gives the predictor back tomorrow.
(folder / "report.html").write_text(render_html(result), encoding="utf-8")
print(predictor.predict(table.tail(3)))

"""The page of few-shot curves and of 617 heads."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.common.markdown import interval, table
from cotrain.stats import student_interval
from cotrain.transfer import SCRATCH


def page(found: dict[str, Any]) -> str:
    """The result in words and tables."""
    paid, curve, stage = found["price"], found["curves"], found["curves"]["stage 1"]
    many, one = (paid["seconds an epoch"][name] for name in ("617 heads", "1 head"))
    spread = seed_spread(curve["scores"])
    rows = [table_row(curve, name) for name in curve["scores"][SCRATCH]]
    pairs = zip(stage["epochs"], stage["best"], strict=True)
    epochs = " and ".join(f"{a} (best {b})" for a, b in pairs)
    return f"""# Transfer: pre-finetuning on ToxCast, fine-tuning on Tox21

`python -m benchmarks transfer`; its text says what is done.

Sources: {curve["sources"]} assays, {curve["source rows"]:,} molecules, {curve["source labels"]:,} labels.
Targets: {", ".join(curve["targets"])}, cut by scaffold. {curve["seeds"]} seeds. Mean test ROC AUC over the
targets, and what pre-finetuning adds, with its 95 % interval over seeds (rows drawn, initial parameters,
order, dropout; not over test molecules or targets).

{chr(10).join(table(HEADER, rows, rules="rrrrrlllr"))}

Standard deviation over seeds on all rows, mean over targets: {spread[SCRATCH]:.4f} from scratch,
{spread["by size"]:.4f} pre-finetuned. Stage 1 took {stage["seconds"]:.0f} s for both encoders; epochs:
{epochs}.

## 617 heads

One member, all of ToxCast ({paid["rows"]:,} training molecules, {paid["threads"]} thread(s), other
work on the machine): **{many:.2f} s an epoch with 617 heads, {one:.2f} s with one**
({many / one:.2f} times; medians of {len(paid["times"]["1 head"])} epochs in turns, validation
included). Peak memory up to there {paid["peak memory in GB"]:.1f} GB, of the whole benchmark
{found["peak memory in GB"]:.1f} GB.
"""


HEADER = (
    "target rows",
    "scratch",
    "by size",
    "uniform",
    "trees",
    "by size - scratch",
    "uniform - scratch",
    "by size - trees",
    "targets that gain",
)


def table_row(curve: dict[str, Any], rows: str) -> tuple[str, ...]:
    """One number of training rows."""
    own = {name: np.array(values[rows]) for name, values in curve["scores"].items()}  # [T, S]
    means = {name: values.mean(axis=0) for name, values in own.items()}
    pairs = (("by size", SCRATCH), ("uniform", SCRATCH), ("by size", "trees"))
    gains = [student_interval(means[a] - means[b]) for a, b in pairs]
    better = int((own["by size"].mean(axis=1) > own[SCRATCH].mean(axis=1)).sum())
    label = f"all ({curve['rows']:,} in the mean)" if rows == "all" else rows
    cells = [f"{means[name].mean():.3f}" for name in (SCRATCH, "by size", "uniform", "trees")]
    cells += [interval(g.value, g.low, g.high, digits=3) for g in gains]
    return (label, *cells, f"{better} of {len(own[SCRATCH])}")


def seed_spread(scores: dict[str, dict[str, list[list[float]]]]) -> dict[str, float]:
    """Start → standard deviation over seeds on all rows, mean over targets."""
    return {
        name: float(np.std(np.array(values["all"]), axis=1, ddof=1).mean())
        for name, values in scores.items()
    }

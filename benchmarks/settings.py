"""Where the default settings come from: the joint network out of fold, by rate, dropout, epochs and bins.

For each small table: five networks, each leaves out a fold and trains to its end as a run of cotrain does,
at each (learning rate, share of the dropout rates, share of the epochs), on inputs with piecewise-linear
bins and without them.
What is scored are the five networks' predictions for the rows that they left out. The test split stays
sealed.

    python -m benchmarks settings          # writes benchmarks/results/settings.{json,md}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import torch

from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import interval, table
from benchmarks.common.networks import joint_networks
from benchmarks.common.options import Options
from benchmarks.common.out_of_fold import (
    FOLDS,
    SMALL,
    cut,
    folded,
    mean_score,
    out_of_fold,
    recipe_of,
)
from cotrain.data.dataset import Development, Splits
from cotrain.engine.models.losses import predictions
from cotrain.engine.recipe import share_of
from cotrain.engine.tuning import SETTINGS, Setting
from cotrain.stats import student_interval

RATES = (3e-4, 1e-3)
SHARES = (0.3, 1.0)
EPOCHS = (0.15, 0.35, 1.0)
GRID = tuple(
    Setting(learning_rate=rate, dropout=share, epochs=epochs)
    for epochs, rate, share in product(EPOCHS, RATES, SHARES)
)
QUICK = ("slump",)
WITH, WITHOUT = "bins", "no bins"

Scores = dict[str, dict[str, float]]  # with bins or without → setting → score


def run(options: Options) -> None:
    """All settings on all tables."""
    found = {name: scores(name, options.quick) for name in (QUICK if options.quick else SMALL)}
    write_json(options.out / "settings.json", found)
    write_page(options.out / "settings.md", "\n".join(page(found)) + "\n")


def named(setting: Setting) -> str:
    """``rate/share/epochs``."""
    return f"{setting.learning_rate:g}/{setting.dropout:g}/{setting.epochs:g}"


def scores(name: str, quick: bool) -> Scores:
    """Mean out-of-fold score of the joint network on a table; without bins only if it has some."""
    splits = cut(name)
    inputs = {WITH: splits.development, WITHOUT: without_bins(splits)}
    rows = {how: folded(own) for how, own in inputs.items() if own is not None}
    return {
        how: {named(setting): score_at(setting, own, quick) for setting in GRID}
        for how, own in rows.items()
    }


def score_at(setting: Setting, development: Development, quick: bool) -> float:
    """Mean over tasks of the out-of-fold score at a setting."""
    recipe = share_of(recipe_of(development), setting.epochs)
    recipe = replace(recipe, epochs=2) if quick else recipe
    trained = joint_networks(development, setting, seeds=FOLDS, recipe=recipe)
    outputs = out_of_fold(trained.outputs, development, range(FOLDS))
    found = predictions(development.tasks, outputs)
    return mean_score(development, found, development.rows.all_labels())


def without_bins(splits: Splits) -> Development | None:
    """The rows as networks would read them without bins; None if they have none."""
    made = splits.preparation
    if made is None:
        return None
    names = made.network.get_feature_names_out()[made.network_kept]
    kept = torch.tensor(["__bins__" not in name for name in names])
    if bool(kept.all()):
        return None
    whole = splits.development
    train, valid = (replace(d, inputs=d.inputs[:, kept]) for d in (whole.train, whole.valid))
    return replace(whole, train=train, valid=valid)


def page(found: dict[str, Scores]) -> list[str]:
    """What the grid costs and what bins bring, then every number."""
    columns = [named(setting) for setting in GRID]
    rows = [
        [name, how, *(f"{own[column]:.3f}" for column in columns)]
        for name, both in found.items()
        for how, own in both.items()
    ]
    grid = [named(setting) for setting in SETTINGS]
    return [
        *said(found, columns, grid),
        "",
        "Mean out-of-fold score over the tasks (ROC AUC or R²) at learning rate/share of the dropout/share "
        "of the epochs.",
        "",
        *table(["table", "inputs", *columns], rows, rules="ll" + "r" * len(columns)),
    ]


def said(found: dict[str, Scores], columns: Sequence[str], grid: Sequence[str]) -> list[str]:
    """How far the grid stays below all settings, what fewer or other ones do, and what bins bring."""
    best = {name: both[WITH] for name, both in found.items()}
    trio, pair = closest(best, columns, 3), closest(best, columns, 2)
    own = {
        ", ".join(few): (regret(best, few), unseen(best, columns, len(few))) for few in (trio, pair)
    }
    return [
        f"Tuned over the grid of a run ({', '.join(grid)}), the joint network stays "
        f"{regret(best, grid):.4f} below the best of all {len(columns)} settings, in the mean over "
        f"{len(found)} tables. Fewer or other settings: "
        + "; ".join(
            f"{few} stay {seen:.4f} below, as many chosen on the other tables {fair:.4f}"
            for few, (seen, fair) in own.items()
        )
        + ".",
        *said_of_bins(found),
    ]


def said_of_bins(found: dict[str, Scores]) -> list[str]:
    """What bins bring at the best setting of each table that has some."""
    gains = {
        name: max(both[WITH].values()) - max(both[WITHOUT].values())
        for name, both in found.items()
        if WITHOUT in both
    }
    if not gains:
        return []
    helped = sum(gain > 0 for gain in gains.values())
    own = student_interval(np.array(list(gains.values())))
    low, high = min(gains, key=gains.__getitem__), max(gains, key=gains.__getitem__)
    return [
        f"Bins bring {interval(own.value, own.low, own.high, digits=3)} over the {len(gains)} tables that "
        f"have any, at the best of all settings of each; more than nothing on {helped}; from "
        f"{gains[low]:+.3f} ({low}) to {gains[high]:+.3f} ({high}).",
    ]


def closest(best: dict[str, dict[str, float]], columns: Sequence[str], size: int) -> Sequence[str]:
    """So many settings that together come closest to all of them."""
    return min(combinations(columns, size), key=lambda few: regret(best, few))


def unseen(best: dict[str, dict[str, float]], columns: Sequence[str], size: int) -> float:
    """Regret of as many settings where those of each table are chosen on the other tables."""
    lacks = []
    for name, own in best.items():
        others = {other: scores for other, scores in best.items() if other != name}
        lacks.append(regret({name: own}, closest(others or best, columns, size)))
    return float(np.mean(lacks))


def regret(best: dict[str, dict[str, float]], grid: Sequence[str]) -> float:
    """Mean over tables of the best score at any setting minus the best within a grid."""
    own = [max(s.values()) - max(s[setting] for setting in grid) for s in best.values()]
    return float(np.mean(own))

"""The optimizer study in words and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cotrain.arrays import Array
from cotrain.figures.plotly_text import label
from cotrain.figures.section import Section
from cotrain.figures.series import Series, series_figure
from cotrain.figures.style import Figure
from cotrain.figures.text import compact, duration, percent, thousands
from cotrain.studies.optimizers import estimates as numbers
from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES
from cotrain.studies.optimizers.findings import CONFLICT, MAGNITUDE, written
from cotrain.studies.optimizers.scores import OptimizerScores

WORST = 50.0  # per cent of Δm; runs beyond are drawn there


def trained(study: OptimizerScores) -> str:
    """What was trained, and what it took."""
    optimizers, methods, rates, seeds, _ = study.valid.shape
    return (
        f"{optimizers} optimizers, {methods} methods of weighting, {rates} learning rates, {seeds} seeds, "
        f"and each of {len(study.tasks)} tasks alone\n{thousands(study.trainings)} trainings in "
        f"{duration(study.seconds)}, {compact(study.examples)} training examples"
    )


def sections(study: OptimizerScores) -> tuple[Section, ...]:
    """Δm, learning rates, gradients, and corruptions where there are images."""
    found = (_delta(study), _rates(study), _gradients(study))
    return (*found, _corruptions(study)) if study.image_sets else found


def _delta(study: OptimizerScores) -> Section:
    places = list(range(len(study.methods)))
    series = [
        Series(
            name=name,
            x=[place + 0.1 * (o - len(study.optimizers) / 2) for place in places],
            y=[study.delta(name, method) for method in study.methods],
            texts=study.methods,
            joined=False,
        )
        for o, name in enumerate(study.optimizers)
    ]
    losses = study.losses
    counts = numbers.fronts(losses.mean(axis=3))
    width = max(len(name) for name in study.methods)
    lines = [
        f"{method:<{width}}  "
        + ", ".join(f"{name} {written(study.delta(name, method))}" for name in study.optimizers)
        for method in study.methods
    ]
    fronts = [
        f"{name} {int(counts[0, o])} {_range(counts[1:, o])}"
        for o, name in enumerate(study.optimizers)
    ]
    delta, others = losses.mean(axis=-1), len(study.methods) - 1
    special = [
        f"{name} {written(numbers.estimate(delta[:, o, 1:].mean(axis=1) - delta[:, o, 0]))}"
        for o, name in enumerate(study.optimizers)
        if others
    ]
    alone = [
        f"{study.optimizers[o]} {written(numbers.estimate(study.alone_losses[:, at].mean(axis=-1)))}"
        for at, o in enumerate(study.lone)
    ]
    lines += [
        f"Pareto-optimal of the tuned runs, of {len(study.methods)} each: {', '.join(fronts)}",
        *([f"other methods less uniform weights, mean: {', '.join(special)}"] if others else []),
        f"each task alone with one optimizer for all: {', '.join(alone)}",
    ]
    drawing = series_figure(series, x_title="", y_title="Δm on test, % (below 0 is better)")
    return Section(
        title=study.title,
        about=study.about,
        text="\n".join(lines),
        drawing=_ticks(drawing, places, study.methods),
    )


def _rates(study: OptimizerScores) -> Section:
    losses = study.valid_losses.mean(axis=-1)  # [O, M, L]
    shown = np.where(np.isfinite(losses), np.minimum(losses, WORST), WORST).mean(axis=1)
    series = [
        Series(name=name, x=study.rates[o].tolist(), y=shown[o].tolist())
        for o, name in enumerate(study.optimizers)
    ]
    near = numbers.near_best(losses).mean(axis=1)
    last = study.rates.shape[1] - 1
    lines = []
    for o, name in enumerate(study.optimizers):
        chosen, edge = study.rates[o][study.chosen[o]], np.isin(study.chosen[o], (0, last)).sum()
        lines.append(
            f"{name}: {percent(near[o])} of the rates within {numbers.NEAR:g} % of the best; chosen "
            f"{chosen.min():.2g} to {chosen.max():.2g}, at an end of the grid for {edge} of "
            f"{len(study.methods)} methods"
        )
    return Section(
        title="Sensitivity to the learning rate",
        about=(
            "Δm on validation at every rate, mean over the methods; failed runs and those above "
            f"{WORST:g} % count as {WORST:g} %. A flat line is easy to tune."
        ),
        text="\n".join(lines),
        drawing=series_figure(
            series,
            x_title="learning rate",
            y_title="Δm on validation, %",
            x_logarithmic=True,
        ),
    )


def _gradients(study: OptimizerScores) -> Section:
    places = list(range(len(study.optimizers)))
    names = ("between tasks, same sample", "between samples, same task")
    means = study.gradients.mean(axis=1)  # [O, 2, 3]
    series = [
        Series(name=f"{what}, {name}", x=places, y=means[:, at, of].tolist(), joined=False)
        for what, of in (("conflicts", CONFLICT), ("magnitude similarity", MAGNITUDE))
        for at, name in enumerate(names)
    ]
    lines = [
        f"{optimizer}: "
        + "; ".join(
            f"{name}: cosine {cosine:+.2f}, conflicts {percent(conflict)}, magnitude similarity {size:.2f}"
            for name, (cosine, conflict, size) in zip(names, means[o], strict=True)
            if np.isfinite(cosine)
        )
        for o, optimizer in enumerate(study.optimizers)
    ]
    drawing = series_figure(series, x_title="", y_title="share, or similarity")
    return Section(
        title="Gradients between tasks and between samples",
        about=(
            "Of the shared parameters under uniform weights at the chosen rate. Samples of one task are "
            "the yardstick: what tasks do no more than samples do is nothing special to many tasks."
        ),
        text="\n".join(lines),
        drawing=_ticks(drawing, places, study.optimizers),
    )


def _corruptions(study: OptimizerScores) -> Section:
    losses = study.corrupted_losses.mean(axis=-1)  # [D, S, C]
    harmed = losses[..., 1:].reshape(*losses.shape[:2], len(CORRUPTIONS), SEVERITIES)
    severities = list(range(SEVERITIES + 1))
    mean = np.concatenate([losses[..., :1], harmed.mean(axis=2)], axis=2)
    overall = Series(
        name="all corruptions",
        x=severities,
        y=[numbers.estimate(mean[..., at]) for at in severities],
    )
    single = [
        Series(name=name, x=severities[1:], y=harmed[0, :, at].mean(axis=0).tolist())
        for at, name in enumerate(CORRUPTIONS)
    ]
    lines = [
        f"{name}: {written(numbers.estimate(harmed[:, :, at].mean(axis=2)), ' %')}"
        for at, name in enumerate(CORRUPTIONS)
    ]
    return Section(
        title="Robustness of the features",
        about=(
            "Δm of features learned together with uniform weights against features of each task alone, on "
            "corrupted test images; encoders frozen, heads refitted on clean images. Below 0 favours "
            "training together; severity 0 are the clean images."
        ),
        text="\n".join(lines),
        drawing=series_figure([overall, *single], x_title="severity", y_title="Δm, %"),
    )


def _range(drawn: Array) -> str:
    """The interval in which 95 % of the drawn counts lie."""
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"[{low:.0f}, {high:.0f}]"


def _ticks(figure: Figure, places: Sequence[int], names: Sequence[str]) -> Figure:
    """Names along the x axis."""
    layout: Any = figure["layout"]
    ticks = {"tickvals": list(places), "ticktext": [label(name) for name in names]}
    return {**figure, "layout": {**layout, "xaxis": {**layout["xaxis"], **ticks}}}

"""The result of the scalarization study, and its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from cotrain.figures.section import Section
from cotrain.figures.series import Series, series_figure
from cotrain.figures.text import compact, duration, percent, shorten, thousands
from cotrain.results import Cost
from cotrain.studies.findings import Finding, written
from cotrain.studies.scalarization.estimates import FEWEST_PAIRS, Estimates
from cotrain.studies.scalarization.findings import findings
from cotrain.studies.study import Study

SIZE = "shared parameters"


@dataclass(frozen=True, kw_only=True)
class ScalarizationStudy(Study):
    """What the study found.

    Args:
        title: Name of the data set.
        sizes: ``[S]`` network sizes, ``WIDTHxDEPTH``, by growing number of parameters.
        parameters: ``[S]`` shared parameters.
        pairs: ``[P]`` names of the two tasks.
        of_pairs: How many pairs there are, of which these were trained.
        weights: ``[W]`` weights of a pair's first task.
        seeds: Of every member.
        estimates: The numbers, with intervals.
        best: ``[S][P]`` weight of the first task with the best validation score.
        conflict: ``[S][P]`` share of conflicting gradients under uniform weights.
        gain: ``[S][P]`` mean validation gain of uniform weights.
        engines: Size → what computed it.
        cost: What all trainings took.
        notes: What the user should know about the data.
    """

    title: str
    sizes: tuple[str, ...]
    parameters: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...]
    of_pairs: int
    weights: tuple[float, ...]
    seeds: int
    estimates: Estimates
    best: tuple[tuple[float, ...], ...]
    conflict: tuple[tuple[float, ...], ...]
    gain: tuple[tuple[float, ...], ...]
    engines: dict[str, str]
    cost: Cost
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The three published findings and what these data say of them."""
        return findings(self.estimates)

    def sections(self) -> tuple[Section, ...]:
        """Gain against size, best weight against size, conflicts against gain."""
        return (_gain(self), _weight(self), _conflict(self))

    def trained(self) -> str:
        """How many pairs, weights, sizes and seeds, and what they took."""
        cost, count = self.cost, len(self.pairs)
        pairs = (
            f"all {count}" if count == self.of_pairs else f"{count} of {thousands(self.of_pairs)}"
        )
        few = "; too few pairs to speak of others than these" if count < FEWEST_PAIRS else ""
        return (
            f"{pairs} pairs of tasks, {len(self.weights) - 2} weights and each task alone, "
            f"{len(self.sizes)} network sizes, {self.seeds} seeds{few}\n{thousands(cost.trainings)} "
            f"trainings in {duration(cost.seconds)}, {compact(cost.examples)} training examples"
        )


def _gain(study: ScalarizationStudy) -> Section:
    found = study.estimates
    named = (
        ("uniform weights", found.uniform_gain),
        ("best constant weights", found.best_gain),
    )
    series = [
        Series(
            name=name,
            x=study.parameters,
            y=own,
            texts=study.sizes,
        )
        for name, own in named
    ]
    lines = [
        f"{size:>8} {compact(parameters):>7} parameters: uniform {written(uniform)}, best {written(best)}"
        for size, parameters, uniform, best in zip(
            study.sizes, study.parameters, found.uniform_gain, found.best_gain, strict=True
        )
    ]
    return Section(
        title="Gain over single-task training against model size",
        about=(
            "Mean test score of pairs less that of each task alone in a network of the same size, with "
            "95 % intervals over pairs, seeds and test rows. The best constant weight of each pair was "
            "chosen on validation."
        ),
        text="\n".join([*lines, str(study.findings[0])]),
        drawing=series_figure(series, x_title=SIZE, y_title="test gain", x_logarithmic=True),
    )


def _weight(study: ScalarizationStudy) -> Section:
    series = [
        Series(name=_name(pair), x=study.parameters, y=[row[at] for row in study.best])
        for at, pair in enumerate(study.pairs)
    ]
    lines = [
        f"{_name(pair)}: {', '.join(f'{row[at]:g}' for row in study.best)}"
        for at, pair in enumerate(study.pairs)
    ]
    return Section(
        title="Best weight against model size",
        about=(
            "The weight of each pair's first task with the best mean validation score; the second task "
            "has the rest."
        ),
        text="\n".join([f"sizes {', '.join(study.sizes)}", *lines, str(study.findings[1])]),
        drawing=series_figure(
            series, x_title=SIZE, y_title="weight of the first task", x_logarithmic=True
        ),
    )


def _conflict(study: ScalarizationStudy) -> Section:
    names = [_name(pair) for pair in study.pairs]
    series = [
        Series(name=size, x=conflict, y=gain, texts=names, joined=False)
        for size, conflict, gain in zip(study.sizes, study.conflict, study.gain, strict=True)
    ]
    shares = [
        f"{size:>8}: {percent(own.value)} of the steps conflict"
        for size, own in zip(study.sizes, study.estimates.conflict, strict=True)
    ]
    return Section(
        title="Conflicting gradients against validation gain",
        about=(
            "A point is a pair at one size, trained with uniform weights. To the right: at what share of "
            "the steps looked at the two tasks' gradients of the shared parameters have a negative cosine. "
            "Upwards: mean validation score less that of each task alone."
        ),
        text="\n".join([*shares, str(study.findings[2])]),
        drawing=series_figure(series, x_title="share of conflicts", y_title="validation gain"),
    )


def _name(pair: tuple[str, str]) -> str:
    return " + ".join(shorten(name, 24) for name in pair)

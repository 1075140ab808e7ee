"""The result of the scale study, and its pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cotrain.figures.section import Section
from cotrain.figures.series import Series, series_figure
from cotrain.figures.text import compact, duration, score, shorten, signed, thousands
from cotrain.studies.findings import Finding, level
from cotrain.studies.scale.estimates import FEWEST_SEEDS, FEWEST_TARGETS, ScaleEstimates
from cotrain.studies.scale.findings import findings
from cotrain.studies.study import Study

NUMBER = "source tasks"


@dataclass(frozen=True, kw_only=True)
class ScaleSet:
    """One set of sources in a result.

    Args:
        name: What it is: its groups, or how many random sources.
        sources: Their names.
        labels: That each keeps for training; all if None.
        score: ``[T]`` mean test score of each target.
        epoch_examples: Rows in an epoch of stage 1.
        epoch_seconds: Wall time of one.
        examples: Rows processed in stage 1.
        seconds: Wall time of stage 1.
    """

    name: str
    sources: tuple[str, ...]
    labels: int | None
    score: tuple[float, ...]
    epoch_examples: float
    epoch_seconds: float
    examples: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ScaleStudy(Study):
    """What the study found.

    Args:
        title: Name of the data set.
        targets: ``[T]`` names.
        related: ``[T]`` each target's related group.
        by_name: ``[T]`` whether it is the target's own; else it was chosen on validation.
        groups: Name → sources.
        sets: ``[X]``; no sources first, then all.
        unions: Union of groups → place in ``sets``.
        sizes: ``[Z]`` numbers of sources in random sets.
        draws: Random sets of every size.
        seeds: Of stage 2.
        examples: Labels of every set where their number is fixed.
        estimates: The numbers, with intervals.
        notes: What the user should know about the data.
    """

    title: str
    targets: tuple[str, ...]
    related: tuple[str, ...]
    by_name: tuple[bool, ...]
    groups: dict[str, tuple[str, ...]]
    sets: tuple[ScaleSet, ...]
    unions: dict[str, int]
    sizes: tuple[int, ...]
    draws: int
    seeds: int
    examples: int
    estimates: ScaleEstimates
    notes: tuple[str, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The published findings and what these data say of them."""
        return findings(self.estimates, self.examples)

    def sections(self) -> tuple[Section, ...]:
        """Score by number of sources, by cost, by target, and the spread over seeds."""
        return (_by_size(self), _by_cost(self), _by_target(self), _spread(self))

    def trained(self) -> str:
        """How many sets, targets and seeds, and what stage 1 took."""
        targets, seconds = len(self.targets), sum(one.seconds for one in self.sets)
        few = targets < FEWEST_TARGETS
        lines = [
            f"{self.sizes[-1]} sources in {len(self.groups)} groups, {len(self.sets) - 1} encoders of "
            f"{self.draws} random order{'s' * (self.draws > 1)} and {len(self.unions)} unions of groups",
            f"{targets} target{'s' * (targets > 1)}, {self.seeds} seeds"
            f"{'; too few targets to speak of others than these' if few else ''}; "
            f"stage 1 took {duration(seconds)}",
        ]
        if few and self.seeds < FEWEST_SEEDS:
            lines.append(
                f"{self.seeds} seeds of so few targets give no intervals, so nothing is decided: use "
                f"--seeds {FEWEST_SEEDS} or more (5 are better)"
            )
        return "\n".join(lines)


def _by_size(study: ScaleStudy) -> Section:
    found, none = study.estimates, study.estimates.score[0]
    fixed = f"{compact(study.examples)} labels in all"
    series = [
        Series(name="all their labels", x=study.sizes, y=found.by_size),
        Series(name=fixed, x=study.sizes, y=found.by_size_fixed),
        Series(name="no sources", x=study.sizes, y=[none.value] * len(study.sizes)),
    ]
    lines = [
        f"{size:>4} random sources: {level(own)}; with {fixed} {level(alike)}"
        for size, own, alike in zip(study.sizes, found.by_size, found.by_size_fixed, strict=True)
    ]
    verdicts = [str(finding) for finding in study.findings[:2]]
    return Section(
        title="Target score against number of sources",
        about=(
            "Mean test score of the targets, fine-tuned from encoders of random sets of sources, with "
            "95 % intervals over targets, sets and seeds. More sources have more labels: the second line "
            "holds their number fixed."
        ),
        text="\n".join([*lines, f"no sources: {level(none)}", *verdicts]),
        drawing=series_figure(series, x_title=NUMBER, y_title="test score", x_logarithmic=True),
    )


def _by_cost(study: ScaleStudy) -> Section:
    places = [0, *dict.fromkeys(study.unions.values())]
    places += [1] if 1 not in places else []
    shown = [(study.sets[x], study.estimates.score[x]) for x in places]
    series = [
        Series(
            name="unions of groups",
            x=[one.examples for one, _ in shown],
            y=[own for _, own in shown],
            texts=[one.name for one, _ in shown],
            joined=False,
        )
    ]
    lines = [f"{shorten(one.name, 40):<40} {level(own)}  {_cost(one)}" for one, own in shown]
    return Section(
        title="Target score against the cost of stage 1",
        about=(
            "A point is an encoder of a union of groups of sources. To the right: training rows that its "
            "stage 1 processed. Seconds of encoders that trained side by side are shared by examples."
        ),
        text="\n".join([*lines, str(study.findings[2])]),
        drawing=series_figure(series, x_title="examples of stage 1", y_title="test score"),
    )


def _by_target(study: ScaleStudy) -> Section:
    none, everything = study.sets[0], study.sets[1]
    own = [study.sets[study.unions[group]] for group in study.related]
    at = range(len(study.targets))
    others = [
        [study.sets[study.unions[g]] for g in study.groups if g != group] for group in study.related
    ]
    gains = {
        "all sources": [everything.score[t] - none.score[t] for t in at],
        "related group": [own[t].score[t] - none.score[t] for t in at],
        "another group": [
            sum(one.score[t] for one in others[t]) / len(others[t]) - none.score[t] for t in at
        ],
    }
    series = [
        Series(name=name, x=list(at), y=values, texts=study.targets, joined=False)
        for name, values in gains.items()
    ]
    chosen = Counter(study.by_name)[False]
    lines = [
        f"{shorten(target, 30):<30} none {score(none.score[t])}, all {signed(gains['all sources'][t])}, "
        f"{shorten(study.related[t], 20)} {signed(gains['related group'][t])}, "
        f"another {signed(gains['another group'][t])}"
        for t, target in enumerate(study.targets)
    ]
    note = [f"the related group of {chosen} targets was chosen on validation"] if chosen else []
    return Section(
        title="Related and mismatched sources, target by target",
        about="Gain in test score over no stage 1: from all sources, the related group, a mean other one.",
        text="\n".join([*lines, *note, str(study.findings[3])]),
        drawing=series_figure(
            series, x_title="target", y_title="gain over no sources", x_names=study.targets
        ),
    )


def _spread(study: ScaleStudy) -> Section:
    found = study.estimates
    series = [
        Series(name="random sources", x=study.sizes, y=found.spread),
        Series(name="no sources", x=study.sizes, y=[found.spread_none.value] * len(study.sizes)),
    ]
    lines = [
        f"{size:>4} random sources: {level(own, 4)}"
        for size, own in zip(study.sizes, found.spread, strict=True)
    ]
    return Section(
        title="Spread over seeds against number of sources",
        about="Standard deviation of the test score over the seeds of stage 2, pooled over targets.",
        text="\n".join([*lines, str(study.findings[4])]),
        drawing=series_figure(
            series, x_title=NUMBER, y_title="standard deviation", x_logarithmic=True
        ),
    )


def _cost(one: ScaleSet) -> str:
    if not one.examples:
        return ""
    count, rows = len(one.sources), thousands(round(one.epoch_examples))
    return (
        f"{count} source{'s' * (count > 1)}, epoch of {rows} rows in "
        f"{duration(one.epoch_seconds)}, {compact(one.examples)} examples in {duration(one.seconds)}"
    )

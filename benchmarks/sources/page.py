"""The page of what each ranker's sources are worth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.common.arrays import Array
from benchmarks.common.files import read_json
from benchmarks.common.markdown import interval, minus, table
from cotrain.stats import interval as resampled

NAMES = ("reviews", "pictures", "assays")
RANKERS = ("linear probe", "lookahead", "gradients", "representation", "sampled")
BUDGETS = ("0.35", "0.2", "0.1")
FIXED = ("none", "all", "all, two passes")
PICKED = {
    f"{by}, {budget.removeprefix('0')}": f"{by} {budget}"
    for budget in BUDGETS
    for by in (*RANKERS, "chance")
}
REPLICATES = 400
Statistic = Callable[[dict[str, float]], float]
ABOUT = """# Choosing sources for a target

`python -m benchmarks sources`. Data, targets, encoder and stage 2 as in
[scale](scale.md). Under a budget of .35, .2 or .1 of pre-finetuning on all sources (taken as six passes,
its own measuring included) each ranker picks sources for a run of two passes; chance picks them at random
and measures nothing. All and single groups are pre-finetuned until early stopping, as published.

- *against the better*: mean test score less that of the better of all sources and the best single group,
  the best by test score, so the yardstick is favoured; within 1 % is −.01 or more.
- in brackets 95 % intervals, which resample targets, three seeds of ranking and stage 1, and five of
  stage 2.
- *compute*: examples processed by measuring and stage 1, as a share of stage 1 on all sources. Of linear
  probes the floating-point operations are counted, in examples of the network.

The length of the brief run and the linear probe were settled on [other targets](brief.md). These targets
have been scored four times in all: under a first rule that picked few sources and trained them until
early stopping (−.029 to −.134), and three times under this one while it was mended (whole sources instead
of rows, .35: −.010; variances of the probe from too few rows: −.005; now). Rankers see all training rows
of a target, stage 2 its 64 or 256.
"""


class Scores:
    """Test scores of one data set, by target and contender ``[seeds of stage 1, seeds of stage 2]``."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found, self.targets = found, found["targets"]
        self.known = ("all", *found["groups"])
        self.test = {
            target: {
                by: np.array([once["scores"][target][by]["test"] for once in found["seeds"]])
                for by in found["seeds"][-1]["scores"][target]
            }
            for target in self.targets
        }

    def compute(self, target: str, by: str) -> float:
        """Share of stage 1 on all sources, over the seeds."""
        shares = []
        for once in self.found["seeds"]:
            measuring = once["picked"][target].get(by, {}).get("measuring", 0.0)
            examples = once["examples"][target]
            shares.append((examples[by] + measuring) / examples["all"])
        return float(np.mean(shares))

    def mean(self, statistic: Statistic) -> str:
        """Of a statistic of the mean scores by contender, over targets, with its interval."""
        value, replicates = self.replicates(statistic)
        return _signed(value, replicates)

    def replicates(self, statistic: Statistic) -> tuple[float, Array]:
        """The value, and ``[replicates]`` of resampled targets and seeds."""
        rng, count = np.random.default_rng(0), len(self.targets)
        first, second = next(iter(self.test[self.targets[0]].values())).shape

        def value(at: Any, one: Any, two: Any) -> float:
            means = [
                {
                    by: float(own[np.ix_(one, two)].mean())
                    for by, own in self.test[self.targets[t]].items()
                }
                for t in at
            ]
            return float(np.mean([statistic(mean) for mean in means]))

        drawn = [
            value(
                rng.integers(0, count, count),
                rng.integers(0, first, first),
                rng.integers(0, second, second),
            )
            for _ in range(REPLICATES)
        ]
        return value(range(count), range(first), range(second)), np.array(drawn)

    def against_the_better(self, by: str) -> Statistic:
        """Score less that of the better of all and the best group."""
        return lambda mean: mean[by] - max(mean[known] for known in self.known)


def page(folder: Path) -> str:
    """Means over the data sets, the rankings themselves, and every data set."""
    read = {name: Scores(read_json(folder / f"sources_{name}.json")) for name in NAMES}
    lines = [ABOUT, *together(read), *rankings(read)]
    for name, scores in read.items():
        lines += by_sources(name, scores)
    return "\n".join(lines) + "\n"


def by_sources(name: str, scores: Scores) -> list[str]:
    """All, groups and picks."""
    family = scores.found["family"]
    related = [scores.test[t][family[t]].mean() for t in scores.targets]
    better = [max(scores.test[t][one].mean() for one in scores.known) for t in scores.targets]
    cost = np.mean([scores.compute(t, family[t]) for t in scores.targets])
    behind = minus(f"{np.mean(related) - np.mean(better):+.3f}")
    rows = [
        *(_row(scores, by, by) for by in FIXED),
        ("the target's own group", f"{np.mean(related):.3f}", behind, f"{cost:.0%}"),
        *(_row(scores, label, by) for label, by in PICKED.items()),
    ]
    head = ("sources", "test score", "against the better", "compute")
    return [f"\n## {name}: {len(scores.targets)} targets\n", *table(head, rows)]


def _row(scores: Scores, label: str, by: str) -> tuple[str, ...]:
    score = np.mean([scores.test[t][by].mean() for t in scores.targets])
    cost = np.mean([scores.compute(t, by) for t in scores.targets])
    against = scores.mean(scores.against_the_better(by))
    return label, f"{score:.3f}", against, f"{cost:.0%}"


def together(found: dict[str, Scores]) -> list[str]:
    """Means over the data sets; their targets and seeds are resampled apart."""
    rows = []
    for label, by in (dict(zip(FIXED, FIXED, strict=True)) | PICKED).items():
        against = _over(found, {name: one.against_the_better(by) for name, one in found.items()})
        cost = np.mean([scores.compute(t, by) for scores in found.values() for t in scores.targets])
        more, budget = "", by.rsplit(" ", 1)[-1]
        if budget in BUDGETS and not by.startswith("chance"):
            more = _over(found, dict.fromkeys(found, _more(by, f"chance {budget}")))
        rows.append((label, against, f"{cost:.0%}", more))
    head = ("sources", "against the better", "compute", "more than chance under the same budget")
    return [f"\n## Mean of {len(found)} data sets\n", *table(head, rows)]


def _more(by: str, base: str) -> Statistic:
    """How much more than another."""
    return lambda mean: mean[by] - mean[base]


def _over(found: dict[str, Scores], statistics: dict[str, Statistic]) -> str:
    parts = [scores.replicates(statistics[name]) for name, scores in found.items()]
    value = float(np.mean([value for value, _ in parts]))
    return _signed(value, np.mean([drawn for _, drawn in parts], axis=0))


def rankings(found: dict[str, Scores]) -> list[str]:
    """Rank correlation with the test scores from each source alone, and what looking costs."""
    rows = [(by, *(_agreement(scores, by) for scores in found.values())) for by in RANKERS]
    return [
        "\n## The rankings themselves\n",
        "Spearman correlation of a ranking with the test scores of encoders of each source alone (eight",
        "passes, one seed of stage 1), mean over targets and three seeds of the ranker; and the share of",
        "pre-finetuning on all sources that it takes.\n",
        *table(("ranker", *found), rows),
    ]


def _agreement(scores: Scores, by: str) -> str:
    """Of one ranker on one data set."""
    agreement, cost = [], []
    for target in scores.targets:
        alone = scores.found["seeds"][0]["scores"][target]
        for once in scores.found["seeds"]:
            picked = once["picked"][target][f"{by} {BUDGETS[0]}"]
            own = picked["ranking"]
            truth = [np.mean(alone[f"only {source}"]["test"]) for source in own]
            agreement.append(spearmanr(list(own.values()), truth).statistic)
            cost.append(picked["measuring"] / once["examples"][target]["all"])
    return f"{minus(f'{np.nanmean(agreement):+.2f}')} at {np.mean(cost):.1%}"


def _signed(value: float, replicates: Array) -> str:
    found = resampled(value, replicates)
    return minus(interval(found.value, found.low, found.high, digits=3))

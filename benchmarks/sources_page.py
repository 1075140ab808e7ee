"""What each ranker's sources are worth, from results/sources_*.json.

python benchmarks/sources_page.py      # writes results/sources.md
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cotrain.result import Interval
from cotrain.statistics import interval

RESULTS = Path(__file__).parent / "results"
NAMES = ("reviews", "pictures", "assays")
RANKERS = ("lookahead", "gradients", "representation", "sampled")
REPLICATES = 1000
Array = NDArray[np.float64]
ABOUT = """# Choosing sources for a target

`python benchmarks/sources.py`, then `sources_page.py`. Data, targets, encoder and stage 2 as in
[scale](scale.md). Each ranker looks at training and validation rows and picks a set under a budget of .35
of pre-finetuning on all sources, its own measuring included; chance is the mean of three random sets under
the same budget, which measure nothing.

- *against the better*: mean test score less that of the better of all sources and the best single group,
  the best by test score, so the yardstick is favoured; within 1 % is −.01 or more.
- *against the best*: less that of the best of everything trained for the target: no sources, all, every
  union of groups, every pick.
- *compute*: examples really processed, by measuring and stage 1, as a share of stage 1 on all sources.

Intervals resample targets and seeds together. Where no source fitted what measuring had left of the budget
(lookahead on assays), the target counts as without sources, and the 27 to 28 % that measuring took are not
in the table. On assays no source of the families ATG and TOX21 fits any budget of .35: each has labels for
41 % of the molecules or more. Rankers see all training rows of a target, stage 2 its 64 or 256.
"""


def table(name: str, found: dict[str, Any]) -> list[str]:
    """A row a contender."""
    targets = found["targets"]
    scores = {
        t: {by: np.array(own["test"]) for by, own in found["scores"][t].items()} for t in targets
    }
    rows = {by: [by] for by in ("none", "all", *RANKERS)}
    rows["chance"] = [by for by in scores[targets[0]] if by.startswith("chance")]
    rows |= {"the target's own group": ["family"]}
    lines = [
        f"\n## {name}: {len(targets)} targets\n",
        "| sources | test score | against the better | against the best | compute |",
        "|---|---|---|---|---|",
    ]
    for label, names in rows.items():
        of = [[_own(found, t, by) for by in names] for t in targets]
        pairs = list(zip(targets, of, strict=True))
        own = np.array([np.mean([scores[t][by] for by in one], axis=0) for t, one in pairs])
        cost = np.mean([[_cost(found, t, by) for by in one] for t, one in pairs])
        numbers = [
            _interval(own, [scores[t] for t in targets], found, which)
            for which in ("score", "better", "best")
        ]
        shown = [f"{numbers[0].value:.3f}", *(_signed(one) for one in numbers[1:])]
        lines.append(f"| {label} | {' | '.join(shown)} | {cost:.0%} |")
    return lines


def _own(found: dict[str, Any], target: str, by: str) -> str:
    if by == "family":
        return str(found["family"][target])
    return by if by in found["scores"][target] else "none"


def _cost(found: dict[str, Any], target: str, by: str) -> float:
    measuring = found["picked"][target].get(by, {}).get("measuring", 0.0)
    examples = found["examples"][target]
    return float((examples[by] + measuring) / examples["all"])


def _interval(
    own: Array, scores: list[dict[str, Array]], found: dict[str, Any], which: str
) -> Interval:
    """Of the mean over targets; the yardstick is chosen anew in every replicate."""
    rng = np.random.default_rng(0)
    targets, seeds = own.shape

    def value(at: NDArray[np.intp], drawn: NDArray[np.intp]) -> float:
        differences = []
        for t in at:
            mean = {by: one[drawn].mean() for by, one in scores[t].items()}
            known = mean if which == "best" else {n: mean[n] for n in ("all", *found["groups"])}
            yardstick = 0.0 if which == "score" else max(known.values())
            differences.append(own[t][drawn].mean() - yardstick)
        return float(np.mean(differences))

    replicates = [
        value(rng.integers(0, targets, targets), rng.integers(0, seeds, seeds))
        for _ in range(REPLICATES)
    ]
    return interval(value(np.arange(targets), np.arange(seeds)), np.array(replicates))


def _signed(found: Interval) -> str:
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}]".replace("-", "−")


if __name__ == "__main__":
    text = [ABOUT]
    for name in NAMES:
        path = RESULTS / f"sources_{name}.json"
        if path.exists():
            text += table(name, json.loads(path.read_text()))
    (RESULTS / "sources.md").write_text("\n".join(text) + "\n")

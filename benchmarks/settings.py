"""Where the default settings come from: the joint network on validation splits, by dropout and rate.

For each data set: 3 seeds of the joint network at each (learning rate, share of the dropout rates), scored
as an ensemble on the validation split. The test split stays sealed.

    python benchmarks/settings.py          # writes benchmarks/results/settings.{json,md}
"""

from __future__ import annotations

import json
from pathlib import Path

from cotrain.run.stages import architecture_of
from precision import ensemble
from tables import SETS

from cotrain.engine.executors.fused import FusedMLPExecutor
from cotrain.engine.member import Member
from cotrain.engine.trained import from_progress
from cotrain.engine.training import start, train_cohort
from cotrain.run.budget import recipe_for

RATES = (1e-3, 3e-3, 5e-3)
SHARES = (0.0, 0.3, 1.0)
SEEDS = 3
NAMES = ("tox21", "emotions", "atp1d", "jura", "slump", "edm", "enb", "andro")
RESULTS = Path(__file__).parent / "results"


def run(name: str) -> dict[str, float]:
    """``rate/share`` → mean validation score of the joint ensemble."""
    development = SETS[name]().development
    architecture = architecture_of(development, None, (256, 256))
    executor = FusedMLPExecutor(architecture.build(0))
    found = {}
    for rate in RATES:
        for share in SHARES:
            members = [
                Member(
                    name="joint",
                    weights=(1.0,) * len(development.tasks),
                    seed=seed,
                    learning_rate=rate,
                    dropout=share,
                )
                for seed in range(SEEDS)
            ]
            progress = train_cohort(
                members,
                start(members, architecture, development),
                executor,
                development,
                recipe_for(len(development.train), seed=0),
            )
            found[f"{rate:g}/{share:g}"] = ensemble(
                from_progress(members, progress, 0.0), development
            )
    return found


def main() -> None:
    found = {name: run(name) for name in NAMES}
    columns = list(next(iter(found.values())))
    lines = [f"| data | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [
        f"| {name} | {' | '.join(f'{own[c]:.3f}' for c in columns)} |"
        for name, own in found.items()
    ]
    (RESULTS / "settings.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "settings.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

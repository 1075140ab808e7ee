"""Where the default settings come from: the joint network on validation splits, by dropout and rate.

For each data set: 3 seeds of the joint network at each (learning rate, share of the dropout rates), scored
as an ensemble on the validation split. The test split stays sealed.

    python -m benchmarks settings          # writes benchmarks/results/settings.{json,md}
"""

from __future__ import annotations

from itertools import product

from benchmarks.common.files import write_json, write_page
from benchmarks.common.markdown import table
from benchmarks.common.networks import ensemble_score, joint_networks
from benchmarks.common.options import Options
from benchmarks.common.table_sets import SETS
from cotrain.engine.tuning import Setting

RATES = (1e-3, 3e-3, 5e-3)
SHARES = (0.0, 0.3, 1.0)
SEEDS = 3
NAMES = ("tox21", "emotions", "atp1d", "jura", "slump", "edm", "enb", "andro")
QUICK_NAMES, QUICK_SEEDS = ("slump",), 1


def run(options: Options) -> None:
    """All settings on all data sets."""
    names, seeds = (QUICK_NAMES, QUICK_SEEDS) if options.quick else (NAMES, SEEDS)
    found = {name: scores(name, seeds) for name in names}
    columns = list(next(iter(found.values())))
    rows = [[name, *(f"{own[c]:.3f}" for c in columns)] for name, own in found.items()]
    write_json(options.out / "settings.json", found)
    write_page(options.out / "settings.md", "\n".join(table(["data", *columns], rows)) + "\n")


def scores(name: str, seeds: int) -> dict[str, float]:
    """``rate/share`` → mean validation score of the joint ensemble."""
    development = SETS[name]().development
    found = {}
    for rate, share in product(RATES, SHARES):
        setting = Setting(learning_rate=rate, dropout=share)
        trained = joint_networks(development, setting, seeds=seeds)
        found[f"{rate:g}/{share:g}"] = ensemble_score(trained, development)
    return found

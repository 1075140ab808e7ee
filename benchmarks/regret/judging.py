"""What plans are worth to those who judge them, the oracle's included."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.common.arrays import Array, Sets
from benchmarks.instruments.judging import mean_and_error
from benchmarks.regret.cases import Case
from benchmarks.regret.methods import RANDOM, SETTLED, Family, Plan, covered
from benchmarks.regret.verdict import Verdict
from cotrain.measure.gains.sets import distinct


def plan_gain(plan: Plan, sets: Sets, test: Array) -> float:
    """Mean over tasks of the gain in the set that serves them."""
    rows = {one.tobytes(): at for at, one in enumerate(sets)}
    return float(np.mean([test[rows[one.tobytes()], t] for t, one in enumerate(plan.served)]))


def judged(case: Case, plans: list[tuple[Plan, tuple[int, ...]]]) -> Verdict:
    """Plans with the judges that took part in deciding."""
    sets = case.views[0].sets
    values = np.array(
        [
            [
                np.nan if judge in seen else plan_gain(plan, sets, test)
                for judge, test in enumerate(case.tests)
            ]
            for plan, seen in plans
        ]
    )
    together = case.tests[:, sets.all(axis=1)].mean(axis=(1, 2))
    counts = [(plan.deciding, plan.in_all, len(distinct(plan.served))) for plan, _ in plans]
    means = map(float, np.mean(counts, axis=0))
    return Verdict(*mean_and_error(values), *mean_and_error(values - together), *means)


def references(case: Case, k: int) -> dict[str, Verdict]:
    """Who knows the test gains, and who validates every set from every seed."""
    view, judges = case.views[0], range(len(case.tests))
    every = len(judges) * len(view.sets)

    def plan(scores: Array) -> Plan:
        return Plan(covered(view, scores, k), every, view.sets)

    found = {"oracle": judged(case, [(plan(case.tests.mean(axis=0)), ())])}
    if len(judges) > 1:
        valid = np.stack([other.valid[0] for other in case.views]).mean(axis=0)
        found[f"every set trained, {len(judges)} seeds"] = judged(case, [(plan(valid), ())])
        others = [tuple(other for other in judges if other != judge) for judge in judges]
        plans = [(plan(case.tests[list(seen)].mean(axis=0)), seen) for seen in others]
        found["oracle by the other seeds' test"] = judged(case, plans)
    return found


def replay(
    case: Case,
    k: int,
    *,
    settled: Sequence[Family] = SETTLED,
    random: Sequence[Family] = RANDOM,
) -> dict[str, Verdict]:
    """Every method on one table; those with random choices are repeated from every view."""
    plans: dict[str, list[tuple[Plan, tuple[int, ...]]]] = {}
    for at, view in enumerate(case.views):
        repeated = at > 0 and len(case.tests) == 1
        for family in random if repeated else (*settled, *random):
            for name, plan in family(view, k):
                plans.setdefault(name, []).append((plan, view.seen[: plan.seeds]))
    return {name: judged(case, own) for name, own in plans.items()} | references(case, k)

"""The oracle of Standley et al. (1905.07553): groups chosen on validation losses, scored on test losses.

A budget of 1 is one network of full size; row 0 of a table has the five half-size single-task networks, at
half the cost. Setting 1 reproduces the published curve; the other settings pin what the tables give.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cotrain.grouping import Constraints, ScoreTable, group_table

FOLDER = Path(__file__).parents[2].parent / "shared/data/gt_taskonomy_standley"
BUDGETS = [1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]
LOSSES = {
    "": [0.50278, 0.46132, 0.45224, 0.44612, 0.44235, 0.43932, 0.43555, 0.43555, 0.43481],
    "_large": [0.35989, 0.35478, 0.31733, 0.3145, 0.30606, 0.3049, 0.3019, 0.3019, 0.30167],
    "_small_data": [
        0.42998,
        0.42275,
        0.40857,
        0.38776,
        0.38352,
        0.38352,
        0.38249,
        0.38249,
        0.38249,
    ],
    "_alt": [0.68404, 0.6787, 0.6746, 0.67107, 0.6697, 0.6697, 0.66899, 0.66899, 0.66899],
}


def table(name: str) -> ScoreTable:
    path = FOLDER / f"results{name}.txt"
    if not path.exists():
        pytest.skip(f"the published tables are not at {FOLDER}")
    cells = [
        (line.split("\t") + [""] * 5)[:5] for line in path.read_text().splitlines() if line.strip()
    ]
    loss = np.array([[float(cell) if cell.strip() else np.nan for cell in row] for row in cells])
    half = np.where(np.eye(5, dtype=bool), loss[0], np.nan)
    loss = np.concatenate([half, loss[1:]])
    cost = np.repeat([0.5, 1.0], [5, len(loss) - 5])
    return ScoreTable.of(sets=np.isfinite(loss), scores=-loss, cost=cost)


@pytest.mark.parametrize("setting", LOSSES)
def test_oracle(setting: str) -> None:
    valid, test = table(setting), table(f"{setting}_test")
    np.testing.assert_array_equal(valid.sets, test.sets)
    found, chosen = [], []
    for budget in BUDGETS:
        plan = group_table(valid, constraints=Constraints(budget=budget))
        assert plan.exact
        assert plan.cost is not None
        assert plan.cost <= budget
        assert plan.rows is not None
        found.append(-sum(test.scores[plan.rows[plan.server[t]], t] for t in range(5)))
        chosen.append(plan.objective)
    np.testing.assert_allclose(found, LOSSES[setting], atol=1e-5)
    assert (np.diff(chosen) >= -1e-12).all()

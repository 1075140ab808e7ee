"""The digits have a known truth: which tasks share strokes, and that coin flips teach nobody.

Each measurement is repeated with three seeds (other coin flips, other images turned, other splits),
because the standard errors of one training run do not know of the others: a single coin-flip source
reaches 3 of them. Bounds are far from what the seeds 0 to 3 gave.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import cotrain
from cotrain import Settings, from_table, infer_schema
from cotrain.data import DIGITS_TARGETS, StratifiedSplit, digits_table
from cotrain.engine.build import build_engine
from cotrain.engine.member import Member
from cotrain.engine.recipe import recipe_for
from cotrain.folder import RunFolder
from cotrain.measure.transference.affinity import Affinity
from cotrain.run.instruments import measure
from cotrain.run.settings import Instrument

SEEDS = 3
COIN = DIGITS_TARGETS.index("random")
OTHERS = [at for at in range(len(DIGITS_TARGETS)) if at != COIN]


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """Affinity averaged over seeds: ``[T, T]``, row = recipient, column = source."""

    mean: NDArray[np.float64]
    error: NDArray[np.float64]

    def strongest(self, recipient: str) -> str:
        """The source that helps a recipient most."""
        return DIGITS_TARGETS[int(np.nanargmax(self.mean[DIGITS_TARGETS.index(recipient)]))]

    def certainty(self, recipient: str, source: str) -> float:
        """The mean effect in standard errors."""
        at = DIGITS_TARGETS.index(recipient), DIGITS_TARGETS.index(source)
        return float(self.mean[at] / self.error[at])


def measured(folder: Path, seed: int) -> Affinity:
    """Lookahead transference of one joint run on all fifteen tasks."""
    table = digits_table(seed)
    schema = infer_schema(table, targets=DIGITS_TARGETS)
    development = from_table(table, schema, StratifiedSplit(), seed).development
    settings = Settings(seed=seed, low_precision=False)
    recipe = recipe_for(len(development.train), seed=seed)
    engine = build_engine(RunFolder(folder), development, recipe, low_precision=False)
    joint = Member(name="joint", weights=(1.0,) * 15, learning_rate=2e-3, dropout=0.3)
    affinity = measure(
        engine, development, joint, frozenset({Instrument.LOOKAHEAD}), settings
    ).affinity
    assert affinity is not None
    return affinity


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Pooled:
    found = [measured(tmp_path_factory.mktemp("digits"), seed) for seed in range(SEEDS)]
    assert [a.tasks for a in found] == [DIGITS_TARGETS] * SEEDS
    errors = np.stack([a.standard_error for a in found])
    return Pooled(
        mean=np.mean([a.mean for a in found], axis=0),
        error=np.sqrt((errors**2).sum(axis=0)) / SEEDS,
    )


def test_coin_flips_help_nobody(pooled: Pooled) -> None:
    effect, error = pooled.mean[OTHERS, COIN], pooled.error[OTHERS, COIN]
    assert (effect / error).max() < 3.5
    assert np.abs(effect).max() < 0.003  # family effects are 0.005 to 0.03
    assert -0.002 < effect.mean() < 0.0004  # they do a little harm


def test_coin_flips_are_the_worst_source_of_all(pooled: Pooled) -> None:
    by_source = np.nanmean(pooled.mean, axis=0)
    assert by_source.argmin() == COIN
    assert (by_source[[DIGITS_TARGETS.index(n) for n in ("even", "at_least_5")]] > 0.004).all()


def test_nobody_helps_coin_flips(pooled: Pooled) -> None:
    assert np.nanmax(np.abs(pooled.mean[COIN])) < 0.0001


@pytest.mark.parametrize(
    ("recipient", "sources"),
    [
        ("closed_loop", {"at_least_5", "is_8", "even", "is_9"}),
        ("at_least_5", {"closed_loop", "is_3"}),
        ("even", {"is_8", "closed_loop", "is_9"}),
        ("is_8", {"even", "closed_loop", "at_least_5"}),
        ("is_3", {"at_least_5", "closed_loop", "even"}),
        ("upside_down", {"even", "is_9", "is_6"}),
    ],
)
def test_families_find_each_other(pooled: Pooled, recipient: str, sources: set[str]) -> None:
    assert pooled.strongest(recipient) in sources


@pytest.mark.parametrize(
    ("one", "other"),
    [("even", "is_8"), ("closed_loop", "is_8"), ("closed_loop", "at_least_5"), ("even", "is_6")],
)
def test_families_help_both_ways(pooled: Pooled, one: str, other: str) -> None:
    assert pooled.certainty(one, other) > 4
    assert pooled.certainty(other, one) > 4


def test_no_contender_predicts_coin_flips(tmp_path: Path) -> None:
    """With 180 test rows the score of a guess has a standard deviation of 0.043."""
    targets = ("is_8", "even", "closed_loop", "random")
    table = digits_table()
    rest = [name for name in DIGITS_TARGETS if name not in targets]
    schema = infer_schema(table, targets=targets, ignore=rest)
    splits = from_table(table, schema, StratifiedSplit(), seed=0)
    settings = Settings(seeds=2, budget=8.0, max_groups=1, low_precision=False)
    result, _ = cotrain.plan(splits, out=tmp_path / "run", settings=settings)
    scores = {task.name: task.test for task in result.tasks}
    assert set(scores["random"]) == {
        *("single", "joint", "groups", "linear", "trees", "extra trees", "equal parts")
    }
    for contender in scores["random"]:
        assert abs(scores["random"][contender] - 0.5) < 0.13
        assert min(scores[name][contender] for name in ("is_8", "even", "closed_loop")) > 0.93

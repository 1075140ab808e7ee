"""From measurements to the models that are trained: who decides, what is kept, what else there was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cotrain import InputError, Settings
from cotrain.folder import RunFolder
from cotrain.grouping import Constraints, group_tasks
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gains.gains import Gains
from cotrain.measure.transference.affinity import Affinity
from cotrain.results import Cost
from cotrain.run.decision import Decision, decide, demands, propose, steadiness
from cotrain.run.measured import Measured
from cotrain.run.settings import Instrument
from cotrain.run.summary import grouping_summary

NAMES = ("a", "b", "c", "d")
LIMITS = Constraints(max_groups=2, names=NAMES)


def affinity(mean: list[list[float]], error: float = 0.01) -> Affinity:
    matrix = np.array(mean, dtype=float)
    np.fill_diagonal(matrix, np.nan)
    return Affinity(
        tasks=NAMES[: len(matrix)],
        mean=matrix,
        standard_error=np.full_like(matrix, error),
        first_order=matrix,
        halves=np.stack([matrix, matrix]),
        probes=9,
        method="by hand",
    )


PAIRS = affinity([[0, 1, -1, -1], [1, 0, -1, -1], [-1, -1, 0, 1], [-1, -1, 1, 0]])
COST = Cost(trainings=1, examples=1, seconds=1.0)


def measured(**found: object) -> Measured:
    nothing = dict.fromkeys(("gradients", "datamap", "gains", "sampling"))
    facts = {"affinity": PAIRS, "joint_run": COST, **nothing, **found}
    return Measured(**facts)  # type: ignore[arg-type]


def gains() -> Gains:
    """a and c gain 1 if together, b and d likewise; others lose 1 for every stranger."""
    known = Gains.empty(NAMES)
    sets = np.array(
        [[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]], dtype=bool
    )
    pair = np.array([2, 3, 0, 1])
    gain = sets[:, pair] * 1.0 - (sets.sum(axis=1, keepdims=True) - 1 - sets[:, pair])
    return known.extended(sets, np.where(sets, gain, np.nan))


def datamap() -> object:
    """a, b, c are learned alike, d never."""
    maps = DataMaps(NAMES, rows=6)
    for confidence in (0.5, 0.8, 0.9):
        values = np.array(
            [[confidence] * 6, [confidence - 0.05] * 6, [confidence - 0.03] * 6, [0.4] * 6]
        )
        maps.record(np.arange(6), values, values > 0.5)
        maps.end_epoch()
    return maps.result()


def test_transference_decides_unless_sets_were_trained() -> None:
    by_transference = propose(measured(), None, LIMITS)
    assert (by_transference.by, by_transference.membership.groups) == (
        Instrument.LOOKAHEAD,
        ((0, 1), (2, 3)),
    )
    by_gains = propose(measured(gains=gains(), sampling=COST), None, LIMITS)
    assert (by_gains.by, by_gains.membership.groups) == (Instrument.SAMPLED, ((0, 2), (1, 3)))
    asked = propose(measured(gains=gains(), sampling=COST), Instrument.LOOKAHEAD, LIMITS)
    assert asked.membership == by_transference.membership


def test_gradients_decide_if_asked() -> None:
    cosine = np.full((4, 4), -0.5)
    cosine[[0, 3], [3, 0]] = cosine[[1, 2], [2, 1]] = 0.5
    found = propose(
        measured(gradients=SimpleNamespace(cosine=cosine)), Instrument.GRADIENTS, LIMITS
    )
    assert found.membership.groups == ((0, 3), (1, 2))


def test_data_maps_give_soft_clusters() -> None:
    found = propose(measured(datamap=datamap()), Instrument.DATAMAP, LIMITS)
    assert sorted(found.membership.groups) == [(0, 1, 2), (3,)]
    solo = found.membership.groups.index((3,))
    assert [row[solo] for row in found.membership.shares] == [0, 0, 0, 1]
    assert found.membership.weights[solo] == (0, 0, 0, 1)
    assert np.isnan(found.bound)
    assert not found.exact
    assert [each.models for each in found.alternatives] == [2]
    assert found.objective == found.alternatives[0].objective > 0.6


@pytest.mark.parametrize("by", [Instrument.GRADIENTS, Instrument.SAMPLED, Instrument.DATAMAP])
def test_what_was_not_measured_cannot_decide(by: Instrument) -> None:
    with pytest.raises(InputError, match=f"{by} was not measured: measure again with --with {by}"):
        propose(measured(), by, LIMITS)


def test_alternatives_are_the_best_for_every_number_of_models() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 4))
    found = propose(measured(affinity=affinity(z.tolist())), None, LIMITS)
    best = [group_tasks(z, max_groups=k) for k in range(1, 5)]
    expected = [(k + 1, b.objective, b.bound) for k, b in enumerate(best)]
    assert [(a.models, a.objective, a.bound) for a in found.alternatives] == expected
    assert found.objective == best[1].objective


def test_alternatives_end_where_models_stay_unused() -> None:
    found = propose(measured(), None, replace(LIMITS, max_groups=1))
    assert [each.models for each in found.alternatives] == [1, 2, 3]
    assert [each.objective for each in found.alternatives] == pytest.approx([-1 / 3, 1, 1])


@pytest.mark.parametrize("by", [Instrument.LOOKAHEAD, Instrument.SAMPLED])
def test_demands_are_kept_by_every_instrument(by: Instrument) -> None:
    everything = measured(gains=gains(), sampling=COST)
    limits = replace(LIMITS, together=((0, 3),), apart=((1, 2),), max_groups=3)
    found = propose(everything, by, limits)
    for group in found.membership.groups:
        assert (0 in group) == (3 in group)
        assert not {1, 2} <= set(group)
    assert {t for group in found.membership.groups for t in group} == set(range(4))
    models = [each.models for each in found.alternatives]
    assert models[0] == 2  # one model cannot keep 1 and 2 apart


def test_many_tasks_keep_demands_on_gains() -> None:
    names = tuple(f"t{at}" for at in range(14))
    rng = np.random.default_rng(1)
    sets = rng.random((20, 14)) < 0.4
    sets[:, :2] = True
    known = Gains.empty(names).extended(sets, np.where(sets, rng.normal(size=sets.shape), np.nan))
    everything = measured(gains=known, sampling=COST)
    limits = Constraints(max_groups=3, apart=((0, 1),), max_size=6, names=names)
    found = propose(everything, Instrument.SAMPLED, limits)
    assert all(len(g) <= 6 and not {0, 1} <= set(g) for g in found.membership.groups)
    assert all(t in found.membership.group_of(t) for t in range(14))


def test_data_maps_keep_no_demands() -> None:
    limits = replace(LIMITS, apart=((0, 1),))
    with pytest.raises(InputError, match="no demand but the number of groups"):
        propose(measured(datamap=datamap()), Instrument.DATAMAP, limits)
    settings = Settings(group_by=Instrument.DATAMAP, apart=(("a", "b"),))
    with pytest.raises(InputError, match="no demand but the number of groups"):
        demands(NAMES, settings)


def test_demands_are_refused_before_training() -> None:
    with pytest.raises(InputError, match="there is no task 'e'"):
        demands(NAMES, Settings(apart=(("a", "e"),)))
    with pytest.raises(InputError, match="must be apart, but together holds them"):
        demands(NAMES, Settings(apart=(("a", "b"),), together=(("a", "b"),)))
    assert demands(NAMES, Settings(max_groups=2, apart=(("a", "d"),))).apart == ((0, 3),)


def test_a_decision_is_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    first = decide(folder, measured(), None, LIMITS)
    again = decide(folder, measured(affinity=affinity(np.zeros((4, 4)).tolist())), None, LIMITS)
    assert again == first
    assert isinstance(again, Decision)
    assert again.membership.groups == ((0, 1), (2, 3))


def test_the_summary_names_tasks_and_weights() -> None:
    decision = propose(measured(datamap=datamap()), Instrument.DATAMAP, LIMITS)
    found = grouping_summary(decision, NAMES)
    assert {group.tasks: group.weights for group in found.groups} == {
        ("a", "b", "c"): (1.0, 1.0, 1.0),
        ("d",): (1.0,),
    }
    assert (found.decided_by, found.unit) == ("data maps", "mean silhouette of the clusters")


def test_steadiness_knows_sure_pairs_from_unsure() -> None:
    sure, unsure = steadiness(PAIRS, LIMITS), steadiness(affinity([[0.0] * 4] * 4, 1.0), LIMITS)
    assert sure is not None
    assert unsure is not None
    assert sure.together[0, 1] == 1.0
    assert 0.05 < unsure.together[0, 1] < 0.95
    assert steadiness(affinity([[0.0]]), LIMITS) is None

"""Bookkeeping of lookaheads: which samples are known, groups, steps, and going on after a stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cotrain.engine.directions import Dense, Directions
from cotrain.errors import InputError
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead, known_pairs
from cotrain.measure.transference.steps import OwnStep, PlainStep

NAN = float("nan")


class Quadratic:
    """Losses |w − c_t|² / 2 of a single point w: everything is known in closed form."""

    def __init__(self, centres: Tensor, at: Tensor, present: Sequence[bool] | None = None) -> None:
        self.step = 3
        self._centres, self._at = centres, at
        self.present = torch.tensor(present or [True] * len(centres))
        self.labelled = self.present.unsqueeze(1)
        self.losses = ((at - centres) ** 2).sum(dim=1) / 2
        self.moves: list[Directions] = []

    def task_gradients(self) -> Dense:
        slopes = torch.where(self.present.unsqueeze(1), self._at - self._centres, 0.0)
        return Dense(tensors={"w": slopes})

    def example_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Dense:
        raise NotImplementedError

    def losses_after(self, moves: Directions) -> Tensor:
        self.moves.append(moves)
        moved = self._at + moves.dense().tensors["w"]
        after = ((moved.unsqueeze(1) - self._centres) ** 2).sum(dim=2) / 2
        return torch.where(self.present, after, NAN)

    def own_step(self, gradients: Directions) -> Dense:
        return gradients.dense().scaled(-0.5)


def point(seed: int = 0, tasks: int = 3, present: Sequence[bool] | None = None) -> Quadratic:
    draw = torch.Generator().manual_seed(seed)
    centres = torch.randn(tasks, 2, generator=draw, dtype=torch.float64)
    return Quadratic(centres, torch.randn(2, generator=draw, dtype=torch.float64), present)


def closed_form(at: Quadratic, sources: Tensor, size: float) -> tuple[Tensor, Tensor]:
    """1 − |w − ηg − c|²/|w − c|² and η⟨g_j, g⟩/L_j."""
    own = at._at - at._centres
    g = sources.double() @ own
    after = ((own.unsqueeze(1) - size * g) ** 2).sum(dim=2)
    before = (own**2).sum(dim=1, keepdim=True)
    return 1 - after / before, size * own @ g.T / (before / 2)


@pytest.mark.parametrize(("step", "size"), [(PlainStep(size=0.2), 0.2), (OwnStep(), 0.5)])
def test_tasks_and_groups_in_closed_form(step: Any, size: float) -> None:
    at = point()
    groups = [(0, 2), (1,), (0, 1, 2)]
    lookahead = Lookahead(tasks="abc", groups=groups, step=step)
    lookahead.probe(at)
    sources = torch.tensor(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [0, 1, 0], [1, 1, 1]], dtype=torch.float64
    )
    exact, slope = closed_form(at, sources, size)
    np.testing.assert_allclose(lookahead.exact[0], exact.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(lookahead.first_order[0], slope.numpy(), rtol=1e-5, atol=1e-6)
    first = FirstOrder(tasks="abc", step=step)
    first.probe(at)
    np.testing.assert_allclose(first.samples[0], slope[:, :3].numpy(), rtol=1e-5, atol=1e-6)
    assert len(at.moves) == 1  # first order never looks again


def test_means_over_probes_in_closed_form() -> None:
    points = [point(seed) for seed in range(4)]
    lookahead = Lookahead(tasks="abc", groups=[(0, 1)])
    for at in points:
        lookahead.probe(at)
    sources = torch.cat([torch.eye(3), torch.tensor([[1.0, 1.0, 0.0]])])
    samples = torch.stack([closed_form(at, sources, 0.1)[0] for at in points]).numpy()
    off = ~np.eye(3, dtype=bool)
    affinity, groups = lookahead.affinity(), lookahead.group_transference()
    expected = samples.mean(axis=0)
    np.testing.assert_allclose(affinity.mean[off], expected[:, :3][off], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(groups.mean[:, 0], expected[:, 3], rtol=1e-5, atol=1e-6)
    halves = samples.reshape(2, 2, 3, 4).mean(axis=1)  # stretches of two probes
    error = np.abs(halves[0] - halves[1]) / 2
    np.testing.assert_allclose(affinity.standard_error[off], error[:, :3][off], rtol=1e-3)
    np.testing.assert_allclose(groups.standard_error[:, 0], error[:, 3], rtol=1e-3)
    assert affinity.probes == groups.probes == 4


def test_an_absent_task_is_unknown_as_recipient_source_and_member() -> None:
    lookahead = Lookahead(tasks="abc", groups=[(0, 2), (0, 1)])
    lookahead.probe(point(present=[True, False, True]))
    known = [[True, False, True, True, False], [False] * 5, [True, False, True, True, False]]
    assert np.isfinite(lookahead.exact[0]).tolist() == known
    assert np.isfinite(lookahead.first_order[0]).tolist() == known


def test_a_probe_without_a_task_does_not_count_in_its_mean() -> None:
    lookahead = Lookahead(tasks="abc")
    lookahead.probe(point(0))
    alone = lookahead.affinity().mean
    lookahead.probe(point(1, present=[True, False, True]))
    both = lookahead.affinity().mean
    assert both[0, 1] == alone[0, 1]
    assert both[1, 2] == alone[1, 2]
    assert both[0, 2] != alone[0, 2]


def test_known_pairs() -> None:
    losses = torch.tensor([1.0, 0.0, NAN, 2.0])
    sources = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1]])
    assert known_pairs(losses, sources).tolist() == [
        [True, True, False, False, True],
        [False] * 5,
        [False] * 5,
        [True, True, False, False, True],
    ]


@pytest.mark.parametrize("poison", [NAN, float("inf"), -float("inf")])
def test_a_loss_that_is_not_finite_is_refused_before_anything_is_kept(poison: float) -> None:
    at = point()
    at.losses[1] = poison
    lookahead = Lookahead(tasks=["a", "it's", "c"])
    with pytest.raises(InputError, match=f'the loss of task "it\'s" is {poison} at step 3: '):
        lookahead.probe(at)
    assert not lookahead.exact
    assert not lookahead.first_order
    assert not at.moves


def test_the_loss_of_an_absent_task_is_not_read() -> None:
    at = point(present=[True, False, True])
    at.losses[1] = NAN
    lookahead = Lookahead(tasks="abc")
    lookahead.probe(at)
    assert np.isfinite(lookahead.exact[0][[0, 2]][:, [0, 2]]).all()


def test_a_step_so_long_that_losses_overflow_counts_as_a_thousandfold_loss() -> None:
    lookahead = Lookahead(tasks="abc", step=PlainStep(size=1e30))
    lookahead.probe(point())
    lookahead.step = PlainStep(size=0.1)
    lookahead.probe(point(1))
    alone = Lookahead(tasks="abc")
    alone.probe(point(1))
    found = lookahead.affinity().mean
    np.testing.assert_allclose(found, (alone.affinity().mean - 999) / 2, rtol=1e-6)


def test_methods_say_which_step() -> None:
    assert Lookahead(tasks="ab").affinity().method == "lookahead, plain SGD step of 0.1"
    assert FirstOrder(tasks="ab").affinity().method == "first order, plain SGD step of 0.1"
    own = Lookahead(tasks="ab", groups=[(0, 1)], step=OwnStep())
    assert own.group_transference().method == "lookahead, the optimizer's own step"


def test_no_probe_gives_unknown_groups() -> None:
    found = Lookahead(tasks="abc", groups=[(0, 1), (2,)]).group_transference()
    assert found.mean.shape == (3, 2)
    assert np.isnan(found.mean).all()
    assert found.probes == 0


def test_instruments_do_not_share_their_samples() -> None:
    one, other = Lookahead(tasks="abc"), Lookahead(tasks="abc")
    one.probe(point())
    assert not other.exact


LOOKAHEADS: dict[str, Callable[[], Lookahead]] = {
    "lookahead": lambda: Lookahead(tasks="abc"),
    "groups": lambda: Lookahead(tasks="abc", groups=[(0, 1), (2,)]),
}


@pytest.mark.parametrize("name", LOOKAHEADS)
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_going_on_from_a_saved_state_equals_never_stopping(name: str, stop: int) -> None:
    whole, before, after = (LOOKAHEADS[name]() for _ in range(3))
    for seed in range(4):
        whole.probe(point(seed, present=[True, seed != 2, True]))
    for seed in range(stop):
        before.probe(point(seed, present=[True, seed != 2, True]))
    after.load_state({key: array.copy() for key, array in before.state().items()})
    for seed in range(stop, 4):
        after.probe(point(seed, present=[True, seed != 2, True]))
    a, b = whole.affinity(), after.affinity()
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.standard_error, b.standard_error)
    np.testing.assert_array_equal(a.first_order, b.first_order)
    assert a.probes == b.probes == 4
    if name == "groups":
        np.testing.assert_array_equal(
            whole.group_transference().mean, after.group_transference().mean
        )


@pytest.mark.parametrize("stop", [0, 1, 2, 5])
def test_gradients_go_on_from_a_saved_state(stop: int) -> None:
    def fill(made: Gradients, probes: range) -> None:
        for at in probes:
            draw = np.random.default_rng(at)
            found = draw.normal(size=(3, 4)).astype(np.float32)
            made.grams.append(found @ found.T)
            made.between_tasks.append(draw.normal(size=(at, 2)))  # none in the first
            made.between_samples.append(draw.normal(size=(3 - at % 3, 2)))
            if at % 2:
                made.end_epoch()

    whole, before, after = (Gradients(tasks="abc") for _ in range(3))
    fill(whole, range(5))
    fill(before, range(stop))
    after.load_state({key: array.copy() for key, array in before.state().items()})
    fill(after, range(stop, 5))
    a, b = whole.similarity(), after.similarity()
    for name in ("cosine", "conflict_error", "norms", "batches", "inter_task", "inter_sample"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.batches.shape[0] == 3

"""Points of a user's own loop against closed forms and finite differences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.model_point import ModelPoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep, PlainStep

NAMES = ["a", "b", "c"]


class Two(nn.Module):
    """Shared f = w·x with w = (1, 2); heads 2f, −f and f, which train too but never move here.

    Task 0: y = (1, 3), residuals (1, 1), L = 1/2, g = (1, 1).
    Task 1: y = (1, 0), residuals (−2, −2), L = 2, g = (1, 1).
    Task 2: y = (4, unlabelled), residual −3, L = 9/2, g = (−3, 0).
    """

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(2, 1, bias=False)
        self.heads = nn.Parameter(torch.tensor([[2.0], [-1.0], [1.0]]))
        self.place()

    def place(self) -> None:
        with torch.no_grad():
            self.shared.weight.copy_(torch.tensor([[1.0, 2.0]]))

    def single(self) -> Tensor:
        """``[3, 2]`` losses; what is under the mask is rubbish."""
        y = torch.tensor([[1.0, 3.0], [1.0, 0.0], [4.0, 1e6]])
        return 0.5 * (self.heads * self.shared(torch.eye(2)).T - y) ** 2


LABELLED = torch.tensor([[True, True], [True, True], [True, False]])
EXACT = [
    [9 / 25, 9 / 25, -39 / 50],
    [39 / 400, 39 / 400, -129 / 800],
    [-61 / 900, -61 / 900, 19 / 100],
]
FIRST = [[2 / 5, 2 / 5, -3 / 5], [1 / 10, 1 / 10, -3 / 20], [-1 / 15, -1 / 15, 1 / 5]]


def close(found: object, expected: object) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-5, atol=1e-6)


def test_single_losses_with_a_mask_of_cells() -> None:
    net = Two()
    lookahead = Lookahead(tasks=NAMES)
    first = FirstOrder(tasks=NAMES)
    point = ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED, step=7)
    lookahead.probe(point)
    first.probe(point)
    assert point.step == 7
    assert point.present.tolist() == [True, True, True]
    close(point.losses, [1 / 2, 2, 9 / 2])
    close(point.task_gradients().tensors["weight"], [[[1, 1]], [[1, 1]], [[-3, 0]]])
    close(lookahead.exact[0], EXACT)
    close(lookahead.first_order[0], FIRST)
    close(first.samples[0], FIRST)
    affinity = lookahead.affinity()
    off = ~np.eye(3, dtype=bool)
    close(affinity.mean[off], np.array(EXACT)[off])
    assert np.isnan(affinity.mean.diagonal()).all()
    assert affinity.agreement == pytest.approx(1.0)
    assert np.isnan(first.affinity().mean).sum() == 3
    assert np.isnan(first.affinity().agreement)
    close(first.affinity().mean[off], np.array(FIRST)[off])


def test_single_losses_with_a_mask_of_tasks() -> None:
    """Task 2 is left out; the other two are whole."""
    net = Two()
    lookahead = Lookahead(tasks=NAMES)
    mask = torch.tensor([True, True, False])
    lookahead.probe(ModelPoint(net.single, model=net, shared=net.shared, mask=mask))
    close(lookahead.exact[0][:2, :2], np.array(EXACT)[:2, :2])
    assert np.isnan(lookahead.exact[0][2]).all()
    assert np.isnan(lookahead.exact[0][:, 2]).all()
    assert np.isnan(lookahead.first_order[0][2]).all()


@pytest.mark.parametrize("masked", [True, False])
def test_mean_losses(masked: bool) -> None:
    """``[T]`` from the user, who takes the masked mean; a masked task may say anything."""
    net = Two()

    def losses() -> Tensor:
        single = net.single()
        return torch.stack([single[0].mean(), single[1].mean(), single[2, 0]])

    mask = torch.tensor([True, True, not masked])
    lookahead = Lookahead(tasks=NAMES)
    lookahead.probe(ModelPoint(losses, model=net, shared=net.shared, mask=mask))
    seen = 2 if masked else 3
    close(lookahead.exact[0][:seen, :seen], np.array(EXACT)[:seen, :seen])
    close(lookahead.first_order[0][:seen, :seen], np.array(FIRST)[:seen, :seen])
    assert np.isfinite(lookahead.exact[0]).sum() == seen**2


def test_no_mask_means_all_labelled() -> None:
    """Task 2 unmasked has residuals −3 and 2 − 10⁶; its mean loss is their half squares' mean."""
    net = Two()
    point = ModelPoint(net.single, model=net, shared=net.shared)
    assert point.labelled.all()
    assert float(point.losses[2]) == pytest.approx((9 + (1e6 - 2) ** 2) / 4)


def test_a_group_steps_along_the_sum_of_gradients() -> None:
    """Tasks 0 and 1: g = (2, 2), w = (4/5, 9/5), residuals 3/5, −9/5 and −16/5:
    Z = 1 − 9/25, 1 − 81/100, 1 − (16/5)²/9. All three: g = (−1, 2), w = (11/10, 9/5),
    residuals (6/5, 3/5), (−21/10, −9/5), −29/10.
    """
    net = Two()
    lookahead = Lookahead(tasks=NAMES, groups=[(0, 1), (0, 1, 2), (2,)])
    lookahead.probe(ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED))
    found = lookahead.group_transference()
    everyone = [
        1 - ((6 / 5) ** 2 + (3 / 5) ** 2) / 2,
        1 - ((21 / 10) ** 2 + (9 / 5) ** 2) / 8,
        1 - (29 / 10) ** 2 / 9,
    ]
    close(found.mean[:, 0], [16 / 25, 19 / 100, -31 / 225])
    close(found.mean[:, 1], everyone)
    close(found.mean[:, 2], np.array(EXACT)[:, 2])
    # to first order the effects add up
    close(found.first_order[:, 0], np.array(FIRST)[:, :2].sum(axis=1))
    close(found.first_order[:, 1], np.array(FIRST).sum(axis=1))
    assert (found.groups, found.probes) == (((0, 1), (0, 1, 2), (2,)), 1)
    assert np.isnan(found.standard_error).all()
    close(lookahead.affinity().mean[0, 1], EXACT[0][1])


def test_own_step_of_momentum_by_hand() -> None:
    """Velocity (1, 0) from before. Source 0: v = 0.9·(1, 0) + (1, 1) = (1.9, 1), w = (0.81, 1.9)."""
    net = Two()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net.shared.weight.grad = torch.tensor([[1.0, 0.0]])
    net.heads.grad = torch.zeros_like(net.heads)
    optimizer.step()
    net.place()
    lookahead = Lookahead(tasks=NAMES, step=OwnStep())
    point = ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED, optimizer=optimizer)
    lookahead.probe(point)
    close(
        lookahead.exact[0][:, 0],
        [1 - (0.62**2 + 0.8**2) / 2, 1 - (1.81**2 + 1.9**2) / 8, 1 - 3.19**2 / 9],
    )
    close(lookahead.first_order[0][:, 0], [0.29 / 0.5, 0.29 / 2, -0.57 / 4.5])
    # source 2: v = (0.9 − 3, 0), w = (1.21, 2): residuals (1.42, 1), (−2.21, −2), −2.79
    close(
        lookahead.exact[0][:, 2],
        [1 - (1.42**2 + 1) / 2, 1 - (2.21**2 + 4) / 8, 1 - 2.79**2 / 9],
    )
    assert lookahead.affinity().method == "lookahead, the optimizer's own step"


def test_own_step_of_a_fresh_adam_is_the_sign() -> None:
    """Source 0 as a plain step of 1/10; source 2 moves w to (1.1, 2)."""
    net = Two()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    lookahead = Lookahead(tasks=NAMES, step=OwnStep())
    point = ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED, optimizer=optimizer)
    lookahead.probe(point)
    close(lookahead.exact[0][:, :2], np.array(EXACT)[:, :2])
    close(
        lookahead.exact[0][:, 2],
        [1 - (1.2**2 + 1) / 2, 1 - (2.1**2 + 4) / 8, 1 - 2.9**2 / 9],
    )


def test_own_step_of_a_used_adam_by_hand() -> None:
    """One step with (2, 1) before: m = (0.2, 0.1), v = (0.004, 0.001)."""
    net = Two()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    net.shared.weight.grad = torch.tensor([[2.0, 1.0]])
    optimizer.step()
    net.place()
    point = ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED, optimizer=optimizer)
    moves = point.own_step(point.task_gradients()).tensors["weight"]
    for source, g in enumerate([(1, 1), (1, 1), (-3, 0)]):
        for axis, (m, v) in enumerate([(0.2, 0.004), (0.1, 0.001)]):
            mean = (0.9 * m + 0.1 * g[axis]) / (1 - 0.9**2)
            square = (0.999 * v + 0.001 * g[axis] ** 2) / (1 - 0.999**2)
            expected = -0.1 * mean / (np.sqrt(square) + 1e-8)
            assert float(moves[source, 0, axis]) == pytest.approx(expected, rel=1e-5)


def test_own_step_knows_the_parameter_groups() -> None:
    """The encoder's own rate and decay: −0.5·(g + 0.1·w)."""
    net = Two()
    optimizer = torch.optim.SGD(
        [
            {"params": [net.heads], "lr": 9.0},
            {"params": net.shared.parameters(), "weight_decay": 0.1},
        ],
        lr=0.5,
    )
    point = ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED, optimizer=optimizer)
    moves = point.own_step(point.task_gradients()).tensors["weight"]
    close(moves[0], [[-0.5 * 1.1, -0.5 * 1.2]])
    close(moves[2], [[-0.5 * -2.9, -0.5 * 0.2]])


def test_gradient_similarity_by_hand() -> None:
    """Gradients (1, 1), (1, 1), (−3, 0): cosine with the third −3/(√2·3), magnitudes 2√18/(2 + 9).

    Single cells: rows are orthogonal; in row 0 tasks have (2, 0), (2, 0), (−3, 0).
    """
    net = Two()
    gradients = Gradients(tasks=NAMES)
    gradients.probe(ModelPoint(net.single, model=net, shared=net.shared, mask=LABELLED))
    found = gradients.similarity()
    c, m = -1 / np.sqrt(2), 2 * np.sqrt(18) / 11
    nan = np.nan
    close(found.cosine, [[nan, 1, c], [1, nan, c], [c, c, nan]])
    close(found.magnitude, [[nan, 1, m], [1, nan, m], [m, m, nan]])
    close(found.conflict, [[nan, 0, 1], [0, nan, 1], [1, 1, nan]])
    close(found.norms, [[np.sqrt(2), np.sqrt(2), 3]])
    # same sample: row 0 gives (1, 1), (−1, 12/13), (−1, 12/13), row 1 gives (1, 1)
    cosines, sizes = np.array([1.0, -1, -1, 1]), np.array([1, 12 / 13, 12 / 13, 1])
    for what, values in enumerate((cosines, sizes)):
        close(found.inter_task[0, what, :2], [values.mean(), values.std(ddof=1)])
        close(found.inter_task[0, what, 2:4], np.percentile(values, [2.5, 97.5]))
    assert found.inter_task[0, 0, 4] == 0.5
    close(found.inter_sample[0], [[0, 0, 0, 0, 0], [1, 0, 1, 1, nan]])


# The smooth case, in double.


class Smooth(nn.Module):
    """Three tasks on a tanh network."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh())
        self.heads = nn.Linear(4, 3)
        self.double()
        self.x = torch.randn(10, 3, dtype=torch.float64)
        self.y = torch.randn(3, 10, dtype=torch.float64)
        self.mask = torch.rand(3, 10) > 0.2

    def losses(self) -> Tensor:
        return (self.heads(self.encoder(self.x)).T - self.y) ** 2

    def point(self) -> ModelPoint:
        return ModelPoint(self.losses, model=self, shared=self.encoder, mask=self.mask)

    def means(self) -> Tensor:
        with torch.no_grad():
            return (self.losses() * self.mask).sum(dim=1) / self.mask.sum(dim=1)


def test_a_double_model_is_measured_in_double() -> None:
    point = Smooth().point()
    assert point.losses.dtype == torch.float64
    gradients = point.task_gradients()
    assert {tensor.dtype for tensor in gradients.tensors.values()} == {torch.float64}
    assert gradients.inner(gradients).dtype == torch.float64
    assert point.losses_after(gradients.mix(torch.eye(3))).dtype == torch.float64


def test_first_order_equals_central_differences() -> None:
    net, h = Smooth(), 1e-4
    first = FirstOrder(tasks=NAMES, step=PlainStep(size=0.1))
    first.probe(net.point())
    before = net.means()
    gradients = net.point().task_gradients()
    inner = gradients.inner(gradients)
    start = {name: p.detach().clone() for name, p in net.encoder.named_parameters()}
    for source in range(3):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                for name, p in net.encoder.named_parameters():
                    p.copy_(start[name] + sign * h * gradients.tensors[name][source])
            ends.append(net.means())
        slope = (ends[0] - ends[1]) / (2 * h)
        torch.testing.assert_close(inner[:, source], slope, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(
            first.samples[0][:, source], (0.1 * slope / before).numpy(), rtol=2e-7
        )


@pytest.mark.parametrize("step", ["plain", "own"])
def test_exact_minus_first_order_falls_with_the_square_of_the_step(step: str) -> None:
    apart = []
    for size in (1e-2, 1e-3, 1e-4):
        net = Smooth()
        optimizer = torch.optim.SGD(net.parameters(), lr=size)
        point = ModelPoint(
            net.losses, model=net, shared=net.encoder, mask=net.mask, optimizer=optimizer
        )
        gradients = point.task_gradients()
        moves = (PlainStep(size=size) if step == "plain" else OwnStep())(point, gradients)
        losses = point.losses.unsqueeze(1)
        exact = 1 - point.losses_after(moves).T / losses
        apart.append((exact + gradients.inner(moves) / losses).abs())
    assert (apart[0] > 1e-9).all()
    for larger, smaller in itertools.pairwise(apart):
        ratio = larger / smaller
        assert (ratio > 80).all()
        assert (ratio < 125).all()


# What reaches the shared part how.


def gradients_by_hand(
    losses: Callable[[], Tensor], parameters: Sequence[Tensor], mask: Tensor
) -> list[Tensor]:
    """``[T, ...]`` a parameter, one plain autograd call a task."""
    rows = [
        torch.autograd.grad(
            losses()[t][mask[t]].mean(), parameters, allow_unused=True, materialize_grads=True
        )
        for t in range(len(mask))
    ]
    return [torch.stack(column) for column in zip(*rows, strict=True)]


class Ways(nn.Module):
    """One encoder, several ways of using it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
        self.heads = nn.Linear(3, 2)
        self.x = torch.randn(6, 3)
        self.y = torch.randn(2, 6)

    def once(self) -> Tensor:
        return (self.heads(self.encoder(self.x)).T - self.y) ** 2

    def twice(self) -> Tensor:
        pair = self.encoder(self.x) * self.encoder(self.x.flip(0))
        return (self.heads(pair).T - self.y) ** 2

    def recurrent(self) -> Tensor:
        return (self.heads(self.encoder(self.encoder(self.x))).T - self.y) ** 2

    def submodule(self) -> Tensor:
        return (self.heads(self.encoder[2](self.encoder[0](self.x))).T - self.y) ** 2

    def in_place(self) -> Tensor:
        return (self.heads(self.encoder(self.x).relu_()).T - self.y) ** 2

    def tied(self) -> Tensor:
        """The decoder is the encoder's last weight, turned epoch: it bypasses the features."""
        hidden = self.encoder(self.x) @ self.encoder[2].weight
        return (hidden[:, :2].T - self.y) ** 2 + 0 * self.heads.bias.unsqueeze(1)

    def penalised(self) -> Tensor:
        """A weight penalty inside the losses."""
        return self.once() + self.encoder[0].weight.square().sum()


@pytest.mark.parametrize(
    "way", ["once", "twice", "recurrent", "submodule", "in_place", "tied", "penalised"]
)
def test_gradients_whatever_way_the_shared_part_is_used(way: str) -> None:
    net = Ways()
    losses: Callable[[], Tensor] = getattr(net, way)
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[1, :2] = False
    point = ModelPoint(losses, model=net, shared=net.encoder, mask=mask)
    expected = gradients_by_hand(losses, list(net.encoder.parameters()), mask)
    found = point.task_gradients().tensors
    for name, tensor in zip(found, expected, strict=True):
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6, msg=name)
    single = point.example_gradients([0, 1], [1, 4]).tensors
    for c, (t, b) in enumerate([(0, 1), (1, 4)]):
        by_hand = torch.autograd.grad(
            losses()[t, b], list(net.encoder.parameters()), materialize_grads=True
        )
        for name, tensor in zip(single, by_hand, strict=True):
            torch.testing.assert_close(single[name][c], tensor, rtol=1e-5, atol=1e-6, msg=name)

"""A point of a user's own loop: what it refuses, and with which words."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cotrain.errors import InputError
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.model_point import ModelPoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep

INSTRUMENTS: dict[str, Callable[..., Any]] = {
    "lookahead": Lookahead,
    "first order": FirstOrder,
    "gradients": Gradients,
}


class Net(nn.Module):
    """Three tasks on one small encoder."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4))
        self.heads = nn.ModuleList(nn.Linear(4, 1) for _ in range(3))
        self.x = torch.randn(5, 3)
        self.y = torch.randn(3, 5)

    def losses(self) -> Tensor:
        h = self.encoder(self.x)
        return torch.stack(
            [(head(h)[:, 0] - y) ** 2 for head, y in zip(self.heads, self.y, strict=True)]
        )

    def point(self, **options: Any) -> ModelPoint:
        losses = options.pop("losses", self.losses)
        return ModelPoint(losses, **{"model": self, "shared": self.encoder, "step": 40, **options})


def message(instrument: str, point: ModelPoint, tasks: str = "abc") -> str:
    with pytest.raises(InputError) as caught:
        INSTRUMENTS[instrument](tasks=tasks).probe(point)
    return str(caught.value)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("poison", ["nan", "inf"])
def test_a_loss_that_is_not_finite_names_task_and_step(instrument: str, poison: str) -> None:
    net = Net()
    net.y[1, 2] = float(poison)
    assert message(instrument, net.point()) == (
        f"the loss of task 'b' is {poison} at step 40: if labels are missing, fill them "
        "and pass the mask; else look for infinite inputs or targets, or lower the learning rate"
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_number_of_losses_must_fit(instrument: str) -> None:
    assert message(instrument, Net().point(), tasks="ab") == (
        "the losses are 3, the instrument was made for 2 tasks: give one loss a task, in the order of "
        "the names"
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("absent", [False, True])
def test_a_nan_that_reaches_the_gradient_through_the_mask(instrument: str, absent: bool) -> None:
    """Also when another task has no label in the batch."""
    net = Net()
    net.y[1, 2] = float("nan")
    mask = net.y.isfinite()
    mask[2] = not absent
    assert message(instrument, net.point(mask=mask)) == (
        "the gradient of task 'b' is not finite at step 40: fill missing targets before the loss is "
        "computed (a NaN under the mask still reaches the gradient), or lower the learning rate"
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_the_fix_that_the_message_names_helps(instrument: str) -> None:
    net = Net()
    net.y[1, 2] = float("nan")
    mask = net.y.isfinite()
    net.y = net.y.nan_to_num()
    made = INSTRUMENTS[instrument](tasks="abc")
    made.probe(net.point(mask=mask))
    found = made.similarity().cosine if instrument == "gradients" else made.affinity().first_order
    if instrument == "first order":
        found = made.affinity().mean
    assert np.isfinite(found[~np.eye(3, dtype=bool)]).all()


def test_nothing_shared_can_train() -> None:
    net = Net()
    net.encoder.requires_grad_(False)
    with pytest.raises(InputError) as caught:
        net.point()
    assert str(caught.value) == (
        "no shared parameter requires a gradient: unfreeze the encoder, or pass the part of the model "
        "that all tasks share"
    )


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_head_inside_the_shared_part_is_named(instrument: str) -> None:
    net = Net()
    assert message(instrument, net.point(shared=net)) == (
        "parameter 'heads.0.weight' of the shared part is reached by task number 0 only: pass as "
        "`shared` the part that all tasks share, without their heads"
    )


def test_one_task_alone_may_have_its_head_inside() -> None:
    net = Net()
    lookahead = Lookahead(tasks=["only"])
    lookahead.probe(net.point(losses=lambda: net.losses()[:1], shared=net))
    assert lookahead.exact[0].shape == (1, 1)
    assert lookahead.exact[0][0, 0] > 0
    affinity = lookahead.affinity()
    assert np.isnan(affinity.mean).all()
    assert str(affinity) == "1 tasks, lookahead, plain SGD step of 0.1, 1 probes"


def test_one_present_task_may_have_its_head_inside() -> None:
    net = Net()
    lookahead = Lookahead(tasks="abc")
    lookahead.probe(net.point(mask=torch.tensor([True, False, False]), shared=net))
    assert np.isfinite(lookahead.exact[0]).tolist() == np.diag([True, False, False]).tolist()


def test_own_step_needs_the_optimizer() -> None:
    with pytest.raises(InputError) as caught:
        Lookahead(tasks="abc", step=OwnStep()).probe(Net().point())
    assert str(caught.value) == (
        "give ModelPoint the optimizer whose own step is to be looked ahead"
    )


def test_own_step_of_an_optimizer_that_does_not_train_the_shared_part() -> None:
    """One clear error, or no move at all; not a bare KeyError."""
    net = Net()
    optimizer = torch.optim.SGD(net.heads.parameters(), lr=0.1)
    with pytest.raises(InputError, match="optimizer"):
        Lookahead(tasks="abc", step=OwnStep()).probe(net.point(optimizer=optimizer))


@pytest.mark.parametrize("shape", [(5, 3), (3, 4), (2,), (5,)])
def test_a_mask_that_does_not_fit_the_losses(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="mask"):
        Lookahead(tasks="abc").probe(Net().point(mask=torch.ones(shape, dtype=torch.bool)))


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_mask_of_cells_with_mean_losses_is_refused(instrument: str) -> None:
    """The losses are ``[T]``, so the mask must be too."""
    net = Net()
    with pytest.raises(InputError, match="mask"):
        INSTRUMENTS[instrument](tasks="abc").probe(
            net.point(
                losses=lambda: net.losses().mean(dim=1), mask=torch.ones(3, 5, dtype=torch.bool)
            )
        )


def test_losses_without_a_graph_are_refused() -> None:
    """The user computed them under no_grad, or gave numbers."""
    net = Net()
    with pytest.raises(InputError, match="gradient"):
        Lookahead(tasks="abc").probe(net.point(losses=lambda: net.losses().detach()))


def test_a_probe_works_inside_no_grad() -> None:
    net = Net()
    plain, inside = Lookahead(tasks="abc"), Lookahead(tasks="abc")
    plain.probe(net.point())
    with torch.no_grad():
        inside.probe(net.point())
    np.testing.assert_array_equal(plain.exact[0], inside.exact[0])
    np.testing.assert_array_equal(plain.first_order[0], inside.first_order[0])


def test_a_loss_of_zero_is_unknown_for_that_recipient_only() -> None:
    net = Net()
    lookahead = Lookahead(tasks="abc", groups=[(0, 1)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lookahead.probe(
            net.point(losses=lambda: net.losses() * torch.tensor([[1.0], [0.0], [1.0]]))
        )
    for found in (lookahead.exact[0], lookahead.first_order[0]):
        assert np.isnan(found[1]).all()
        assert np.isfinite(found[[0, 2]]).all()
    assert (lookahead.exact[0][[0, 2], 1] == 0).all()  # as a source it moves nothing


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_batch_without_any_label(instrument: str) -> None:
    net = Net()
    made = INSTRUMENTS[instrument](tasks="abc")
    made.probe(net.point(mask=torch.zeros(3, 5, dtype=torch.bool)))
    if instrument == "gradients":
        found = made.similarity()
        assert np.isnan(found.cosine).all()
        assert np.isnan(found.norms).all()
        assert np.isnan(found.inter_task).all()
    else:
        assert np.isnan(made.affinity().mean).all()


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32, torch.int64])
def test_a_mask_of_zeros_and_ones_is_a_mask(kind: torch.dtype) -> None:
    net = Net()
    mask = torch.rand(3, 5) > 0.3
    a, b = Lookahead(tasks="abc"), Lookahead(tasks="abc")
    a.probe(net.point(mask=mask))
    b.probe(net.point(mask=mask.to(kind)))
    np.testing.assert_array_equal(a.exact[0], b.exact[0])


def test_a_frozen_layer_of_the_shared_part_takes_no_part() -> None:
    net = Net()
    net.encoder[0].requires_grad_(False)
    gradients = net.point().task_gradients()
    assert list(gradients.tensors) == ["2.weight", "2.bias"]
    assert gradients.count == 3


def test_a_shared_parameter_that_no_task_uses_changes_nothing() -> None:
    net = Net()
    plain, other = Lookahead(tasks="abc"), Lookahead(tasks="abc")
    plain.probe(net.point())
    net.encoder.register_parameter("unused", nn.Parameter(torch.ones(3)))
    other.probe(net.point())
    np.testing.assert_array_equal(plain.exact[0], other.exact[0])
    assert (net.point().task_gradients().tensors["unused"] == 0).all()


def test_the_losses_are_computed_once_and_once_a_candidate() -> None:
    net, calls = Net(), []

    def losses() -> Tensor:
        calls.append(None)
        return net.losses()

    point = net.point(losses=losses)
    Lookahead(tasks="abc", groups=[(0, 1)]).probe(point)
    assert len(calls) == 1 + 3 + 1
    FirstOrder(tasks="abc").probe(point)
    Gradients(tasks="abc").probe(point)
    assert len(calls) == 5


class Scaled(nn.Module):
    """A linear layer times a learned number, which is a tensor without axes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 4)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) * self.scale


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_a_shared_parameter_may_be_a_single_number(instrument: str) -> None:
    net = Net()
    net.encoder = nn.Sequential(Scaled(), nn.Tanh())
    made = INSTRUMENTS[instrument](tasks="abc")
    made.probe(net.point())
    gradients = net.point().task_gradients().tensors
    assert gradients["0.scale"].shape == (3,)
    for t in range(3):
        (expected,) = torch.autograd.grad(net.losses()[t].mean(), net.encoder[0].scale)
        assert float(gradients["0.scale"][t]) == pytest.approx(float(expected), rel=1e-5)

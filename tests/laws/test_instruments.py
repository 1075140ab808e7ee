"""What every instrument must do: permute with the tasks, not read masked cells, and find known truths."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny import first_batch, joint, make_architecture, make_development, on_both, point_of, train
from torch import Tensor, nn

from cotrain.data.dataset import TaskData
from cotrain.engine.state import State
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.model_point import ModelPoint
from cotrain.measure.transference.affinity import Affinity
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep, PlainStep

Array = NDArray[Any]
INSTRUMENTS: dict[str, Callable[[Sequence[str]], Any]] = {
    "lookahead": lambda tasks: Lookahead(tasks=tasks, step=PlainStep(size=0.3)),
    "own step": lambda tasks: Lookahead(tasks=tasks, step=OwnStep()),
    "first order": lambda tasks: FirstOrder(tasks=tasks),
    "gradients": lambda tasks: Gradients(tasks=tasks, seed=3),
}


def answers(made: Any) -> tuple[list[Array], list[Array], list[Array]]:
    """``[T, T]`` matrices, ``[E, T]`` rows, and what has no task axis."""
    if isinstance(made, Gradients):
        found = made.similarity()
        pairs = [found.cosine, found.magnitude, found.conflict, found.cosine_error]
        rest = [found.batches, found.inter_task, found.inter_sample]
        return pairs, [found.norms], rest
    affinity = made.affinity()
    return [affinity.mean, affinity.first_order, affinity.standard_error], [], []


class Many(nn.Module):
    """T tasks with their own heads, in an order of choice; all have labels on most rows."""

    def __init__(self, tasks: int, order: Sequence[int] | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Linear(4, 6), nn.Tanh())
        heads, self.x, y = torch.randn(tasks, 6), torch.randn(20, 4), torch.randn(tasks, 20)
        mask = torch.rand(tasks, 20) > 0.3
        at = list(order or range(tasks))
        self.heads, self.y, self.mask = nn.Parameter(heads[at]), y[at], mask[at]

    def losses(self) -> Tensor:
        return (self.heads @ self.encoder(self.x).T - self.y) ** 2

    def probe(self, made: Any, steps: int = 3) -> Any:
        optimizer = torch.optim.Adam(self.encoder.parameters(), lr=0.01)
        for _ in range(steps):
            made.probe(
                ModelPoint(
                    self.losses,
                    model=self,
                    shared=self.encoder,
                    mask=self.mask,
                    optimizer=optimizer,
                )
            )
            optimizer.zero_grad()
            (self.losses() * self.mask).double().mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return made


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("tasks", [2, 5, 11])
def test_permuting_tasks_permutes_the_answer(instrument: str, tasks: int) -> None:
    """Eleven tasks: Gradients draws eight of them, the same eight."""
    order = np.random.default_rng(tasks).permutation(tasks).tolist()
    order = order if order != sorted(order) else order[::-1]
    names = [f"task {t}" for t in range(tasks)]
    plain = answers(Many(tasks).probe(INSTRUMENTS[instrument](names)))
    renamed = [names[t] for t in order]
    moved = answers(Many(tasks, order).probe(INSTRUMENTS[instrument](renamed)))
    tolerance = {"rtol": 1e-4, "atol": 1e-5 if instrument == "own step" else 2e-6}
    for a, b in zip(plain[0], moved[0], strict=True):
        np.testing.assert_allclose(b, a[np.ix_(order, order)], **tolerance)
    for a, b in zip(plain[1], moved[1], strict=True):
        np.testing.assert_allclose(b, a[:, order], **tolerance)
    for a, b in zip(plain[2], moved[2], strict=True):
        np.testing.assert_allclose(b, a, **tolerance)
        assert np.isfinite(a[:, :, 0]).all()


def test_names_and_their_order_mean_nothing() -> None:
    a = answers(Many(11).probe(INSTRUMENTS["gradients"](list("abcdefghijk"))))
    b = answers(Many(11).probe(INSTRUMENTS["gradients"](list("kjihgfedcba"))))
    for some, other in zip(a, b, strict=True):
        for x, y in zip(some, other, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("absent", [None, 1])
@pytest.mark.parametrize("poison", [1e30, float("inf"), float("nan"), -7.0])
def test_a_masked_cell_is_not_read_by_the_engine(
    instrument: str, absent: int | None, poison: float
) -> None:
    clean = make_development("brmb", missing=0.4)
    architecture = make_architecture(clean)
    state = train(clean, [joint(4)], architecture=architecture).state

    def hide(data: TaskData) -> TaskData:
        mask = data.mask.clone()
        if absent is not None:
            mask[:, absent] = False
        return replace(data, mask=mask)

    def poisoned(data: TaskData) -> TaskData:
        return replace(data, targets=torch.where(data.mask, data.targets, poison))

    clean = on_both(clean, hide)
    found = []
    for development in (clean, on_both(clean, poisoned)):
        made = INSTRUMENTS[instrument]("abcd")
        made.probe(engine_point(state, development.train, architecture))
        found.append(answers(made))
    for some, other in zip(*found, strict=True):
        for a, b in zip(some, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.isfinite(found[0][0][0]).any()


def engine_point(state: State, data: TaskData, architecture: Any) -> Any:
    return point_of(state, first_batch(data), architecture=architecture, tasks=data.tasks)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("poison", [1e4, -7.0])
def test_a_masked_cell_is_not_read_from_a_users_losses(instrument: str, poison: float) -> None:
    found = []
    for value in (0.0, poison):
        net = Many(4)
        net.mask[2] = False
        net.y = torch.where(net.mask, net.y, value)
        found.append(answers(net.probe(INSTRUMENTS[instrument]("abcd"), steps=1)))
    for some, other in zip(*found, strict=True):
        for a, b in zip(some, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_one_task_alone_has_an_answer(instrument: str) -> None:
    made = Many(1).probe(INSTRUMENTS[instrument](["only"]))
    pairs, _, _ = answers(made)
    for matrix in pairs:
        assert matrix.shape == (1, 1)
        assert np.isnan(matrix).all()
    measurement = made.similarity() if instrument == "gradients" else made.affinity()
    assert str(measurement).startswith("1 tasks, ")
    assert measurement.figure()["layout"]
    if instrument == "gradients":
        assert np.isfinite(measurement.norms).all()
        assert np.isnan(measurement.inter_task).all()
        assert np.isfinite(measurement.inter_sample[:, :, 0]).all()


# Known truths, in short real training runs.


class Family(nn.Module):
    """A tanh encoder with linear heads, trained by SGD; targets ``[T, N]`` are given by a function."""

    def __init__(
        self, targets: Callable[[Tensor], Tensor], *, inputs: int = 4, seed: int = 0
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = nn.Sequential(nn.Linear(inputs, 12), nn.Tanh())
        self.x = torch.randn(256, inputs)
        self.y = targets(self.x)
        heads = 0.3 * torch.randn(1, 12).expand(len(self.y), 12)
        self.heads = nn.Parameter(heads.clone())

    def losses(self, rows: Tensor) -> Tensor:
        return 0.5 * (self.heads @ self.encoder(self.x[rows]).T - self.y[:, rows]) ** 2

    def run(
        self, steps: int = 60, *, rate: float = 0.05, own: bool = False
    ) -> tuple[Affinity, Gradients]:
        names = [f"t{t}" for t in range(len(self.y))]
        lookahead = Lookahead(tasks=names, step=OwnStep() if own else PlainStep(size=0.05))
        gradients = Gradients(tasks=names)
        optimizer = torch.optim.SGD(self.parameters(), lr=rate)
        draw = torch.Generator().manual_seed(1)
        for step in range(steps):
            rows = torch.randperm(256, generator=draw)[:32]
            if step % 2 == 0:
                point = ModelPoint(
                    lambda rows=rows: self.losses(rows),  # type: ignore[misc]
                    model=self,
                    shared=self.encoder,
                    optimizer=optimizer,
                    step=step,
                )
                lookahead.probe(point)
                gradients.probe(point)
            optimizer.zero_grad()
            self.losses(rows).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return lookahead.affinity(), gradients


def noisy(clean: Tensor, seed: int, scale: float = 0.3) -> Tensor:
    return clean + scale * torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("own", [False, True])
def test_tasks_that_share_their_truth_help_each_other(own: bool) -> None:
    def targets(x: Tensor) -> Tensor:
        latent = (x[:, 0] - x[:, 1]).tanh()
        return torch.stack([noisy(latent, seed) for seed in range(3)])

    affinity, gradients = Family(targets).run(rate=0.01, own=own)
    off = ~np.eye(3, dtype=bool)
    assert (affinity.mean[off] > 3 * affinity.standard_error[off]).all()
    assert (affinity.mean[off] > (0.005 if own else 0.02)).all()
    assert affinity.agreement > 0.8
    assert (gradients.similarity().cosine[off] > 0.5).all()


def test_tasks_that_want_the_same_output_up_and_down_hurt_each_other() -> None:
    """Identical frozen heads on one shared output: whatever one gains, the other loses."""

    def targets(x: Tensor) -> Tensor:
        latent = 1 + (x[:, 0] - x[:, 1]).tanh()
        return torch.stack([noisy(latent, 0), noisy(-latent, 1)])

    family = Family(targets)
    family.heads.requires_grad_(False)
    affinity, gradients = family.run()
    for i, j in ((0, 1), (1, 0)):
        assert affinity.mean[i, j] < -3 * affinity.standard_error[i, j]
        assert affinity.mean[i, j] < -0.005
    found = gradients.similarity()
    assert found.cosine[0, 1] < -0.5
    assert found.conflict[0, 1] > 0.9


def test_tasks_on_separate_blocks_of_a_linear_layer_do_not_touch() -> None:
    """Task 0 reads inputs 0–1, task 1 inputs 2–3: their gradients are orthogonal, exactly."""
    torch.manual_seed(0)
    encoder = nn.Linear(4, 3, bias=False)
    heads, draw = torch.randn(2, 3), torch.Generator().manual_seed(0)
    blocks = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 1]])
    optimizer = torch.optim.SGD(encoder.parameters(), lr=0.05)
    lookahead, gradients = Lookahead(tasks="ab"), Gradients(tasks="ab")
    for _ in range(10):
        x, y = torch.randn(8, 4, generator=draw), torch.randn(2, 8, generator=draw)

        def losses(x: Tensor = x, y: Tensor = y) -> Tensor:
            features = encoder((x * blocks.unsqueeze(1)).flatten(0, 1)).view(2, 8, 3)
            return (torch.einsum("tbh,th->tb", features, heads) - y) ** 2

        point = ModelPoint(losses, model=encoder, shared=encoder)
        lookahead.probe(point)
        gradients.probe(point)
        optimizer.zero_grad()
        losses().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    for found in (lookahead.exact, lookahead.first_order):
        samples = np.array(found)
        assert (samples[:, 0, 1] == 0).all()
        assert (samples[:, 1, 0] == 0).all()
        assert (samples[:, [0, 1], [0, 1]] > 0).all()
    assert gradients.similarity().cosine[0, 1] == 0
    assert gradients.similarity().conflict[0, 1] == 0


def test_unrelated_tasks_matter_less_than_related_ones() -> None:
    """Tasks 0 and 1 share a truth; task 2 depends on another, independent input."""

    def targets(x: Tensor) -> Tensor:
        return torch.stack([noisy(x[:, 0], 0), noisy(x[:, 0], 1), noisy(x[:, 3], 2)])

    family = Family(targets)
    torch.manual_seed(3)
    with torch.no_grad():
        family.heads[2] = 0.3 * torch.randn(12)
    affinity, _ = family.run(steps=100)
    mean, error = affinity.mean, affinity.standard_error
    for recipient, friend in ((0, 1), (1, 0)):
        apart = mean[recipient, friend] - mean[recipient, 2]
        assert apart > 3 * np.hypot(error[recipient, friend], error[recipient, 2])
        assert abs(mean[recipient, 2]) < 3 * error[recipient, 2]
        assert abs(mean[2, recipient]) < 3 * error[2, recipient]


def test_duplicated_tasks_have_equal_rows_and_columns() -> None:
    def targets(x: Tensor) -> Tensor:
        return torch.stack([noisy(x[:, 0], 0), noisy(x[:, 1], 1), noisy(x[:, 0], 0)])

    affinity, gradients = Family(targets).run()
    close = {"rtol": 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(affinity.mean[1, 0], affinity.mean[1, 2], **close)
    np.testing.assert_allclose(affinity.mean[0, 1], affinity.mean[2, 1], **close)
    np.testing.assert_allclose(affinity.mean[0, 2], affinity.mean[2, 0], **close)
    found = gradients.similarity()
    assert found.cosine[0, 2] == pytest.approx(1, abs=1e-5)
    assert found.magnitude[0, 2] == pytest.approx(1, abs=1e-5)
    assert found.conflict[0, 2] == 0


def test_a_negated_task_with_its_own_head_helps_like_the_original() -> None:
    def targets(x: Tensor) -> Tensor:
        first = noisy(x[:, 0], 0)
        return torch.stack([first, noisy(x[:, 1], 1), -first])

    family = Family(targets)
    with torch.no_grad():
        family.heads[2] = -family.heads[0]
    affinity, gradients = family.run()
    close = {"rtol": 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(affinity.mean[1, 0], affinity.mean[1, 2], **close)
    np.testing.assert_allclose(affinity.mean[0, 1], affinity.mean[2, 1], **close)
    assert affinity.mean[0, 2] > 3 * affinity.standard_error[0, 2]
    assert gradients.similarity().cosine[0, 2] == pytest.approx(1, abs=1e-5)

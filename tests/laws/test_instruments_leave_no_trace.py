"""Looking leaves no trace: after a probe everything is bit for bit what it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny import (
    joint,
    make_architecture,
    make_development,
    make_executor,
    probing,
    same,
    train,
)
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR

from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.model_point import ModelPoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep, PlainStep

TASKS = "abc"
OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.01),
    "adamw, foreach": lambda p: torch.optim.AdamW(p, lr=0.01, foreach=True),
}
INSTRUMENTS: dict[str, Callable[[], Any]] = {
    "lookahead": lambda: Lookahead(tasks=TASKS, groups=[(0, 1), (0, 1, 2)]),
    "own step": lambda: Lookahead(tasks=TASKS, step=OwnStep()),
    "first order": lambda: FirstOrder(tasks=TASKS, step=OwnStep()),
    "gradients": lambda: Gradients(tasks=TASKS),
}


class Net(nn.Module):
    """An encoder with everything that remembers or draws: BatchNorm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 5)
        )
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        """``[3, B]`` outputs."""
        return self.head(self.encoder(x).tanh()).T


class Rig:
    """A training loop that a probe may interrupt anywhere."""

    def __init__(self, optimizer: str = "momentum") -> None:
        torch.manual_seed(0)
        self.model = Net()
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.scheduler = StepLR(self.optimizer, step_size=2, gamma=0.5)
        draw = torch.Generator().manual_seed(1)
        self.x = torch.randn(12, 4, generator=draw)
        self.y = torch.randn(3, 12, generator=draw)
        self.mask = torch.rand(3, 12, generator=draw) > 0.2

    def losses(self) -> Tensor:
        return (self.model(self.x) - self.y) ** 2

    def point(self, losses: Callable[[], Tensor] | None = None) -> ModelPoint:
        return ModelPoint(
            losses or self.losses,
            model=self.model,
            shared=self.model.encoder,
            mask=self.mask,
            optimizer=self.optimizer,
        )

    def train(self, steps: int, probe: Callable[[str], None] = lambda _: None) -> None:
        for _ in range(steps):
            probe("before")
            self.optimizer.zero_grad()
            loss = (self.losses() * self.mask).mean()
            probe("between forward and backward")
            loss.backward()  # type: ignore[no-untyped-call]
            probe("between backward and step")
            self.optimizer.step()
            self.scheduler.step()

    def snapshot(self) -> Any:
        parameters = list(self.model.named_parameters())
        return frozen(
            {
                "parameters": [(n, p.data, p.grad, p.requires_grad) for n, p in parameters],
                "places": [(id(p), p.data_ptr(), id(p.grad)) for _, p in parameters],
                "buffers": [(n, b, b.data_ptr()) for n, b in self.model.named_buffers()],
                "modes": [module.training for module in self.model.modules()],
                "hooks": [len(module._forward_hooks) for module in self.model.modules()],
                "optimizer": self.optimizer.state_dict(),
                "scheduler": self.scheduler.state_dict(),
                "random": torch.random.get_rng_state(),
            }
        )


def frozen(value: Any) -> Any:
    """Something to compare bit for bit."""
    if isinstance(value, Tensor):
        return value.dtype, tuple(value.shape), value.detach().numpy().tobytes()
    if isinstance(value, dict):
        return [(key, frozen(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [frozen(item) for item in value]
    return repr(value)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("training", [True, False])
def test_a_probe_changes_nothing(
    instrument: str, optimizer: str, steps: int, training: bool
) -> None:
    rig = Rig(optimizer)
    rig.train(steps)
    rig.model.train(training)
    rig.model.encoder[0].bias.requires_grad_(False)
    before = rig.snapshot()
    made = INSTRUMENTS[instrument]()
    made.probe(rig.point())
    made.probe(rig.point())
    assert rig.snapshot() == before


class HalfWay(Exception):
    """The user's own error."""


@pytest.mark.parametrize("instrument", ["lookahead", "own step"])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_nothing_changes_when_the_losses_raise_half_way(instrument: str, at: int) -> None:
    rig = Rig()
    rig.train(2)
    calls = []

    def losses() -> Tensor:
        found = rig.losses()
        calls.append(found)
        if len(calls) > at:
            raise HalfWay
        return found

    before = rig.snapshot()
    with pytest.raises(HalfWay):
        INSTRUMENTS[instrument]().probe(rig.point(losses))
    assert len(calls) == at + 1
    assert rig.snapshot() == before


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("instrument", INSTRUMENTS)
@pytest.mark.parametrize(
    "where", ["before", "between forward and backward", "between backward and step"]
)
def test_a_training_run_with_probes_equals_one_without(
    optimizer: str, instrument: str, where: str
) -> None:
    plain = Rig(optimizer)
    plain.train(5)
    drawn = torch.random.get_rng_state()
    made, probed, seen = INSTRUMENTS[instrument](), Rig(optimizer), []

    def probe(now: str) -> None:
        if now == where:
            made.probe(probed.point())
            seen.append(now)

    probed.train(5, probe)
    assert len(seen) == 5
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert same(dict(plain.model.state_dict()), dict(probed.model.state_dict()))
    assert frozen(plain.optimizer.state_dict()) == frozen(probed.optimizer.state_dict())
    assert plain.scheduler.get_last_lr() == probed.scheduler.get_last_lr()


@pytest.mark.parametrize("training", [True, False])
def test_a_step_of_size_zero_changes_no_loss(training: bool) -> None:
    rig = Rig()
    rig.model.train(training)
    lookahead = Lookahead(tasks=TASKS, step=PlainStep(size=0.0))
    lookahead.probe(rig.point())
    assert (lookahead.exact[0] == 0).all()  # the same dropout masks before and after


def test_dropout_masks_are_the_same_though_the_random_state_went_on() -> None:
    rig = Rig()
    point = rig.point()
    assert point.losses.isfinite().all()
    torch.rand(7)  # the user draws something between two instruments
    lookahead = Lookahead(tasks=TASKS, step=PlainStep(size=0.0))
    lookahead.probe(point)
    assert (lookahead.exact[0] == 0).all()


def test_dropout_is_on_in_a_probe_of_a_model_in_training_mode() -> None:
    rig = Rig()
    noisy = rig.point().losses
    torch.rand(7)
    assert not torch.equal(rig.point().losses, noisy)
    rig.model.eval()
    calm = rig.point().losses
    torch.rand(7)
    assert torch.equal(rig.point().losses, calm)


def test_the_users_hooks_on_the_optimizer_and_the_model_see_no_step_of_a_probe() -> None:
    rig, seen = Rig("adam"), []
    rig.train(2)
    rig.optimizer.register_step_pre_hook(lambda *call: seen.append("before"))
    rig.optimizer.register_step_post_hook(lambda *call: seen.append("after"))
    rig.model.encoder[0].weight.register_hook(lambda gradient: seen.append("gradient"))
    rig.model.encoder[0].weight.register_post_accumulate_grad_hook(lambda p: seen.append("grad"))
    Lookahead(tasks=TASKS, step=OwnStep()).probe(rig.point())
    assert not {"before", "after", "grad"} & set(seen)
    assert len(rig.optimizer._optimizer_step_pre_hooks) == 1


class Counter(nn.Module):
    """Replaces its buffer instead of writing into it."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return x * self.calls


def test_a_buffer_that_the_forward_pass_replaces_is_put_back() -> None:
    encoder = nn.Sequential(nn.Linear(2, 2), Counter())
    lookahead = Lookahead(tasks="ab", step=PlainStep(size=0.0))
    x = torch.ones(1, 2)
    lookahead.probe(ModelPoint(lambda: encoder(x)[0] ** 2, model=encoder, shared=encoder))
    assert float(encoder[1].calls) == 0
    assert (lookahead.exact[0] == 0).all()


def test_the_graph_of_a_shared_part_that_is_used_twice_survives() -> None:
    """The user's own backward pass runs after the probe and gives the same gradients."""
    gradients = []
    for probes in (True, False):
        rig = Rig()
        loss = (rig.losses() + rig.losses()).mean()
        if probes:
            Lookahead(tasks=TASKS, step=OwnStep()).probe(rig.point())
        loss.backward()  # type: ignore[no-untyped-call]
        gradients.append(frozen([parameter.grad for parameter in rig.model.parameters()]))
    assert gradients[0] == gradients[1]


@pytest.mark.parametrize("name", ["own step", "gradients", "lookahead"])
@pytest.mark.parametrize("encoder", ["mlp", "batch norm"])
def test_a_run_of_the_engine_with_probes_equals_one_without(name: str, encoder: str) -> None:
    development = make_development("brm")

    def batch_norm() -> nn.Module:
        return nn.Sequential(
            nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 4)
        )

    architecture = make_architecture(
        development, encoder=batch_norm if encoder == "batch norm" else None
    )
    runner = make_executor("sequential", architecture)
    made = INSTRUMENTS[name]()
    plain = train(development, [joint(3)], executor=runner, architecture=architecture)
    torch.manual_seed(5)
    drawn = torch.random.get_rng_state()
    probed = train(
        development,
        [joint(3)],
        executor=runner,
        architecture=architecture,
        before_update=probing(
            made.probe,
            architecture=architecture,
            tasks=development.tasks,
            executor=runner,
            every=3,
        ),
    )
    assert len(made.grams if name == "gradients" else made.exact) == 7
    assert torch.equal(torch.random.get_rng_state(), drawn)
    assert same(plain.state.to_flat(), probed.state.to_flat())
    assert torch.equal(plain.loss, probed.loss)

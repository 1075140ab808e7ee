"""Transfer by hand: temperatures, early stopping on a given sequence, a linear probe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import RECIPE, make_architecture, make_data, make_development, make_executor, train
from torch import Tensor, nn

from cotrain.data.dataset import Development
from cotrain.engine.executors.base import Executor
from cotrain.engine.member import Member
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import Architecture
from cotrain.engine.recipe import Recipe
from cotrain.engine.training import Progress
from cotrain.errors import InputError
from cotrain.transfer import UNIFORM, mixture_weights, source_sizes, unions


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (1.0, [0.03, 0.27, 2.7]),  # 100, 900, 9000 of the mean 3333.33
        (2.0, [10 / 44.9561, 30 / 44.9561, 94.8683 / 44.9561]),  # square roots, of the mean 44.9561
        (UNIFORM, [1.0, 1.0, 1.0]),
    ],
)
def test_temperatures(temperature: float, expected: list[float]) -> None:
    found = mixture_weights([100, 900, 5, 9000], [0, 1, 3], temperature=temperature)
    np.testing.assert_allclose([found[0], found[1], found[3]], expected, rtol=1e-5)
    assert found[2] == 0


def test_by_size_every_label_counts_alike() -> None:
    data = make_data("bmr", missing=0.4)
    sizes = source_sizes(data)
    weights = np.array(mixture_weights(sizes, range(3)))
    np.testing.assert_allclose(
        weights / sizes, weights[0] / sizes[0]
    )  # a mean loss is 1 / size a label


@pytest.mark.parametrize(
    ("sources", "temperature", "message"),
    [
        ([], 1.0, "at least one"),
        ([3], 1.0, r"from 0 to 1, at least one; got \[3\]"),
        ([0], 0.5, "temperature 0.5: it is 1"),
        ([0], float("nan"), "temperature nan"),
    ],
)
def test_no_mixture(sources: list[int], temperature: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mixture_weights([4, 5], sources, temperature=temperature)


def test_three_groups_have_the_papers_seven_unions() -> None:
    assert ["+".join(own) for own in unions(["SL", "C", "QA"])] == (
        ["SL", "C", "QA", "SL+C", "SL+QA", "C+QA", "SL+C+QA"]
    )


@dataclass
class Scripted:
    """Trains as told, and on validation says what makes the losses a given sequence."""

    real: Executor
    losses: list[tuple[float, float]]
    epoch: int = 0
    name: str = "scripted"

    def forward(self, *arguments: Any) -> Any:
        return self.real.forward(*arguments)

    def outputs(self, state: Any, inputs: Tensor) -> Tensor:
        """Squared errors are halved, and the labels are 0."""
        losses = torch.tensor(self.losses[self.epoch], dtype=torch.float64)
        self.epoch += 1
        return (2 * losses).sqrt().float().view(1, 2, 1).repeat(1, 1, len(inputs))


def follow(
    losses: list[tuple[float, float]], recipe: Recipe, weights: tuple[float, ...]
) -> Progress:
    data = make_data("rr", missing=0.0)
    zero = replace(data, targets=torch.zeros_like(data.targets))
    development = Development(train=data, valid=zero)
    architecture = make_architecture(development)
    executor = Scripted(real=make_executor("sequential", architecture), losses=losses)
    member = Member(name="m", weights=weights)
    return train(development, [member], executor=executor, recipe=recipe, architecture=architecture)


SEQUENCE = [(1.0, 9.0), (4.0, 4.0), (0.5, 8.0), (5.0, 3.5), (9.0, 9.0), (9.0, 1.0), (0.1, 0.1)]
PATIENT = replace(RECIPE, epochs=7, patience=3)


def test_one_model_stops_by_the_mean() -> None:
    # Means: 5, 4, 4.25, 4.25, 9, …: the best is epoch 2, and three epochs later it ends.
    found = follow(SEQUENCE, replace(PATIENT, one_model=True), (1.0, 1.0))
    assert found.best_epoch.tolist() == [[2, 2]]
    assert found.epochs_run.tolist() == [5]
    torch.testing.assert_close(found.loss, torch.tensor([[4.0, 4.0]]))
    assert list(found.models) == [(0, 2)]


def test_the_mean_is_unweighted_and_over_the_sources_of_the_mixture() -> None:
    # However little the second counts, the mean is the same.
    found = follow(SEQUENCE, replace(PATIENT, one_model=True), (1.0, 0.01))
    assert found.best_epoch.tolist() == [[2, 2]]
    # Alone the first is best in epoch 3, and epoch 6 is the last.
    found = follow(SEQUENCE, replace(PATIENT, one_model=True), (1.0, 0.0))
    assert found.best_epoch.tolist() == [[3, 0]]
    assert found.epochs_run.tolist() == [6]


def test_otherwise_every_task_keeps_its_own_round() -> None:
    # The second improves in epochs 4 and 6, so it runs to the end.
    found = follow(SEQUENCE, PATIENT, (1.0, 1.0))
    assert found.best_epoch.tolist() == [[7, 7]]
    found = follow([*SEQUENCE[:6], (9.0, 9.0)], PATIENT, (1.0, 1.0))
    assert found.best_epoch.tolist() == [[3, 6]]
    assert sorted(found.models) == [(0, 3), (0, 6)]


def frozen() -> nn.Module:
    return MLP(5, widths=(8, 6), dropout=0.0, input_dropout=0.0).requires_grad_(False)


def test_a_frozen_encoder_is_a_linear_probe() -> None:
    development = make_development("b", missing=0.0)
    torch.manual_seed(7)
    pretrained = frozen()

    def on_features(data: Any) -> Any:
        return replace(data, inputs=pretrained(data.inputs))

    features = Development(
        train=on_features(development.train), valid=on_features(development.valid)
    )

    def architecture(own: Development, encoder: Any, start: dict[str, Tensor]) -> Architecture:
        return replace(make_architecture(own, encoder=encoder), starts={"s": start})

    member = Member(name="m", weights=(1.0,), start="s", seed=3, learning_rate=1e-2)
    on_inputs = architecture(development, frozen, pretrained.state_dict())
    found = train(development, [member], architecture=on_inputs)
    probe = train(features, [member], architecture=architecture(features, nn.Identity, {}))
    assert set(found.state.params) == {"head.weight", "head.bias"}
    torch.testing.assert_close(found.state.params, probe.state.params)
    torch.testing.assert_close(found.outputs, probe.outputs)
    assert float(found.loss) < float(
        train(development, [replace(member, learning_rate=1e-9)], architecture=on_inputs).loss
    )


def test_what_a_start_and_a_seed_decide() -> None:
    development = make_development("bm")
    fresh = make_architecture(development)
    trained = fresh.build(seed=9).encoder.state_dict()
    started = replace(fresh, starts={"s": trained})
    one, again, other = (started.build(seed, "s") for seed in (1, 1, 2))
    for net in (one, again, other):
        for name, tensor in net.encoder.state_dict().items():
            assert torch.equal(tensor, trained[name])
    assert torch.equal(one.head.weight, again.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert bool((one.head.weight == one.head.weight[0]).all())  # law 1: every task the same
    assert float(one.head.weight.detach().abs().max()) <= 6**-0.5
    assert not started.build(1).head.weight.any()

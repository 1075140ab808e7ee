"""Aggregated gradients against TorchJD used by hand, by hand for two tasks, and the laws."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import (
    EXECUTORS,
    batches,
    first_batch,
    make_architecture,
    make_development,
    make_executor,
    only_tasks,
    train,
)
from torch import Tensor, nn
from torchjd import aggregation as agg
from torchjd.autojac import jac_to_grad, mtl_backward

from cotrain.data.dataset import Development
from cotrain.engine.initial import initial_state
from cotrain.engine.loss_weighting import Fixed, LossWeighting
from cotrain.engine.member import Member
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.optimizers import learning_rate_share
from cotrain.engine.recipe import Recipe
from cotrain.engine.state import State, Tensors, is_shared
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients
from cotrain.errors import InputError
from cotrain.weighting import ITMTL, Aggregated, OptimalUncertainty

KINDS = "brmb"
RATE = 1e-2
RECIPE = Recipe(epochs=4, batch_size=32, patience=99, warmup=0.25)
FOUR = torch.tensor([0.4, 0.1, 0.2, 0.3])
DETERMINISTIC: dict[str, Callable[[], Any]] = {
    "Sum": agg.Sum,
    "Mean": agg.Mean,
    "Constant": lambda: agg.Constant(FOUR),
    "UPGrad": agg.UPGrad,
    "UPGrad preferring": lambda: agg.UPGrad(pref_vector=FOUR),
    "DualProj": agg.DualProj,
    "AlignedMTL": agg.AlignedMTL,
    "MGDA": agg.MGDA,
    "IMTLG": agg.IMTLG,
    "CAGrad": lambda: agg.CAGrad(c=0.5),
    "FairGrad": lambda: agg.FairGrad(alpha=1.0),
    "Krum": lambda: agg.Krum(n_byzantine=1, n_selected=2),
    "TrimmedMean": lambda: agg.TrimmedMean(trim_number=1),
    "ConFIG": agg.ConFIG,
}
RANDOM: dict[str, Callable[[], Any]] = {
    "PCGrad": agg.PCGrad,
    "GradDrop": agg.GradDrop,
    "Random": agg.Random,
}


def made(make: Callable[[], Any]) -> Any:
    """An aggregator, or a skipped test where its solver is not installed."""
    try:
        return make()
    except ImportError as error:
        pytest.skip(str(error))


def opposed(kinds: str, **options: Any) -> Development:
    """Data whose last task is the negation of the first, so that gradients conflict."""
    development = make_development(kinds, **options)
    development.train.targets[:, -1] = 1 - development.train.targets[:, 0]
    return development


def reference(
    development: Development, aggregator: Any, weights: tuple[float, ...] = (1.0,) * 4
) -> Tensors:
    """A plain loop: an encoder, a linear head a task, TorchJD's backward pass, AdamW."""
    net = make_architecture(development, dropout=0.0, input_dropout=0.0).build(seed=0)
    losses = TaskLosses(development.tasks)
    heads = [nn.Linear(net.head.in_features, part.stop - part.start) for part in losses.slices]
    with torch.no_grad():
        for head, part in zip(heads, losses.slices, strict=True):
            head.weight.copy_(net.head.weight[part])
            head.bias.copy_(net.head.bias[part])
    shared = list(net.encoder.parameters())
    optimizer = torch.optim.AdamW(
        [*shared, *(p for head in heads for p in head.parameters())],
        lr=RATE,
        weight_decay=RECIPE.weight_decay,
    )
    steps, step = RECIPE.epochs * 3, 0
    for epoch in range(RECIPE.epochs):
        for batch in batches(development.train, RECIPE, epoch):
            optimizer.param_groups[0]["lr"] = RATE * learning_rate_share(step, steps, RECIPE.warmup)
            optimizer.zero_grad()
            features = net.encoder(batch.inputs)
            outputs = torch.cat([head(features) for head in heads], dim=1).T
            means = losses.means(outputs, batch.targets, batch.shares)
            own = [w * mean for w, mean in zip(weights, means, strict=True)]
            for parameter in (*shared, *(p for head in heads for p in head.parameters())):
                parameter.grad = torch.zeros_like(parameter)
            mtl_backward(
                own,
                features=features,
                retain_graph=True,
                tasks_params=[list(head.parameters()) for head in heads],
            )
            jac_to_grad(shared, aggregator)
            optimizer.step()
            step += 1
    found = {f"encoder.{name}": p.detach() for name, p in net.encoder.named_parameters()}
    found["head.weight"] = torch.cat([head.weight.detach() for head in heads])
    found["head.bias"] = torch.cat([head.bias.detach() for head in heads])
    return found


def ours(
    development: Development,
    weighting: LossWeighting,
    *,
    executor: str = "fused",
    weights: tuple[float, ...] = (1.0,) * 4,
) -> Tensors:
    member = Member(name="m", weights=weights, learning_rate=RATE, weighting=weighting)
    architecture = make_architecture(development, dropout=0.0, input_dropout=0.0)
    progress = train(
        development, [member], executor=executor, recipe=RECIPE, architecture=architecture
    )
    return {name: tensor[0] for name, tensor in progress.state.params.items()}


def apart(a: Tensors, b: Tensors) -> float:
    return max(float((a[name] - b[name]).abs().max()) for name in a)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_training_is_torchjd_by_hand(name: str) -> None:
    development = opposed(KINDS, missing=0.0)
    aggregator = made(DETERMINISTIC[name])
    weights = (1.0, 0.5, 2.0, 1.0)
    expected = reference(development, aggregator, weights)
    found = ours(development, Aggregated(aggregator=aggregator), weights=weights)
    assert apart(found, expected) < 1e-4
    plain = ours(development, Fixed(), weights=weights)
    assert apart(plain, expected) > 5e-4 or name in ("Sum", "Mean")  # Adam


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", ["AlignedMTL", "TrimmedMean"])
def test_every_executor_takes_torchjds_steps(name: str, executor: str) -> None:
    development = opposed(KINDS, missing=0.0)
    aggregator = made(DETERMINISTIC[name])
    found = ours(development, Aggregated(aggregator=aggregator), executor=executor)
    assert apart(found, reference(development, aggregator)) < 1e-4


def test_losses_are_weighed_first() -> None:
    """Optimal uncertainty is a gradient of 1 / L_t: a mean over tasks of equal, scaled gradients."""
    development = make_development(KINDS, missing=0.3)
    plain = ours(development, OptimalUncertainty())
    both = ours(development, Aggregated(aggregator=agg.Sum(), weighting=OptimalUncertainty()))
    assert apart(plain, both) < 1e-6


def possible_at(
    development: Development,
    *,
    executor: str = "fused",
    weights: list[list[float]],
    dropout: float = 0.3,
    spoiled: int | None = None,
    seeds: list[int] | None = None,
) -> StepGradients:
    """A first step of members whose heads are not zero; ``spoiled``: an output that is NaN."""
    seeds = seeds or list(range(len(weights)))
    architecture = make_architecture(development, dropout=dropout, input_dropout=dropout)
    members = [
        Member(name="m", weights=tuple(w), seed=s) for w, s in zip(weights, seeds, strict=True)
    ]
    state: State = initial_state(architecture, members)
    for member, seed in enumerate(seeds):
        draw = torch.Generator().manual_seed(seed)
        head = state.params["head.weight"][member]
        head.copy_(torch.randn(head.shape, generator=draw))
    state.set_keys(torch.tensor(seeds))
    if spoiled is not None:
        state.params["head.weight"][0, spoiled] = torch.nan
    batch = first_batch(development.train, rows=32)
    chosen = make_executor(executor, architecture)
    passed = chosen.forward(state, batch)
    step = TrainingStep(
        state=state,
        batch=batch,
        outputs=passed.outputs,
        learning_rates=[0.1] * len(weights),
        weights=torch.tensor(weights),
        task_losses=TaskLosses(development.tasks),
    )
    return StepGradients(
        step=step, passed=passed, executor=chosen, weight_decays=[0.0] * len(weights)
    )


@pytest.mark.parametrize("executor", EXECUTORS)
def test_task_gradients_sum_to_the_gradient_with_dropout(executor: str) -> None:
    step_gradients = possible_at(
        make_development("brmmb", missing=0.3), executor=executor, weights=[[1.0] * 5] * 3
    )
    whole = {k: v.clone() for k, v in step_gradients.weighted(torch.ones(3, 5)).items()}
    for member, own in enumerate(step_gradients.of_tasks()):
        for name, rows in own.tensors.items():
            assert is_shared(name)
            torch.testing.assert_close(rows.sum(dim=0), whole[name][member])
            alone = step_gradients.weighted(torch.eye(5)[2].expand(3, 5))[name][member]
            torch.testing.assert_close(rows[2], alone)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_heads_alone(executor: str) -> None:
    step_gradients = possible_at(
        make_development(KINDS), executor=executor, weights=[[1.0] * 4] * 2
    )
    weights = torch.rand(2, 4)
    whole = {name: tensor.clone() for name, tensor in step_gradients.weighted(weights).items()}
    found = step_gradients.of_heads(weights)
    assert set(found) == {"head.weight", "head.bias"}
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, whole[name])


def grams(step_gradients: StepGradients) -> Tensor:
    return torch.stack([tasks.gram for tasks in step_gradients.of_tasks()])


def weights_of(method: Aggregated, step_gradients: StepGradients, own: Tensor) -> Tensor:
    found = zip(step_gradients.of_tasks(), own, strict=True)
    return torch.stack([method.shared_weights(tasks, weights) for tasks, weights in found])


def test_pcgrad_and_mgda_by_hand_for_two_tasks() -> None:
    """Conflicting gradients g, h: PCGrad takes g − (g·h/h²) h + h − (g·h/g²) g, the same in any order;
    MGDA the shortest vector between them."""
    step_gradients = possible_at(opposed("bb", missing=0.0), weights=[[1.0, 1.0]])
    (g, product), (_, h) = grams(step_gradients)[0].tolist()
    assert product < 0
    own = torch.ones(1, 2)
    found = weights_of(Aggregated(aggregator=agg.PCGrad()), step_gradients, own)
    assert found[0].tolist() == pytest.approx([1 - product / g, 1 - product / h], rel=1e-5)
    share = (h - product) / (g + h - 2 * product)
    found = weights_of(Aggregated(aggregator=agg.MGDA()), step_gradients, own)
    assert found[0].tolist() == pytest.approx([share, 1 - share], abs=2e-3)


ALL = {**DETERMINISTIC, **RANDOM}
SHORT_OF_ROWS = ("Krum", "TrimmedMean")  # they need more tasks than some members below have


@pytest.mark.parametrize("name", [name for name in ALL if name not in SHORT_OF_ROWS])
def test_company_and_executor_change_nothing(name: str) -> None:
    """Laws 2 and 4, with partial labels and dropout: alone or among others, and weight 0 stays out."""
    development = make_development(KINDS, missing=0.4)
    method = Aggregated(aggregator=made(ALL[name]))
    weights = [(1.0,) * 4, (1.0, 0.0, 1.0, 0.5), (0.0, 1.0, 1.0, 1.0)]
    members = [
        Member(name=str(at), weights=w, seed=at, learning_rate=RATE, weighting=method)
        for at, w in enumerate(weights)
    ]
    short = replace(RECIPE, epochs=1)
    together = train(development, members, executor="fused", recipe=short)
    for at, member in enumerate(members):
        alone = train(development, [member], executor="sequential", recipe=short)
        for key, value in alone.state.params.items():
            assert torch.allclose(together.state.params[key][at], value[0], atol=5e-4), key
    scrambled = replace(
        development,
        train=replace(
            development.train,
            targets=development.train.targets * torch.tensor([1.0, 0.0, 1.0, 1.0]),
        ),
    )
    again = train(scrambled, [members[1]], executor="fused", recipe=short)
    expected = train(development, [members[1]], executor="fused", recipe=short)
    for key in ("encoder.linears.0.weight", "encoder.linears.1.bias"):
        assert torch.equal(again.state.params[key], expected.state.params[key])


@pytest.mark.parametrize(
    "name", [n for n in DETERMINISTIC if n not in ("Constant", "UPGrad preferring")]
)
def test_permuting_tasks_permutes(name: str) -> None:
    development = make_development(KINDS, missing=0.2)
    order = [2, 0, 3, 1]
    method = Aggregated(aggregator=made(DETERMINISTIC[name]))
    first = ours(development, method)
    second = ours(only_tasks(development, order), method)
    for key in filter(is_shared, first):
        torch.testing.assert_close(second[key], first[key], atol=2e-4, rtol=0)


def test_random_aggregators_leave_torchs_generator_alone_and_repeat() -> None:
    step_gradients = possible_at(make_development(KINDS), weights=[[1.0] * 4] * 2)
    before = torch.get_rng_state()
    method = Aggregated(aggregator=agg.Random())
    drawn = [weights_of(method, step_gradients, torch.ones(2, 4)) for _ in range(2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0][0], drawn[0][1])  # each member has its own key


@pytest.mark.parametrize("name", RANDOM)
def test_permuting_tasks_permutes_random_aggregators_in_distribution(name: str) -> None:
    """Mean directions over many keys."""
    order = [2, 0, 1]
    development = opposed("brb", missing=0.0)
    means = []
    for data in (development, only_tasks(development, order)):
        step_gradients = possible_at(data, weights=[[1.0] * 3], dropout=0.0)
        if data is not development:
            head = step_gradients.step.state.params["head.weight"]
            head.copy_(head[:, order])
            passed = step_gradients.executor.forward(
                step_gradients.step.state, step_gradients.step.batch
            )
            step = replace(step_gradients.step, outputs=passed.outputs)
            step_gradients = replace(step_gradients, passed=passed, step=step)
        drawn = []
        for key in range(400):
            step_gradients.step.state.keys = torch.tensor([key])
            found = Aggregated(aggregator=RANDOM[name]()).gradients(step_gradients)
            drawn.append(found["encoder.linears.0.weight"].clone())
        means.append(torch.stack(drawn).mean(dim=0))
    assert float((means[0] - means[1]).norm() / means[0].norm()) < 0.12


def test_an_absent_task_has_no_row() -> None:
    """As TorchJD sees the other three alone; values a task are narrowed with the rows."""
    development = make_development(KINDS, missing=0.0)
    absent = replace(
        development, train=replace(development.train, mask=torch.ones(96, 4, dtype=torch.bool))
    )
    absent.train.mask[:, 1] = False
    own = torch.tensor([[1.0, 1.0, 2.0, 1.0]])
    step_gradients = possible_at(absent, weights=own.tolist())
    keep = [0, 2, 3]
    gram = grams(step_gradients)[0] * own.T * own
    assert (gram[1] == 0).all()
    for preference in (None, FOUR):
        kept = None if preference is None else preference[keep]
        expected = agg.AlignedMTL(pref_vector=kept).gramian_weighting(gram[keep][:, keep])
        method = Aggregated(aggregator=agg.AlignedMTL(pref_vector=preference))
        found = weights_of(method, step_gradients, own)[0]
        torch.testing.assert_close(found[keep], expected * own[0, keep])
        assert found[1] == 0


@pytest.mark.parametrize("name", [*ALL])
def test_nothing_present_moves_nothing(name: str) -> None:
    development = make_development(KINDS)
    development.train.mask[:] = False
    step_gradients = possible_at(development, weights=[[1.0] * 4])
    found = Aggregated(aggregator=made(ALL[name])).gradients(step_gradients)
    assert all((tensor == 0).all() for tensor in found.values())


@pytest.mark.parametrize("name", [name for name in ALL if name not in SHORT_OF_ROWS])
def test_one_task_alone_goes_its_own_way(name: str) -> None:
    """T = 1: along its gradient (CAGrad goes 1 + c as far, as in its formula)."""
    if name in ("Constant", "UPGrad preferring"):
        pytest.skip("holds values of four tasks")
    step_gradients = possible_at(make_development("b"), weights=[[1.0]])
    plain = step_gradients.weighted(torch.ones(1, 1))["encoder.linears.0.weight"].clone()
    found = Aggregated(aggregator=made(ALL[name])).gradients(step_gradients)[
        "encoder.linears.0.weight"
    ]
    ratio = float(found.norm() / plain.norm())
    torch.testing.assert_close(found, ratio * plain, atol=1e-5, rtol=1e-4)
    assert ratio == pytest.approx(1.5 if name == "CAGrad" else ratio)
    assert ratio > 0


@pytest.mark.parametrize("name", ["AlignedMTL", "Mean", "GradDrop", "PCGrad"])
def test_a_gradient_that_is_not_finite_makes_its_member_diverge_and_no_other(name: str) -> None:
    method = Aggregated(aggregator=ALL[name]())
    development = make_development(KINDS)
    weights = [[1.0] * 4] * 2
    found = method.gradients(possible_at(development, weights=weights, spoiled=0))
    found = {key: tensor.clone() for key, tensor in found.items()}
    expected = method.gradients(possible_at(development, weights=weights))
    for key, value in expected.items():
        torch.testing.assert_close(found[key][1], value[1])
    assert found["encoder.linears.0.weight"][0].isnan().any()


def test_too_few_tasks_are_named() -> None:
    step_gradients = possible_at(make_development("bb", missing=0.0), weights=[[1.0, 1.0]])
    with pytest.raises(InputError, match=r"Krum.* cannot combine the gradients of 2 of 2 tasks"):
        Aggregated(aggregator=agg.Krum(n_byzantine=1)).gradients(step_gradients)
    with pytest.raises(
        InputError, match=r"TrimmedMean.* cannot combine the gradients of 2 of 2 tasks"
    ):
        Aggregated(aggregator=agg.TrimmedMean(trim_number=1)).gradients(step_gradients)


def test_directions_are_not_weights() -> None:
    step_gradients = possible_at(make_development("bb"), weights=[[1.0, 1.0]])
    with pytest.raises(InputError, match="gives no weights over the tasks"):
        weights_of(Aggregated(aggregator=agg.ConFIG()), step_gradients, torch.ones(1, 2))


def test_there_is_only_one_direction() -> None:
    with pytest.raises(InputError, match="ITMTL decides a direction"):
        Aggregated(aggregator=agg.MGDA(), weighting=ITMTL())
    with pytest.raises(InputError, match="Aggregated decides a direction"):
        ITMTL(weighting=Aggregated(aggregator=agg.MGDA()))


def test_what_cannot_be_an_aggregator_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"instance of a class of torchjd\.aggregation"):
        Aggregated(aggregator=agg.UPGrad)  # type: ignore[arg-type]
    for remembering in (agg.GradVac(), agg.PCD(), agg.ExcessMTL()):
        with pytest.raises(InputError, match="remembers past steps"):
            Aggregated(aggregator=remembering)
    monkeypatch.setitem(sys.modules, "torchjd", None)
    with pytest.raises(InputError, match=r"pip install 'cotrain\[torchjd\]'"):
        Aggregated(aggregator=None)  # type: ignore[arg-type]


def test_a_frozen_encoder_has_nothing_to_aggregate() -> None:
    step_gradients = possible_at(make_development("bb"), weights=[[1.0, 1.0]])
    state = step_gradients.step.state
    heads = {name: tensor for name, tensor in state.params.items() if not is_shared(name)}
    frozen = replace(
        step_gradients, step=replace(step_gradients.step, state=replace(state, params=heads))
    )
    with pytest.raises(InputError, match="no parameter that can be trained"):
        Aggregated(aggregator=agg.MGDA()).gradients(frozen)


def test_low_precision_inner_products_stay_positive() -> None:
    """Rows are rounded to bfloat16 one by one; their products are those of the rounded rows."""
    development = make_development("bb" * 6, missing=0.0)
    exact = possible_at(development, weights=[[1.0] * 12])
    executor = type(exact.executor)(
        make_architecture(development, dropout=0.3, input_dropout=0.3).build(0), torch.bfloat16
    )
    passed = executor.forward(exact.step.state, exact.step.batch)
    low = replace(
        exact, executor=executor, passed=passed, step=replace(exact.step, outputs=passed.outputs)
    )
    close: Tensor = grams(low) / grams(exact).diagonal(dim1=1, dim2=2).mean()
    torch.testing.assert_close(
        close, grams(exact) / grams(exact).diagonal(dim1=1, dim2=2).mean(), atol=0.03, rtol=0.03
    )
    assert torch.linalg.eigvalsh(grams(low))[0, 0] > -1e-6 * grams(low).abs().max()

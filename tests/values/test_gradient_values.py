"""Gradients, moves and similarities of engine points against a slow float64 loop with autograd."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from tiny import first_batch, joint, make_architecture, make_data, make_development, point_of, train
from torch import Tensor, nn
from torch.nn import functional as F

from cotrain.arrays import Array
from cotrain.data.dataset import TaskData
from cotrain.engine.directions import Dense
from cotrain.engine.models.losses import TaskLosses
from cotrain.engine.models.mlp import MLP
from cotrain.engine.models.multitask import MultiTaskNet
from cotrain.engine.optimizers import ADAMW
from cotrain.engine.state import State
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.points.backward import vector_jacobian_products
from cotrain.measure.points.engine_point import EnginePoint
from cotrain.measure.points.factored import Factored
from cotrain.measure.points.model_point import ModelPoint
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep, PlainStep
from cotrain.tasks import Kind, output_slices

KINDS = "brmb"
NAMES = ["b0", "r1", "m2", "b3"]


class Cube(torch.autograd.Function):
    """x³ by way of numpy: torch cannot batch its backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:  # type: ignore[override]
        return torch.from_numpy(3 * ctx.saved_tensors[0].numpy() ** 2 * slope.numpy())


class CubeLayer(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = Cube.apply(x.tanh())  # type: ignore[no-untyped-call]
        return found


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 5)),
        nn.Conv1d(1, 3, 3),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(9, 6),
        nn.Tanh(),
    )


def batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 6))


def mlp() -> nn.Module:
    return MLP(5, widths=(8, 6), dropout=0.3, input_dropout=0.2)


ENCODERS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "wrapped mlp": lambda: nn.Sequential(mlp()),
    "convolutions": convolutions,
    "batch norm": batch_norm,
    "one by one": lambda: nn.Sequential(nn.Linear(5, 7), CubeLayer(), nn.Linear(7, 6)),
}


@dataclass
class Case:
    """A trained network on one batch with missing labels."""

    point: EnginePoint
    net: MultiTaskNet
    data: TaskData
    state: State

    def single(self, net: nn.Module) -> Tensor:
        """``[T, B]`` single losses in float64; rubbish where unlabelled."""
        outputs = net(self.data.inputs.double())
        rows = []
        for t, (task, at) in enumerate(
            zip(self.data.tasks, output_slices(self.data.tasks), strict=True)
        ):
            y = torch.where(self.data.mask[:, t], self.data.targets[:, t], 0.0).double()
            if task.kind is Kind.MULTICLASS:
                rows.append(F.cross_entropy(outputs[:, at], y.long(), reduction="none"))
            elif task.kind is Kind.BINARY:
                rows.append(
                    F.binary_cross_entropy_with_logits(outputs[:, at][:, 0], y, reduction="none")
                )
            else:
                rows.append(0.5 * (outputs[:, at][:, 0] - y) ** 2)
        return torch.stack(rows)

    def loss(self, net: nn.Module, t: int) -> Tensor:
        return self.single(net)[t][self.data.mask[:, t]].mean()

    def means(self, net: nn.Module) -> Array:
        with torch.no_grad():
            return np.array([float(self.loss(net, t)) for t in range(len(self.data.tasks))])

    def gradient(self, loss: Callable[[nn.Module], Tensor]) -> dict[str, Tensor]:
        """Of the encoder, by its name in the state."""
        net = copy.deepcopy(self.net)
        names, params = zip(*net.encoder.named_parameters(), strict=True)
        found = torch.autograd.grad(loss(net), params)
        return {f"encoder.{name}": g for name, g in zip(names, found, strict=True)}

    def task_gradient(self, t: int) -> dict[str, Tensor]:
        return self.gradient(lambda net: self.loss(net, t))

    def losses_after(self, move: dict[str, Tensor]) -> Array:
        net = copy.deepcopy(self.net)
        with torch.no_grad():
            for name, parameter in net.named_parameters():
                parameter += move.get(name, torch.zeros(()))
        return self.means(net)


def case(encoder: str, *, missing: float = 0.3, absent: Sequence[int] = ()) -> Case:
    development = make_development(KINDS)
    architecture = make_architecture(development, encoder=ENCODERS[encoder])
    state = train(development, [joint(4, learning_rate=1e-2)], architecture=architecture).state
    draw = torch.Generator().manual_seed(0)
    head = torch.randn(state.params["head.weight"].shape, generator=draw)
    state.params["head.weight"].copy_(head / 2)
    data = make_data(KINDS, rows=14, missing=missing, seed=5)
    data.mask[:, list(absent)] = False
    point = point_of(
        state,
        first_batch(data, 14),
        architecture=architecture,
        tasks=data.tasks,
        learning_rate=3e-3,
        weight_decay=0.1,
    )
    net = architecture.build(seed=0)
    net.load_state_dict(
        {k: v[0] for k, v in {**state.params, **state.buffers}.items()}, strict=False
    )
    return Case(point, net.double().eval(), data, state)


def assert_gradient(found: Dense, row: int, expected: dict[str, Tensor]) -> None:
    assert found.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(
            found.tensors[name][row].double(), tensor, rtol=1e-4, atol=1e-6, msg=name
        )


def flat(gradient: dict[str, Tensor]) -> Array:
    return np.concatenate([g.flatten().numpy() for g in gradient.values()])


@pytest.mark.parametrize("encoder", ENCODERS)
def test_losses_and_task_gradients(encoder: str) -> None:
    at = case(encoder)
    gradients = at.point.task_gradients()
    assert isinstance(gradients, Factored if encoder == "mlp" else Dense)
    assert gradients.count == 4
    for t in range(4):
        assert float(at.point.losses[t]) == pytest.approx(at.means(at.net)[t], rel=1e-5)
        expected = at.task_gradient(t)
        assert np.abs(flat(expected)).max() > 1e-3
        assert_gradient(gradients.dense(), t, expected)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_gradients_of_single_losses(encoder: str) -> None:
    at = case(encoder)
    tasks, rows = at.data.mask.T.nonzero().T[:, ::3].tolist()
    assert set(tasks) == {0, 1, 2, 3}
    found = at.point.example_gradients(tasks, rows).dense()
    assert found.count == len(tasks)
    for c, (t, b) in enumerate(zip(tasks, rows, strict=True)):
        assert_gradient(found, c, at.gradient(lambda net, t=t, b=b: at.single(net)[t, b]))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_lookahead_of_tasks_and_groups(encoder: str) -> None:
    at = case(encoder)
    groups = [(0, 2), (1, 2, 3), (3,)]
    lookahead = Lookahead(tasks=NAMES, groups=groups, step=PlainStep(size=0.3))
    lookahead.probe(at.point)
    gradients = [at.task_gradient(t) for t in range(4)]
    before = at.means(at.net)
    for column, group in enumerate([(0,), (1,), (2,), (3,), *groups]):
        total = {k: sum(gradients[t][k] for t in group) for k in gradients[0]}
        after = at.losses_after({k: -0.3 * g for k, g in total.items()})  # type: ignore[operator]
        np.testing.assert_allclose(
            lookahead.exact[0][:, column], 1 - after / before, rtol=1e-4, atol=2e-6
        )
        slopes = [0.3 * flat(gradients[j]) @ flat(total) / before[j] for j in range(4)]  # type: ignore[arg-type]
        np.testing.assert_allclose(
            lookahead.first_order[0][:, column], slopes, rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize("encoder", ["mlp", "batch norm", "one by one"])
def test_absent_tasks_are_unknown_and_the_others_as_before(encoder: str) -> None:
    at = case(encoder, absent=[0, 2])
    lookahead = Lookahead(tasks=NAMES, groups=[(1, 3), (0, 1)], step=PlainStep(size=0.3))
    lookahead.probe(at.point)
    known = np.zeros((4, 6), dtype=bool)
    known[np.ix_([1, 3], [1, 3, 4])] = True
    for found in (lookahead.exact[0], lookahead.first_order[0]):
        assert (np.isfinite(found) == known).all()
    after = at.losses_after({k: -0.3 * g for k, g in at.task_gradient(1).items()})
    before = at.means(at.net)
    for j in (1, 3):
        expected = 1 - after[j] / before[j]
        assert lookahead.exact[0][j, 1] == pytest.approx(expected, rel=1e-4, abs=2e-6)
    squares = at.point.task_gradients().inner(at.point.task_gradients()).diagonal()
    assert (squares[[0, 2]] == 0).all()
    assert (squares[[1, 3]] > 0).all()


@pytest.mark.parametrize("encoder", ENCODERS)
def test_own_step_is_what_the_optimizer_does(encoder: str) -> None:
    """Really step a copy of the whole state with one task's gradient, and compare."""
    at = case(encoder)
    assert at.state.step == 24  # the moments are not empty
    gradients = at.point.task_gradients().dense()
    found = at.point.own_step(at.point.task_gradients())
    lookahead = Lookahead(tasks=NAMES, step=OwnStep())
    lookahead.probe(at.point)
    for source in range(4):
        twin = at.state.map(torch.clone)
        ADAMW.step(
            twin,
            {
                k: gradients.tensors[k][source : source + 1]
                if k in gradients.tensors
                else torch.zeros_like(v)
                for k, v in twin.params.items()
            },
            learning_rates=[3e-3],
            weight_decays=[0.1],
            untouched=torch.zeros(6, dtype=torch.bool),
        )
        move = {k: twin.params[k][0] - at.state.params[k][0] for k in gradients.tensors}
        for name, tensor in move.items():
            torch.testing.assert_close(found.tensors[name][source], tensor, rtol=0, atol=0)
        after = at.losses_after({k: v.double() for k, v in move.items()})
        np.testing.assert_allclose(
            lookahead.exact[0][:, source], 1 - after / at.means(at.net), rtol=1e-3, atol=2e-6
        )


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_model_point_of_the_same_network_gives_the_same(encoder: str) -> None:
    at = case(encoder, absent=[3])
    net = copy.deepcopy(at.net).float()
    losses = TaskLosses(at.data.tasks)

    def closure() -> Tensor:
        return losses.per_example(net(at.data.inputs).T, at.data.targets.T)

    theirs = ModelPoint(closure, model=net, shared=net.encoder, mask=at.data.mask.T)
    found = []
    for point in (at.point, theirs):
        lookahead = Lookahead(tasks=NAMES, groups=[(0, 1, 2)], step=PlainStep(size=0.3))
        first, gradients = FirstOrder(tasks=NAMES, step=PlainStep(size=0.3)), Gradients(tasks=NAMES)
        for instrument in (lookahead, first, gradients):
            instrument.probe(point)
        similarity = gradients.similarity()
        found.append(
            [
                lookahead.exact[0],
                lookahead.first_order[0],
                first.samples[0],
                similarity.cosine,
                similarity.magnitude,
                similarity.norms,
                similarity.inter_task,
                similarity.inter_sample,
            ]
        )
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
    assert np.isfinite(found[0][0][:3, :3]).all()


def test_factored_and_dense_gradients_agree() -> None:
    at = case("mlp")
    factored = at.point.task_gradients()
    dense = factored.dense()
    draw = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 4, generator=draw)
    close = {"rtol": 1e-5, "atol": 1e-6}
    assert factored.count == dense.count == 4
    torch.testing.assert_close(factored.inner(factored), dense.inner(dense), **close)
    torch.testing.assert_close(factored.inner(dense), dense.inner(dense), **close)
    torch.testing.assert_close(dense.inner(factored), dense.inner(dense), **close)
    mixed = factored.mix(weights)
    torch.testing.assert_close(mixed.dense().tensors, dense.mix(weights).tensors, **close)
    torch.testing.assert_close(mixed.inner(factored), dense.mix(weights).inner(dense), **close)
    torch.testing.assert_close(
        factored.scaled(-0.7).dense().tensors, dense.scaled(-0.7).tensors, **close
    )
    moves = mixed.scaled(-0.3)
    torch.testing.assert_close(
        at.point.losses_after(moves), at.point.losses_after(moves.dense()), **close
    )
    for c in range(3):
        move = {k: t[c].double() for k, t in moves.dense().tensors.items()}
        np.testing.assert_allclose(
            at.point.losses_after(moves)[c].numpy(), at.losses_after(move), rtol=1e-4
        )


def test_factored_gradients_of_two_batches_meet_written_out() -> None:
    """Their activations differ, so the short cut would be wrong."""
    at = case("mlp")
    batch = at.point.task_gradients()
    single = at.point.example_gradients([0, 1], [0, 1])
    torch.testing.assert_close(
        batch.inner(single), batch.dense().inner(single.dense()), rtol=1e-5, atol=1e-6
    )


def test_many_moves_go_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    at = case("convolutions")
    draw = torch.Generator().manual_seed(0)
    moves = at.point.task_gradients().mix(torch.randn(7, 4, generator=draw))
    whole = at.point.losses_after(moves)
    assert whole.shape == (7, 4)
    size = sum(t[0].numel() * 4 for t in moves.dense().tensors.values())
    for chunk in (1, 2 * size, 7 * size + 1):
        monkeypatch.setattr("cotrain.measure.points.encoders.CHUNK_BYTES", chunk)
        torch.testing.assert_close(at.point.losses_after(moves), whole, rtol=1e-6, atol=1e-7)


def test_backward_passes_one_by_one_equal_a_batched_one() -> None:
    draw = torch.Generator().manual_seed(0)
    w = torch.randn(3, 2, generator=draw, dtype=torch.float64, requires_grad=True)
    unused = torch.randn(4, generator=draw, dtype=torch.float64, requires_grad=True)
    vectors = torch.randn(5, 3, 2, generator=draw, dtype=torch.float64)
    batched = vector_jacobian_products(w**3, [w, unused], vectors)
    cubes = Cube.apply(w)  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError):
        torch.autograd.grad(cubes, w, vectors, is_grads_batched=True, retain_graph=True)
    single = vector_jacobian_products(cubes, [w, unused], vectors)
    for found in (batched, single):
        torch.testing.assert_close(found[0], 3 * w.detach() ** 2 * vectors)
        assert found[1].shape == (5, 4)
        assert (found[1] == 0).all()
        assert found[1].dtype == torch.float64


# Gradient similarity: a slow loop over pairs.


def similarity(a: Array, b: Array) -> tuple[float, float]:
    """Cosine and magnitude similarity, from the definitions."""
    lengths = np.sqrt(a @ a), np.sqrt(b @ b)
    return float(a @ b / (lengths[0] * lengths[1])), float(
        2 * lengths[0] * lengths[1] / (lengths[0] ** 2 + lengths[1] ** 2)
    )


def summary(pairs: list[tuple[float, float]]) -> Array:
    """``[2, 5]`` mean, standard deviation, percentiles, share of conflicts; each pair counts once."""
    values = np.array(pairs)
    found = np.full((2, 5), np.nan)
    for what in range(2):
        v = values[:, what]
        found[what, :4] = v.mean(), v.std(ddof=1), np.percentile(v, 2.5), np.percentile(v, 97.5)
    found[0, 4] = np.mean([cosine < 0 for cosine, _ in pairs])
    return found


@pytest.mark.parametrize("encoder", ["mlp", "convolutions"])
def test_similarity_of_a_small_batch_against_a_slow_loop(encoder: str) -> None:
    """Four tasks and six rows: all are drawn, so the sets of pairs are known."""
    at = case(encoder)
    rows = 6
    point = at.point._on(range(rows))
    at.data = TaskData(
        inputs=at.data.inputs[:rows],
        targets=at.data.targets[:rows],
        mask=at.data.mask[:rows],
        tasks=at.data.tasks,
        columns=at.data.columns[:rows],
        categorical=at.data.categorical,
    )
    assert 4 < int(at.data.mask.sum()) < 24
    gradients = Gradients(tasks=NAMES)
    gradients.probe(point)
    found = gradients.similarity()

    whole = [flat(at.task_gradient(t)) for t in range(4)]
    pairs = []
    for a in range(4):
        assert found.norms[0, a] == pytest.approx(np.sqrt(whole[a] @ whole[a]), rel=1e-4)
        assert np.isnan([found.cosine[a, a], found.magnitude[a, a], found.conflict[a, a]]).all()
        for b in range(a):
            cosine, magnitude = similarity(whole[a], whole[b])
            pairs.append((cosine, magnitude))
            for i, j in ((a, b), (b, a)):
                assert found.cosine[i, j] == pytest.approx(cosine, abs=1e-4)
                assert found.magnitude[i, j] == pytest.approx(magnitude, abs=1e-4)
                assert found.conflict[i, j] == (cosine < 0)
    single = {
        (t, b): flat(at.gradient(lambda net, t=t, b=b: at.single(net)[t, b]))
        for t, b in at.data.mask.T.nonzero().tolist()
    }
    between_tasks = [
        similarity(single[p], single[q]) for p in single for q in single if p < q and p[1] == q[1]
    ]
    between_samples = [
        similarity(single[p], single[q]) for p in single for q in single if p < q and p[0] == q[0]
    ]
    np.testing.assert_allclose(found.inter_task[0], summary(between_tasks), atol=1e-4)
    np.testing.assert_allclose(found.inter_sample[0], summary(between_samples), atol=1e-4)
    np.testing.assert_allclose(found.batches[0], summary(pairs), atol=1e-4)

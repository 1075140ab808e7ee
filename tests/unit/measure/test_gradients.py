"""Epochs, draws and summaries of gradient similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from cotrain.engine.directions import Dense, Directions
from cotrain.errors import InputError
from cotrain.measure.gradients.comparison import Gradients

NAN = float("nan")


class Given:
    """A point whose gradients are written down: ``[T, D]`` of tasks, ``[T, B, D]`` of single losses."""

    step = 5

    def __init__(
        self,
        tasks: Sequence[Sequence[float]],
        *,
        single: Tensor | None = None,
        labelled: Tensor | None = None,
        losses: Sequence[float] | None = None,
    ) -> None:
        self._tasks = torch.tensor(tasks)
        self._single = self._tasks.unsqueeze(1) if single is None else single
        rows = self._single.shape[1]
        self.labelled = (
            torch.ones(len(tasks), rows, dtype=torch.bool) if labelled is None else labelled
        )
        self.present = self.labelled.any(dim=1)
        self.suspects = torch.zeros_like(self.present)
        self.losses = torch.tensor(losses or [1.0 + t for t in range(len(tasks))])
        self.asked: list[tuple[int, int]] = []

    def task_gradients(self) -> Directions:
        return Dense(tensors={"w": torch.where(self.present.unsqueeze(1), self._tasks, 0.0)})

    def example_gradients(self, tasks: Sequence[int], rows: Sequence[int]) -> Directions:
        self.asked += list(zip(tasks, rows, strict=True))
        return Dense(tensors={"w": self._single[list(tasks), list(rows)]})

    def losses_after(self, moves: Directions) -> Tensor:
        raise NotImplementedError

    def own_step(self, gradients: Directions) -> Directions:
        raise NotImplementedError


def angle(degrees: float, length: float = 1.0) -> list[float]:
    return [
        length * float(np.cos(np.deg2rad(degrees))),
        length * float(np.sin(np.deg2rad(degrees))),
    ]


def pair(degrees: float, length: float = 1.0) -> Given:
    """Two tasks at an angle, the second of a given length."""
    return Given([angle(0), angle(degrees, length)])


def cosine(degrees: float) -> float:
    return float(np.cos(np.deg2rad(degrees)))


def probed(points: Sequence[Any], names: str = "ab", *, ends: Sequence[int] = ()) -> Gradients:
    gradients = Gradients(tasks=names)
    for at, point in enumerate(points):
        gradients.probe(point)
        for _ in range(list(ends).count(at + 1)):
            gradients.end_epoch()
    return gradients


def test_means_over_probes_and_shares_of_conflicts() -> None:
    found = probed([pair(60), pair(120), pair(0, 3.0), pair(90)]).similarity()
    assert found.probes == 4
    assert found.cosine[0, 1] == pytest.approx((0.5 - 0.5 + 1 + 0) / 4, abs=1e-6)
    assert found.cosine[1, 0] == found.cosine[0, 1]
    assert found.magnitude[0, 1] == pytest.approx((1 + 1 + 6 / 10 + 1) / 4, abs=1e-6)
    # 90° is a coin toss in float32, so only the sure ones
    assert probed([pair(60), pair(120), pair(170), pair(10)]).similarity().conflict[0, 1] == 0.5
    np.testing.assert_allclose(found.norms, [[1, (1 + 1 + 3 + 1) / 4]], rtol=1e-6)
    # stretches of two probes: 0 and 1/2
    assert found.cosine_error[0, 1] == pytest.approx(0.25, abs=1e-6)


def test_each_epoch_has_its_own_summary() -> None:
    found = probed([pair(0), pair(60), pair(120)], ends=[2, 3]).similarity()
    assert found.batches.shape == (2, 2, 5)
    first, second = found.batches[:, 0]
    assert first[0] == pytest.approx(0.75, abs=1e-6)
    assert first[4] == 0
    assert first[1] == pytest.approx(np.std([1, 0.5], ddof=1), abs=1e-6)
    np.testing.assert_allclose(first[2:4], np.percentile([1, 0.5], [2.5, 97.5]), atol=1e-6)
    np.testing.assert_allclose(second[[0, 2, 3, 4]], [-0.5, -0.5, -0.5, 1], atol=1e-6)
    assert np.isnan(second[1])  # one pair, once: no deviation
    assert found.norms.shape == (2, 2)


def test_probes_after_the_last_closed_epoch_form_one_more() -> None:
    found = probed([pair(0), pair(60)], ends=[1]).similarity()
    np.testing.assert_allclose(found.batches[:, 0, 0], [1, 0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("ends", "means"),
    [([1, 1, 2], [1, np.nan, 0.5]), ([1, 2, 2, 2], [1, 0.5, np.nan, np.nan])],
)
def test_epochs_without_probes_keep_their_place(ends: list[int], means: list[float]) -> None:
    found = probed([pair(0), pair(60)], ends=ends).similarity()
    np.testing.assert_allclose(found.batches[:, 0, 0], means, atol=1e-6)
    go.Figure(found.figure())


def test_no_probe_at_all_has_an_answer() -> None:
    gradients = Gradients(tasks="abc")
    gradients.end_epoch()
    found = gradients.similarity()
    assert found.probes == 0
    assert np.isnan(found.cosine).all()
    assert found.norms.shape == (1, 3)
    assert found.batches.shape == found.inter_task.shape == found.inter_sample.shape == (1, 2, 5)
    assert np.isnan(found.batches).all()
    assert str(found) == "3 tasks, gradients of the shared parameters, 0 probes"


def test_a_zero_gradient_has_no_direction_but_a_length() -> None:
    found = probed([Given([[0.0, 0.0], [3.0, 4.0]])]).similarity()
    assert np.isnan(found.cosine).all()
    assert np.isnan(found.conflict).all()
    np.testing.assert_allclose(found.norms, [[0, 5]])
    assert np.isnan(found.batches).all()


def test_an_absent_task_counts_in_no_mean() -> None:
    absent = Given([angle(0), angle(180)], labelled=torch.tensor([[True], [False]]))
    found = probed([pair(60), absent, pair(60)]).similarity()
    assert found.cosine[0, 1] == pytest.approx(0.5, abs=1e-6)
    assert found.conflict[0, 1] == 0
    np.testing.assert_allclose(found.norms, [[1, 1]], rtol=1e-6)


def test_single_samples_by_hand() -> None:
    """Two tasks on three rows; task 1 is not labelled in row 2."""
    single = torch.tensor(
        [[angle(0), angle(90), angle(180)], [angle(60), angle(30, 2.0), angle(0)]]
    )
    labelled = torch.tensor([[True, True, True], [True, True, False]])
    found = probed([Given([angle(0), angle(1)], single=single, labelled=labelled)]).similarity()
    between_tasks = [cosine(60), cosine(60)]
    between_samples = [cosine(90), cosine(180), cosine(90), cosine(30)]
    for part, values in ((found.inter_task, between_tasks), (found.inter_sample, between_samples)):
        assert part[0, 0, 0] == pytest.approx(np.mean(values), abs=1e-6)
        assert part[0, 0, 1] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
        np.testing.assert_allclose(part[0, 0, 2:4], np.percentile(values, [2.5, 97.5]), atol=1e-6)
    np.testing.assert_allclose(found.inter_task[0, 1, 0], (1 + 4 / 5) / 2, atol=1e-6)


def many(tasks: int, rows: int, labelled: Tensor | None = None) -> Given:
    draw = torch.Generator().manual_seed(0)
    single = torch.randn(tasks, rows, 3, generator=draw)
    return Given(single.mean(dim=1).tolist(), single=single, labelled=labelled)


def test_eight_tasks_and_eight_rows_are_drawn_of_many() -> None:
    point = many(12, 30)
    probed([point], "abcdefghijkl")
    assert len(point.asked) == 64
    assert len({t for t, _ in point.asked}) == len({b for _, b in point.asked}) == 8


def test_draws_differ_by_probe_and_seed_and_repeat() -> None:
    def asked(seed: int) -> list[list[tuple[int, int]]]:
        gradients, points = Gradients(tasks="abcdefghijkl", seed=seed), [many(12, 30), many(12, 30)]
        for point in points:
            gradients.probe(point)
        return [point.asked for point in points]

    assert asked(0) == asked(0)
    assert asked(0)[0] != asked(0)[1]
    assert asked(0)[0] != asked(1)[0]


def test_rows_with_most_labels_are_drawn_and_unlabelled_cells_never_asked() -> None:
    labelled = torch.zeros(3, 40, dtype=torch.bool)
    labelled[:, 10:18] = True
    labelled[0] = True
    point = many(3, 40, labelled)
    probed([point], "abc")
    assert {b for _, b in point.asked} == set(range(10, 18))
    sparse = many(2, 4, torch.tensor([[True, False, True, False], [False, True, True, False]]))
    probed([sparse])
    assert set(sparse.asked) == {(0, 0), (0, 2), (1, 1), (1, 2)}


@pytest.mark.parametrize("row", [0, 1])
def test_a_gradient_that_is_not_finite_names_its_task(row: int) -> None:
    tasks = [angle(0), angle(60)]
    tasks[row] = [NAN, 1.0]
    with pytest.raises(InputError, match=f"gradient of task '{'ab'[row]}' is not finite at step 5"):
        probed([Given(tasks)])


def test_nothing_is_kept_of_a_probe_that_was_refused() -> None:
    gradients = probed([pair(60)])
    with pytest.raises(InputError):
        gradients.probe(Given([[NAN, 1.0], angle(0)]))
    with pytest.raises(InputError):
        gradients.probe(Given([angle(0), angle(0)], losses=[NAN, 1.0]))
    assert gradients.similarity().probes == 1


def test_long_gradients_of_many_parameters_are_compared_without_overflow() -> None:
    big: NDArray[np.float32] = np.array([[3e18, 0], [3e18, 3e18]], dtype=np.float32)
    found = probed([Given(big.tolist())]).similarity()
    assert found.cosine[0, 1] == pytest.approx(np.sqrt(0.5), rel=1e-6)


def test_tiny_gradients_still_have_a_direction() -> None:
    """Late in training gradients are small; their squares leave float32."""
    found = probed([Given([[1e-20, 0.0], [1e-20, 1e-20]])]).similarity()
    assert found.cosine[0, 1] == pytest.approx(np.sqrt(0.5), rel=1e-4)
    assert found.norms[0, 0] == pytest.approx(1e-20, rel=1e-4)

"""Recording: laws, order, resume, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.measure.datamaps.datamap import ARRAYS, DataMap
from cotrain.measure.datamaps.recorder import DataMaps

Array = NDArray[Any]
TASKS, ROWS, EPOCHS, BATCH = 5, 40, 6, 8
NAMES = tuple("abcde")
POISONS = [1e30, 1e300, np.nan, np.inf, -np.inf, -7.0]


def history(seed: int = 0) -> tuple[Array, Array, Array]:
    """``[E, T, N]`` confidence and correctness, ``[T, N]`` mask with an empty last task."""
    draw = np.random.default_rng(seed)
    confidence = draw.random((EPOCHS, TASKS, ROWS)).astype(np.float32)
    mask = draw.random((TASKS, ROWS)) < 0.7
    mask[-1] = False
    return confidence, confidence > 0.5, mask


def play(
    maps: DataMaps, data: tuple[Array, Array, Array], epochs: Sequence[int], seed: int = 0
) -> DataMaps:
    """Record epochs in batches, in an order of their own."""
    confidence, correct, mask = data
    for epoch in epochs:
        order = np.random.default_rng((seed, epoch)).permutation(ROWS)
        for rows in order.reshape(-1, BATCH):
            maps.record(rows, confidence[epoch][:, rows], correct[epoch][:, rows], mask[:, rows])
        maps.end_epoch()
    return maps


def mapped(
    data: tuple[Array, Array, Array], names: Sequence[str] = NAMES, seed: int = 0
) -> DataMap:
    maps = DataMaps(names, rows=ROWS, snapshots=(2, 4))
    return play(maps, data, range(EPOCHS), seed).result()


def equal(a: DataMap, b: DataMap) -> bool:
    same = all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in ARRAYS)
    return same and (a.tasks, a.epochs) == (b.tasks, b.epochs)


def test_batch_order_is_irrelevant() -> None:
    assert equal(mapped(history(), seed=0), mapped(history(), seed=1))


def test_an_example_seen_twice_in_a_batch_counts_twice_in_any_order() -> None:
    maps = DataMaps(["a"], rows=2)
    values, right = np.array([[0.1, 0.6, 0.2, 0.9]]), np.array([[False, True, False, True]])
    maps.record(np.array([1, 0, 1, 1]), values, right)
    maps.end_epoch()
    maps.record(np.array([0]), np.array([[0.8]]), np.array([[True]]))
    maps.end_epoch()
    found = maps.result()
    assert found.observed[-1].tolist() == [[2, 3]]
    assert found.confidence()[0] == pytest.approx([0.7, 0.4], abs=1e-5)
    assert found.variability()[0] == pytest.approx([0.2 / 2**0.5, 0.19**0.5], abs=1e-5)
    assert found.correct[-1].tolist() == [[2, 1]]


@pytest.mark.parametrize("shuffle", range(5))
def test_repeated_rows_in_any_order_agree_to_a_millionth(shuffle: int) -> None:
    draw = np.random.default_rng(9)
    rows, values = draw.integers(0, 10, 200), draw.random((TASKS, 200)).astype(np.float32)
    order = np.random.default_rng(shuffle).permutation(200)
    maps = DataMaps(NAMES, rows=10)
    for part in np.array_split(order, 1 + shuffle):
        maps.record(rows[part], values[:, part], values[:, part] > 0.5)
    state = maps.state()
    expected = np.stack([values[:, rows == i].mean(axis=1) for i in range(10)])
    assert np.abs(state["mean"] - expected).max() < 1e-6
    deviation = np.sqrt(state["squares"] / (state["observed"] - 1.0))
    wanted = np.stack([values[:, rows == i].astype(float).std(axis=1, ddof=1) for i in range(10)])
    assert np.abs(deviation - wanted).max() < 1e-6


@pytest.mark.parametrize("poison", POISONS)
def test_an_unlabelled_cell_has_no_influence(poison: float) -> None:
    confidence, correct, mask = history()
    other = np.where(mask, confidence, np.float64(poison))
    assert equal(mapped((confidence, correct, mask)), mapped((other, correct | ~mask, mask)))


def test_nan_without_a_mask_means_no_label() -> None:
    confidence, correct, mask = history()
    maps = DataMaps(NAMES, rows=ROWS, snapshots=(2, 4))
    for epoch in range(EPOCHS):
        values = np.where(mask, confidence[epoch], np.nan)
        maps.record(torch.arange(ROWS), torch.from_numpy(values), torch.from_numpy(correct[epoch]))
        maps.end_epoch()
    assert equal(maps.result(), mapped(history()))


def test_permuting_tasks_permutes_every_answer_bit_for_bit() -> None:
    order = [3, 0, 4, 1, 2]
    confidence, correct, mask = history()
    plain = mapped(history())
    moved = mapped(
        (confidence[:, order], correct[:, order], mask[order]), [NAMES[t] for t in order]
    )
    for name in ARRAYS:
        assert (getattr(moved, name) == getattr(plain, name)[:, order]).all()
    assert moved.distances().tobytes() == plain.distances()[np.ix_(order, order)].tobytes()
    assert moved.features().tobytes() == plain.features()[order].tobytes()
    for quantity in ("confidence", "variability", "correctness", "forgetting", "easy", "hard"):
        for found, expected in zip(
            getattr(moved.difficulty(), quantity),
            getattr(plain.difficulty(), quantity),
            strict=True,
        ):
            assert found.tobytes() == expected[order].tobytes()
    assert str(moved) == str(plain)
    assert moved.figure() == plain.figure()


@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
def test_interrupt_and_resume_equals_never_interrupted(epochs: int) -> None:
    first = play(DataMaps(NAMES, rows=ROWS, snapshots=(2, 4)), history(), range(epochs))
    state = first.state()
    play(first, history(1), range(2))  # going on does not change a saved state
    second = DataMaps(NAMES, rows=ROWS, snapshots=(2, 4))
    second.load_state(state)
    play(second, history(2), range(2))  # nor does a recorder that was resumed from it
    third = DataMaps(NAMES, rows=ROWS, snapshots=(2, 4))
    third.load_state(state)
    assert equal(play(third, history(), range(epochs, EPOCHS)).result(), mapped(history()))


def test_a_state_survives_a_safetensors_file(tmp_path: Path) -> None:
    first = play(DataMaps(NAMES, rows=ROWS, snapshots=(2, 4)), history(), range(3))
    arrays = {name: torch.from_numpy(array) for name, array in first.state().items()}
    RunFolder(tmp_path).write_tensors("maps.safetensors", arrays, {})
    second = DataMaps(NAMES, rows=ROWS, snapshots=(2, 4))
    second.load_state(RunFolder(tmp_path).read_tensors("maps.safetensors")[0])
    assert equal(play(second, history(), range(3, EPOCHS)).result(), mapped(history()))


def test_resume_in_the_middle_of_an_epoch() -> None:
    confidence, correct, mask = (each[..., :8] for each in history())
    whole, parts = DataMaps(NAMES, rows=8), DataMaps(NAMES, rows=8)
    for epoch in range(2):
        for rows in (np.arange(4), np.arange(4, 8)):
            batch = (confidence[epoch][:, rows], correct[epoch][:, rows], mask[:, rows])
            whole.record(rows, *batch)
            parts.record(rows, *batch)
            state = parts.state()
            parts = DataMaps(NAMES, rows=8)
            parts.load_state(state)
        whole.end_epoch()
        parts.end_epoch()
    assert equal(whole.result(), parts.result())


def test_snapshots_are_the_map_of_a_shorter_training() -> None:
    whole = mapped(history())
    assert whole.epochs == (2, 4, 6)
    for at, epochs in enumerate(whole.epochs):
        short = play(DataMaps(NAMES, rows=ROWS), history(), range(epochs)).result()
        for name in ARRAYS:
            assert (getattr(short, name)[0] == getattr(whole, name)[at]).all()


def test_a_result_does_not_change_when_recording_goes_on() -> None:
    maps = play(DataMaps(NAMES, rows=ROWS), history(), range(3))
    early = maps.result()
    copy = {name: getattr(early, name).copy() for name in ARRAYS}
    play(maps, history(), range(3, 5))
    assert all((getattr(early, name) == copy[name]).all() for name in ARRAYS)
    assert (early.epochs, maps.result().epochs) == ((3,), (5,))


def test_a_last_epoch_that_was_asked_for_is_kept_once() -> None:
    maps = DataMaps(NAMES, rows=ROWS, snapshots=(6, 2, 2, 99))
    assert play(maps, history(), range(EPOCHS)).result().epochs == (2, 6)


def one(maps: DataMaps, value: float, labelled: bool | None = True) -> None:
    cells = np.array([[value, 0.5], [0.5, 0.5]])
    mask = None if labelled is None else np.full((2, 2), labelled)
    maps.record(np.array([3, 1]), cells, cells > 0.5, mask)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.1, 1.01])
def test_what_is_no_confidence_is_refused_by_name_and_epoch(value: float) -> None:
    maps = DataMaps(["tox<b>", "b"], rows=4)
    one(maps, 0.5)
    maps.end_epoch()
    before = maps.state()
    message = rf"task 'tox<b>' in epoch 2 is {np.float32(value)} for example 3, expected 0 to 1"
    with pytest.raises(InputError, match=message):
        one(maps, value)
    after = maps.state()
    assert all((before[name] == after[name]).all() for name in before)


def test_infinity_is_refused_without_a_mask_too() -> None:
    with pytest.raises(InputError, match="task 'a' in epoch 1 is inf for example 3"):
        one(DataMaps(["a", "b"], rows=4), np.inf, None)


def test_the_rounding_of_a_softmax_is_no_error() -> None:
    maps = DataMaps(["a", "b"], rows=4)
    for _ in range(2):
        one(maps, 1.0000001)
        maps.end_epoch()
    assert maps.result().confidence()[0, 3] == 1.0


CELLS = np.full((1, 2), 0.5)
WRONG: list[tuple[str, Callable[[DataMaps], object]]] = [
    (
        r"rows must be whole numbers, found float64",
        lambda m: m.record(np.array([0.0, 1.0]), CELLS, CELLS > 0),
    ),
    (
        r"rows must be \[batch\], found \[1, 2\]",
        lambda m: m.record(np.array([[0, 1]]), CELLS, CELLS),
    ),
    (
        r"rows must be from 0 to 3, found -1 to 0",
        lambda m: m.record(np.array([-1, 0]), CELLS, CELLS > 0),
    ),
    (
        r"rows must be from 0 to 3, found 0 to 4",
        lambda m: m.record(np.array([4, 0]), CELLS, CELLS > 0),
    ),
    (
        r"confidence must be \[tasks, batch\] = \[1, 2\], found \[2, 1\]",
        lambda m: m.record(np.array([0, 1]), CELLS.T, CELLS > 0),
    ),
    (
        r"correct must be \[tasks, batch\] = \[1, 2\], found \[2\]",
        lambda m: m.record(np.array([0, 1]), CELLS, np.array([True, True])),
    ),
    (
        r"labelled must be \[tasks, batch\] = \[1, 2\], found \[1, 1\]",
        lambda m: m.record(np.array([0, 1]), CELLS, CELLS > 0, np.array([[True]])),
    ),
    (r"epoch 1 has no record: call end_epoch\(\) once", lambda m: m.end_epoch()),
    (r"at least two epochs, each ended, found 0 and 0 batches", lambda m: m.result()),
    (r"the state holds no 'epochs' of 4 rows and 1 tasks", lambda m: m.load_state({})),
    (
        r"the state holds no 'mean' of 4 rows and 1 tasks",
        lambda m: m.load_state(DataMaps(["a"], rows=3).state()),
    ),
    (r"snapshots must be epochs from 2 on", lambda _: DataMaps(["a"], rows=1, snapshots=(5, 1))),
    (r"a data map needs tasks and rows, found 0 and 4", lambda _: DataMaps([], rows=4)),
    (r"a data map needs tasks and rows, found 1 and 0", lambda _: DataMaps(["a"], rows=0)),
]


@pytest.mark.parametrize(("message", "use"), WRONG, ids=[m for m, _ in WRONG])
def test_misuse_is_one_clear_error(message: str, use: Callable[[DataMaps], object]) -> None:
    with pytest.raises(InputError, match=message):
        use(DataMaps(["a"], rows=4))


def test_an_open_epoch_has_no_result() -> None:
    maps = play(DataMaps(NAMES, rows=ROWS), history(), range(2))
    maps.record(np.arange(2), np.full((5, 2), 0.5), np.full((5, 2), True))
    with pytest.raises(InputError, match="found 2 and 1 batches of another"):
        maps.result()


def test_the_count_of_observations_does_not_wrap() -> None:
    maps = DataMaps(["a"], rows=1)
    state = maps.state()
    state["observed"][:] = 65534
    maps.load_state(state)
    cell = (np.array([0]), np.array([[0.5]]), np.array([[True]]))
    maps.record(*cell)
    with pytest.raises(InputError, match="more than 65,535 times"):
        maps.record(*cell)


def test_an_empty_batch_is_nothing() -> None:
    maps = play(DataMaps(NAMES, rows=ROWS), history(), range(2))
    expected = maps.result()
    maps.record(np.zeros(0, dtype=int), np.zeros((5, 0)), np.zeros((5, 0), dtype=bool))
    maps.end_epoch()
    assert (maps.result().confidence_levels == expected.confidence_levels).all()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_of_any_precision_that_require_gradients(kind: torch.dtype) -> None:
    maps = DataMaps(["a"], rows=2)
    for value in (0.25, 0.75):
        cells = torch.full((1, 2), value, dtype=kind, requires_grad=True)
        maps.record(torch.arange(2, dtype=torch.int32), cells, cells > 0.5)
        maps.end_epoch()
    assert maps.result().confidence() == pytest.approx(np.full((1, 2), 0.5), abs=1e-5)

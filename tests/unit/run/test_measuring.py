"""The measuring stage from Python: what it returns, what it refuses, what it costs, and resuming."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cotrain import InputError, Settings, from_arrays, plan
from cotrain.data.dataset import SealedTest, Splits
from cotrain.engine.engine import Engine, Update
from cotrain.folder import RunFolder
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.measurement import Measurement
from cotrain.measure.transference.affinity import Affinity
from cotrain.run.measure_tasks import measure_tasks
from cotrain.run.measured import read_measured
from cotrain.run.settings import Instrument

ALL = tuple(Instrument)
LOOKAHEAD, GRADIENTS, DATAMAP, SAMPLED = ALL
FILES = [f"{name}.safetensors" for name in ("affinity", "datamap", "gains", "gradients")]
SMALL = Settings(widths=(8,), low_precision=False, trainings=1, max_groups=2)


class Killed(Exception):
    """Stands for a kill."""


def splits(tasks: int = 3, rows: int = 80) -> Splits:
    """Two binary tasks and a regression task, or some of them."""
    return from_arrays(*arrays(tasks, rows), names=["sign", "same", "sum"][:tasks])


def arrays(tasks: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x = np.random.default_rng(0).normal(size=(rows, 5))
    y = np.stack([x[:, 0] > 0, x[:, 0] + 0.3 * x[:, 1] > 0, 50 + 4 * x[:, 2]], axis=1)
    return x, y[:, :tasks].astype(float)


def with_instruments(*instruments: Instrument, **changes: object) -> Settings:
    return Settings(
        **{
            "widths": (8,),
            "low_precision": False,
            "trainings": 1,
            "max_groups": 2,
            "instruments": instruments,
            **changes,
        }  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Measurement, ...]]:
    out = tmp_path_factory.mktemp("measured") / "run"
    return out, measure_tasks(splits(), out=out, settings=with_instruments(*ALL))


def test_one_result_for_each_instrument(
    measured: tuple[Path, tuple[Measurement, ...]],
) -> None:
    out, found = measured
    assert [type(each) for each in found] == [Affinity, GradientSimilarity, DataMap, Gains]
    assert all(each.tasks == ("sign", "same", "sum") for each in found)
    names = {path.name for path in out.iterdir()}
    assert names == {
        *FILES,
        "run.json",
        "engine.json",
        "joint_run.json",
        "sampling.json",
        "measured.json",
    }
    again = read_measured(RunFolder(out))
    assert [str(each) for each in again.all()] == [str(each) for each in found]
    assert again.further() == again.all()[1:]
    assert again.joint_run.trainings == 1
    assert again.sampling is not None
    assert isinstance(found[3], Gains)
    assert len(found[3].sets) == 5  # three alone, all together, one more
    assert again.sampling.trainings == 2 * 5  # two seeds
    assert np.isfinite(found[3].standard_error[found[3].sets]).all()


@pytest.mark.parametrize("instrument", [GRADIENTS, DATAMAP])
def test_instruments_do_not_change_what_the_others_see(
    measured: tuple[Path, tuple[Measurement, ...]], instrument: Instrument, tmp_path: Path
) -> None:
    out, _ = measured
    found = measure_tasks(splits(), out=tmp_path / "run", settings=with_instruments(instrument))
    assert type(found[0]) is Affinity  # always
    assert len(found) == 2
    written = sorted(path.name for path in (tmp_path / "run").glob("*.safetensors"))
    assert len(written) == 2
    for name in written:
        assert (tmp_path / "run" / name).read_bytes() == (out / name).read_bytes(), name


def test_asked_again_it_reads_back(
    measured: tuple[Path, tuple[Measurement, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, found = measured

    def build(*_: object) -> Engine:
        raise AssertionError("built an engine")

    monkeypatch.setattr("cotrain.run.measure_tasks.build_engine", build)
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = measure_tasks(splits(), out=out, settings=with_instruments(*ALL))
    assert [str(each) for each in again] == [str(each) for each in found]
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        ({"instruments": (LOOKAHEAD,)}, "settings (instruments)"),
        ({"trainings": 2, "probe_every": 3}, "settings (probe_every, trainings)"),
        ({"probe_step": 0.2}, "settings (probe_step)"),
    ],
)
def test_other_settings_are_refused(
    measured: tuple[Path, tuple[Measurement, ...]], changes: dict[str, object], differs: str
) -> None:
    out, _ = measured
    message = (
        f"{out} holds a run with other {differs}: repeat the command of that run, or choose "
        "another --out"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        measure_tasks(splits(), out=out, settings=with_instruments(*ALL, **changes))


def test_the_test_rows_stay_sealed(
    measured: tuple[Path, tuple[Measurement, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def open_for(*_: object) -> None:
        raise AssertionError("opened")

    data = splits()
    hidden = next(v for name, v in vars(data.test).items() if name.endswith("__data"))
    hidden.inputs.fill_(float("nan"))
    hidden.targets.fill_(float("nan"))
    monkeypatch.setattr(SealedTest, "open_for", open_for)
    found = measure_tasks(data, out=tmp_path / "run", settings=with_instruments(*ALL))
    assert [str(each) for each in found] == [str(each) for each in measured[1]]


@pytest.mark.parametrize("stage", ["measure", "sampled-1"])
def test_killed_and_resumed_equals_uninterrupted(
    measured: tuple[Path, tuple[Measurement, ...]],
    tmp_path: Path,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, found = measured
    monkeypatch.setitem(Engine.__init__.__kwdefaults__, "checkpoint_seconds", 0.0)  # type: ignore[arg-type]
    seen: list[int] = []

    def kill(update: Update) -> None:
        if update.stage == stage:
            seen.append(update.done)
            if len(seen) == 7:
                raise Killed

    options = {"out": tmp_path / "run", "settings": with_instruments(*ALL)}
    with pytest.raises(Killed):
        measure_tasks(splits(), watch=kill, **options)  # type: ignore[arg-type]
    assert len(list((tmp_path / "run/population").glob("*.checkpoint.safetensors"))) == 1
    again: list[Update] = []
    resumed = measure_tasks(splits(), watch=again.append, **options)  # type: ignore[arg-type]
    assert [str(each) for each in resumed] == [str(each) for each in found]
    for name in FILES:
        assert (tmp_path / "run" / name).read_bytes() == (out / name).read_bytes(), name
    assert {p.name for p in (tmp_path / "run").iterdir()} == {p.name for p in out.iterdir()}
    assert min(u.done for u in again if u.stage == stage) > seen[0]  # went on
    costs, expected = (read_measured(RunFolder(f)) for f in (tmp_path / "run", out))
    assert costs.joint_run.examples == expected.joint_run.examples
    assert costs.sampling is not None
    assert expected.sampling is not None
    assert costs.sampling.examples == expected.sampling.examples


def test_a_run_of_another_verb_is_refused(
    measured: tuple[Path, tuple[Measurement, ...]],
) -> None:
    out, _ = measured
    with pytest.raises(InputError, match=f"^{re.escape(str(out))} holds a run with other verb: "):
        plan(splits(), out=out, settings=with_instruments(*ALL))


def test_one_task(tmp_path: Path) -> None:
    affinity, gradients, datamap, gains = measure_tasks(
        splits(1), out=tmp_path / "run", settings=with_instruments(*ALL)
    )
    assert isinstance(affinity, Affinity)
    assert np.isnan(affinity.mean).all()
    assert affinity.mean.shape == (1, 1)
    assert affinity.probes > 0
    assert isinstance(gradients, GradientSimilarity)
    assert np.isnan(gradients.cosine).all()
    assert np.isfinite(gradients.inter_sample[:, 0, 0]).any()
    assert isinstance(datamap, DataMap)
    assert datamap.observed.shape == (1, 1, 64)
    assert isinstance(gains, Gains)
    assert (gains.sets.tolist(), gains.gain.tolist()) == ([[True]], [[0.0]])
    assert all(each.figure()["data"] is not None for each in (affinity, gradients, datamap, gains))


class Features(nn.Module):
    """A linear layer, and something done to it."""

    def __init__(self, change: Callable[[Tensor, Tensor], Tensor] = lambda h, _: h) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 8)
        self.change = change

    def forward(self, inputs: Tensor) -> Tensor:
        return self.change(torch.relu(self.layer(inputs)), self.layer.weight)


def never_finite(features: Tensor, _: Tensor) -> Tensor:
    return features * float("nan")


def overflowing(features: Tensor, _: Tensor) -> Tensor:
    return 1e18 * features


def breaking_later(features: Tensor, weight: Tensor) -> Tensor:
    """Infinite as soon as a weight has grown beyond 0.6."""
    return features / (1 - (weight.abs().max() > 0.6).float())


@pytest.mark.parametrize(
    ("change", "instruments"),
    [
        pytest.param(never_finite, (LOOKAHEAD,)),
        (never_finite, ALL),
        (overflowing, (LOOKAHEAD,)),
        (overflowing, ALL),
        (breaking_later, (LOOKAHEAD,)),
        (breaking_later, ALL),
    ],
)
def test_an_encoder_that_diverges_is_refused_and_the_task_named(
    tmp_path: Path,
    change: Callable[[Tensor, Tensor], Tensor],
    instruments: tuple[Instrument, ...],
) -> None:
    with pytest.raises(InputError, match=r"task '(sign|same|sum)'"):
        measure_tasks(
            splits(rows=160),
            out=tmp_path / "run",
            encoder=lambda: Features(change),
            settings=with_instruments(*instruments),
        )
    assert not (tmp_path / "run/measured.json").exists()
    assert not (tmp_path / "run/affinity.safetensors").exists()


@pytest.mark.parametrize("instruments", [(LOOKAHEAD,), ALL])
def test_a_run_that_only_validation_sees_diverge_is_refused(
    tmp_path: Path, instruments: tuple[Instrument, ...]
) -> None:
    """With these rows, the weight grows beyond its limit in the last step of an epoch."""
    with pytest.raises(InputError, match=r"diverge|not finite|is nan|is inf"):
        measure_tasks(
            splits(rows=80),
            out=tmp_path / "run",
            encoder=lambda: Features(breaking_later),
            settings=with_instruments(*instruments),
        )


@pytest.mark.parametrize("instruments", [(LOOKAHEAD,), ALL])
def test_a_frozen_encoder_shares_nothing_to_measure(
    tmp_path: Path, instruments: tuple[Instrument, ...]
) -> None:
    message = (
        "the encoder has no parameter that can be trained, so the tasks share nothing to measure: "
        "unfreeze some of its layers"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        measure_tasks(
            splits(),
            out=tmp_path / "run",
            encoder=lambda: Features().requires_grad_(False),
            settings=with_instruments(*instruments),
        )


def test_an_encoder_of_ones_own(tmp_path: Path) -> None:
    found = measure_tasks(splits(), out=tmp_path / "run", encoder=Features, settings=SMALL)
    (affinity,) = (own for own in found if isinstance(own, Affinity))
    assert np.isfinite(affinity.mean[~np.eye(3, dtype=bool)]).all()


PROBING = {"instruments": (LOOKAHEAD, GRADIENTS)}


def spent(out: Path, data: Splits, settings: Settings) -> tuple[float, float, float]:
    """Joint runs of a plan: granted, in all, and of the measuring."""
    result, _ = plan(data, out=out, settings=settings)
    runs = {line.stage: line.joint_runs for line in result.costs}
    networks = {stage: own for stage, own in runs.items() if not math.isnan(own)}
    assert len(networks) == len(runs) - 3  # all but linear models and trees
    measuring = sum(own for stage, own in networks.items() if stage.startswith("measure: "))
    assert measuring > 0
    return result.budget, sum(networks.values()), measuring


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (80, {"instruments": ALL}),
        (80, PROBING | {"probe_every": 1}),
        pytest.param(42, PROBING | {"probe_every": 1}),
    ],
)
def test_the_whole_protocol_keeps_its_budget(
    tmp_path: Path, rows: int, changes: dict[str, object]
) -> None:
    """Law 8: of 42 rows 33 are for training, three batches of 11 instead of 16."""
    given = {"seeds": 2, "max_groups": 1, **changes}
    granted, total, measuring = spent(tmp_path, splits(rows=rows), with_instruments(**given))  # type: ignore[arg-type]
    assert total <= granted
    assert measuring <= granted - 5 * 2.5  # five vectors: two seeds, and the two short settings


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(PROBING),
        {"instruments": (LOOKAHEAD,), "probe_every": 1},
    ],
)
def test_the_least_budget_is_kept(tmp_path: Path, changes: dict[str, object]) -> None:
    """Law 8, in runs as short as they can be."""
    given = {"seeds": 2, "max_groups": 1, **changes}
    with pytest.raises(InputError) as caught:
        plan(splits(), out=tmp_path, settings=with_instruments(**given, budget=1e-3))  # type: ignore[arg-type]
    least = re.search(r"the least is (\d+) joint run", str(caught.value))
    assert least
    settings = with_instruments(**given, budget=float(least[1]))  # type: ignore[arg-type]
    granted, total, _ = spent(tmp_path, splits(), settings)
    assert total <= granted == float(least[1])

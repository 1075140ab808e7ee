"""``cotrain run --group-by datamap`` and ``cotrain group``: deciding otherwise, and deciding again."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from end_to_end.command import Outcome, cotrain, small_table, write_table
from sklearn.metrics import roc_auc_score

from cotrain import Settings, from_arrays, plan
from cotrain.grouping import Membership
from cotrain.run.decision import Decision
from cotrain.run.mixture import Mixture
from cotrain.run.settings import Instrument
from cotrain.run.shipping import what_ships

TARGETS = ("--targets", "up,twice,price,coin")
BY = ("--group-by", "lookahead")
SHORT = ("--seeds", "2", "--max-groups", "2", "--float32", "--budget", "12")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A table with a coin flip, and a finished run that grouped by data maps."""

    frame: pl.DataFrame
    folder: Path

    def group(self, *options: str) -> Outcome:
        return cotrain("group", self.folder, *options)

    def read(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    home = tmp_path_factory.mktemp("grouped")
    coin = np.random.default_rng(5).integers(0, 2, 240)
    frame = small_table(240).with_columns(pl.Series("coin", coin))
    table = write_table(home / "t.csv", frame)
    outcome = cotrain(
        "run", table, *TARGETS, *SHORT, "--group-by", "datamap", "--out", home / "run"
    )
    assert outcome.code == 0, outcome.err
    return Run(frame=frame, folder=home / "run")


def groups(found: dict[str, Any]) -> list[list[str]]:
    return sorted(sorted(group["tasks"]) for group in found["groups"])


def test_coin_flips_are_alone_on_the_data_map(finished: Run) -> None:
    grouping = finished.read("result.json")["grouping"]
    assert grouping["decided_by"] == "data maps"
    assert ["coin"] in groups(grouping)
    page = (finished.folder / "report.html").read_text()
    assert "<h2>Data map</h2>" in page  # measured because it decides
    assert "a heuristic, nothing is proven" in page


def test_soft_clusters_predict_what_was_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All tasks served by two models with shares: the shipped mixture scores as the proof says."""
    soft = Membership(weights=((1.0, 0.4), (0.0, 0.6)), shares=((1.0, 0.0), (0.4, 0.6)))
    nan = float("nan")
    decision = Decision(
        membership=soft,
        by=Instrument.DATAMAP,
        objective=0.0,
        bound=nan,
        exact=False,
        alternatives=(),
    )
    mixtures: list[Mixture] = []

    def by_groups(*arguments: Any) -> Mixture:
        mixtures.append(dataclasses.replace(what_ships(*arguments), weights=({"groups": 1.0},) * 2))
        return mixtures[0]

    monkeypatch.setattr("cotrain.run.plan.decide", lambda *_: decision)
    monkeypatch.setattr("cotrain.run.plan.what_ships", by_groups)
    x = np.random.default_rng(0).normal(size=(200, 5))
    y = np.stack([x[:, 0] > 0, x[:, 0] + x[:, 1] > 0.3], axis=1).astype(float)
    splits = from_arrays(x, y, names=["a", "b"])
    settings = Settings(seeds=2, budget=8.0, max_groups=2, low_precision=False)
    result, predictor = plan(splits, out=tmp_path / "run", settings=settings)
    test = splits.test.open_for(mixtures[0])
    found = predictor.predict(test.inputs.numpy())
    own = [roc_auc_score(test.targets[:, t], found[name]) for t, name in enumerate("ab")]
    assert own == pytest.approx([task.shipped for task in result.tasks], abs=1e-9)
    assert [task.weights for task in result.tasks] == [{"groups": 1.0}] * 2
    assert list(predictor.shares) == ["groups"]
    shares = predictor.shares["groups"]
    assert shares.sum(dim=0).tolist() == pytest.approx([2.0, 2.0])  # one a seed
    seeds = np.array(predictor.seeds)
    assert sorted(seeds[shares[:, 1] > 0].tolist()) == [0, 0, 1, 1]


def test_deciding_again_takes_no_training(finished: Run) -> None:
    before = (finished.folder / "plan.json").read_text()
    outcome = finished.group("--max-groups", "3", "--apart", "up,twice", "--group-by", "lookahead")
    assert outcome.code == 0, outcome.err
    found = finished.read("group.json")
    assert found["decided_by"] == "transference"
    assert not [g for g in groups(found) if {"up", "twice"} <= set(g)]
    assert {name for g in groups(found) for name in g} == {"up", "twice", "price", "coin"}
    assert len(found["groups"]) <= 3
    for words in ("Groups by transference", "proven optimal", "chosen", "Stability", "group.html"):
        assert words in outcome.out
    page = (finished.folder / "group.html").read_text()
    assert "apart &#39;up&#39; and &#39;twice&#39;" in page
    assert 'data-plot="alternatives"' in page
    assert (finished.folder / "plan.json").read_text() == before


def test_number_size_and_helpers(finished: Run) -> None:
    """One model for all."""
    outcome = finished.group("--max-groups", "1", "--group-by", "lookahead", "--auxiliary", "coin")
    assert outcome.code == 0, outcome.err
    assert len(finished.read("group.json")["groups"]) == 1
    outcome = finished.group("--max-size", "1", "--max-groups", "4", "--group-by", "lookahead")
    assert groups(finished.read("group.json")) == [["coin"], ["price"], ["twice"], ["up"]]
    assert "0.0000, proven optimal" in outcome.out


def test_by_datamap_again(finished: Run) -> None:
    outcome = finished.group("--group-by", "datamap", "--max-groups", "2")
    assert outcome.code == 0, outcome.err
    assert "Stability" not in outcome.out
    assert groups(finished.read("group.json")) == groups(finished.read("result.json")["grouping"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--group-by", "sampled"], "sampled was not measured: measure again with --with sampled"),
        (
            ["--group-by", "guess"],
            "--group-by 'guess': there is lookahead, gradients, datamap, sampled",
        ),
        (["--apart", "up"], "--apart 'up': write two targets, A,B"),
        (["--apart", "up,twise"], "there is no task 'twise': did you mean 'twice'?"),
        (["--max-groups", "1", "--apart", "up,twice", *BY], "no groups serve all 4 tasks under"),
        (["--group-by", "datamap", "--together", "up,twice"], "no demand but the number of groups"),
    ],
)
def test_bad_demands(finished: Run, options: list[str], said: str) -> None:
    outcome = finished.group(*options)
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert said in outcome.err


def test_a_folder_without_measurements(tmp_path: Path) -> None:
    outcome = cotrain("group", tmp_path)
    assert (outcome.code, "holds no measurements" in outcome.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_run_refuses_demands_before_it_trains(tmp_path: Path) -> None:
    table, folder = write_table(tmp_path / "t.csv"), tmp_path / "run"
    options = ("--targets", "up,twice,price", "--apart", "up,prize")
    outcome = cotrain("run", table, *options, "--out", folder)
    assert outcome.code == 2
    assert "there is no task 'prize': did you mean 'price'?" in outcome.err
    assert not folder.exists()

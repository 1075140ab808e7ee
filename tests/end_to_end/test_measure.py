"""``cotrain measure``, and what ``cotrain run`` does with further instruments."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from end_to_end.command import QUICK, Outcome, cotrain, small_table, write_table

from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.transference.affinity import Affinity

NAMES = ["up", "twice", "price"]
TARGETS = ("--targets", ",".join(NAMES))
ALL = "lookahead,gradients,datamap,sampled"
OPTIONS = ("--with", ALL, "--trainings", "2", "--max-groups", "2", "--float32")
TITLES = ["Transference", "Gradient similarity", "Data map", "Gains of task sets"]
FURTHER = ("--with", "sampled,gradients,datamap", "--trainings", "2")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A table whose first three rows have no label, and what was measured on it."""

    frame: pl.DataFrame
    table: Path
    folder: Path
    outcome: Outcome

    def again(self, *options: str | Path, verb: str = "measure") -> Outcome:
        return cotrain(verb, self.table, *TARGETS, "--out", self.folder, *options)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    home = tmp_path_factory.mktemp("measured")
    row = pl.int_range(pl.len())
    frame = small_table(120).with_columns(
        pl.when((row < 3) | ((row % 7 == 0) & (name == "price"))).then(None).otherwise(pl.col(name))
        .alias(name)
        for name in NAMES
    )  # fmt: skip
    table = write_table(home / "t.csv", frame)
    outcome = cotrain("measure", table, *TARGETS, "--out", home / "run", *OPTIONS)
    assert outcome.code == 0, outcome.err
    return Measured(frame=frame, table=table, folder=home / "run", outcome=outcome)


def without_nonce(page: str) -> str:
    return re.sub(r"nonce[-=]\"?[0-9a-f]{32}", "", page)


def test_what_is_in_the_folder(measured: Measured) -> None:
    assert sorted(path.name for path in measured.folder.iterdir()) == [
        "affinity.safetensors",
        "datamap.safetensors",
        "engine.json",
        "gains.safetensors",
        "gradients.safetensors",
        "joint_run.json",
        "measure.html",
        "measured.json",
        "run.json",
        "sampling.json",
    ]
    assert sorted(path.name for path in measured.folder.parent.iterdir()) == ["run", "t.csv"]
    run = json.loads((measured.folder / "run.json").read_text())
    assert (run["verb"], run["title"]) == ("measure", "t")


def test_every_file_holds_its_measurement(measured: Measured) -> None:
    affinity = Affinity.load(measured.folder / "affinity.safetensors")
    gradients = GradientSimilarity.load(measured.folder / "gradients.safetensors")
    datamap = DataMap.load(measured.folder / "datamap.safetensors")
    gains = Gains.load(measured.folder / "gains.safetensors")
    for found in (affinity, gradients, datamap, gains):
        assert found.tasks == tuple(NAMES)
    others = ~np.eye(3, dtype=bool)
    assert affinity.mean.shape == gradients.cosine.shape == (3, 3)
    assert np.isfinite(affinity.mean[others]).all()
    assert np.isfinite(gradients.cosine[others]).all()
    assert affinity.probes == gradients.probes > 20
    epochs = gradients.norms.shape[0]
    assert gradients.norms.shape == (epochs, 3)
    assert gradients.inter_task.shape == gradients.batches.shape == (epochs, 2, 5)
    assert datamap.epochs[-1] >= epochs > 1  # epochs without a probe are left out
    # singles, all together, and two of the three pairs; two seeds each
    assert gains.sets.shape == gains.gain.shape == gains.standard_error.shape == (6, 3)
    assert sorted(gains.sets.sum(axis=1).tolist()) == [1, 1, 1, 2, 2, 3]
    assert np.isfinite(gains.gain[gains.sets]).all()
    assert np.isfinite(gains.standard_error[gains.sets]).all()
    with pytest.raises(Exception, match="holds a Gains, not a Affinity"):
        Affinity.load(measured.folder / "gains.safetensors")


def test_the_map_knows_the_rows_of_the_table(measured: Measured) -> None:
    datamap = DataMap.load(measured.folder / "datamap.safetensors")
    rows = datamap.numbers
    assert datamap.observed.shape == (1, 3, len(rows))
    assert len(rows) == len(set(rows.tolist())) == 93  # 80 % of 117
    assert rows.min() >= 3  # the first three have no label
    assert rows.max() < 120
    labelled = measured.frame[rows.tolist()].select(pl.col(NAMES).is_not_null()).to_numpy()
    assert not labelled[:, 2].all()
    np.testing.assert_array_equal(datamap.observed[0].T > 0, labelled)


def test_it_prints_every_result_and_where_the_page_is(measured: Measured) -> None:
    out = measured.outcome.out
    places = [out.index(f"\n\n{title}\n") for title in TITLES]
    assert places == sorted(places)
    assert "\n3 tasks, lookahead, plain SGD step of 0.1, " in out
    assert "\n3 tasks, gradients of the shared parameters, " in out
    assert "\n6 sets of 3 tasks trained\n" in out
    assert "note: 3 of 120 rows dropped: they have no label" in out
    assert out.endswith(f"\nreport: {measured.folder / 'measure.html'}\n")
    assert measured.outcome.err == ""
    loaded = Gains.load(measured.folder / "gains.safetensors")
    assert f"{TITLES[-1]}\n{loaded}\n" in out


def test_the_page_has_a_section_for_each(measured: Measured) -> None:
    page = (measured.folder / "measure.html").read_text()
    assert re.findall("<h2>(.*?)</h2>", page) == TITLES
    assert "<title>cotrain: t</title>" in page


def test_resuming_a_finished_measurement_only_shows_it_again(measured: Measured) -> None:
    kept = [path for path in measured.folder.iterdir() if path.name != "measure.html"]
    times = {path: path.stat().st_mtime_ns for path in kept}
    page = without_nonce((measured.folder / "measure.html").read_text())
    first, second = (measured.again(*OPTIONS, "--resume") for _ in range(2))
    assert (first.code, first.err) == (0, "")
    assert second.out == first.out
    progress = re.compile(r"^(measure|sampled-\d) …\n", re.MULTILINE)
    assert progress.search(measured.outcome.out)
    assert not progress.search(first.out)
    assert first.out == progress.sub("", measured.outcome.out)
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert without_nonce((measured.folder / "measure.html").read_text()) == page
    assert sorted(measured.folder.iterdir()) == sorted([*kept, measured.folder / "measure.html"])


@pytest.mark.parametrize(
    ("verb", "changes", "differs"),
    [
        ("measure", {"--with": "lookahead"}, "settings (instruments)"),
        ("measure", {"--trainings": "3"}, "settings (trainings)"),
        ("measure", {"--trainings": "3", "--max-groups": "1"}, "settings (max_groups, trainings)"),
        ("measure", {"--seed": "1"}, "data"),
        ("run", {}, "verb"),
    ],
)
def test_another_option_is_refused_by_name(
    measured: Measured, verb: str, changes: dict[str, str], differs: str
) -> None:
    given = dict(zip(OPTIONS[:-1:2], OPTIONS[1:-1:2], strict=True)) | changes
    flat = [word for pair in given.items() for word in pair]
    outcome = measured.again(*flat, "--float32", "--resume", verb=verb)
    assert (outcome.code, outcome.err) == (
        2,
        f"error: {measured.folder} holds a run with other {differs}: repeat the command of that "
        "run, or choose another --out\n",
    )


def test_without_resume_the_folder_is_taken(measured: Measured) -> None:
    outcome = measured.again(*OPTIONS)
    assert (outcome.code, outcome.err) == (
        2,
        f"error: --out {measured.folder} holds a run: add --resume, or choose another folder\n",
    )


def test_names_of_instruments_in_any_order_and_case(measured: Measured) -> None:
    mixed = ("--with", " Sampled,,datamap", "--with", "GRADIENTS,lookahead", *OPTIONS[2:])
    outcome = measured.again(*mixed, "--resume")
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("verb", ["measure", "run"])
@pytest.mark.parametrize("given", ["lookahed", "gradients,lookahed"])
def test_an_instrument_that_is_not_there(tmp_path: Path, verb: str, given: str) -> None:
    table = write_table(tmp_path / "t.csv")
    outcome = cotrain(verb, table, *TARGETS, "--with", given, "--out", tmp_path / "run")
    assert (outcome.code, outcome.out, outcome.err) == (
        2,
        "",
        "error: --with 'lookahed': there is lookahead, gradients, datamap, sampled\n",
    )
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize("verb", ["measure", "run"])
def test_fewer_than_no_trainings(tmp_path: Path, verb: str) -> None:
    table = write_table(tmp_path / "t.csv")
    outcome = cotrain(verb, table, *TARGETS, "--trainings", "-1", "--out", tmp_path / "run")
    assert (outcome.code, outcome.out) == (2, "")
    assert "Invalid value for '--trainings'" in outcome.err
    assert list(tmp_path.iterdir()) == [table]


SCRIPT, CLIMB, MARKUP = "<script>alert(1)</script>", "../../x", "[red]b[/red] </script><b>"


def hostile_table(path: Path, third: str) -> Path:
    """The small table with hostile names."""
    frame = small_table(60).rename({"up": SCRIPT, "twice": CLIMB, "price": third})
    return write_table(path, frame)


def test_hostile_task_names_are_only_text(tmp_path: Path) -> None:
    table = hostile_table(tmp_path / "t.csv", MARKUP)
    targets = [word for name in (SCRIPT, CLIMB, MARKUP) for word in ("--targets", name)]
    folder = tmp_path / "deep/down/run"
    outcome = cotrain("measure", table, *targets, *OPTIONS, "--out", folder)
    assert outcome.code == 0, outcome.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "t.csv"]
    assert list((tmp_path / "deep/down").iterdir()) == [folder]
    assert not [path for path in folder.iterdir() if re.search("script|x$|[<>]", path.name)]
    assert Gains.load(folder / "gains.safetensors").tasks == (SCRIPT, CLIMB, MARKUP)
    page = (folder / "measure.html").read_text()
    assert SCRIPT not in page
    assert "</script><b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    for name in (SCRIPT, CLIMB, MARKUP):
        assert f"  {name}: best" in outcome.out


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    name = "\x1b[31mred"
    table = hostile_table(tmp_path / "t.csv", name)
    outcome = cotrain("measure", table, "--targets", name, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "\ufffd[31mred" in outcome.out
    assert "\x1b" not in outcome.out


def test_one_task(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", small_table(60))
    folder = tmp_path / "run"
    options = ("--targets", "up", "--ignore", "twice,price", *OPTIONS)
    outcome = cotrain("measure", table, *options, "--out", folder)
    assert (outcome.code, outcome.err) == (0, "")
    assert "up: never in company" in outcome.out
    assert Gains.load(folder / "gains.safetensors").sets.tolist() == [[True]]
    assert re.findall("<h2>(.*?)</h2>", (folder / "measure.html").read_text()) == TITLES


def ledger(folder: Path) -> dict[str, float]:
    """Joint runs of every stage that trained networks."""
    costs = json.loads((folder / "result.json").read_text())["costs"]
    runs = {line["stage"]: float(line["joint_runs"]) for line in costs}
    assert len(runs) == len(costs)
    return {stage: own for stage, own in runs.items() if math.isfinite(own)}


def test_a_run_with_all_instruments_keeps_its_budget(tmp_path: Path) -> None:
    """So small a budget that trainings are shorter; the sampled gains decide."""
    budget = 10
    table, folder = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "run"
    options = ("--seeds", "2", "--max-groups", "1", "--float32", "--budget", str(budget))
    outcome = cotrain("run", table, *TARGETS, *options, *FURTHER, "--out", folder)
    assert outcome.code == 0, outcome.err
    runs = ledger(folder)
    assert {"measure: joint run", "measure: task sets"} <= runs.keys()
    assert all(own > 0 for own in runs.values())
    assert sum(runs.values()) <= budget
    result = json.loads((folder / "result.json").read_text())
    assert result["budget"] == budget
    assert result["grouping"]["decided_by"] == "sampled gains"
    page = (folder / "report.html").read_text()
    assert [title for title in TITLES if f"<h2>{title}</h2>" in page] == TITLES[1:]
    assert "sampled gains" in page
    kept = {path.name for path in folder.iterdir()}
    assert {"affinity", "datamap", "gains", "gradients"} == {
        name.removesuffix(".safetensors") for name in kept if name.endswith(".safetensors")
    }
    assert kept.isdisjoint({"population", "scores", "trees"})


@pytest.mark.parametrize(
    ("options", "decided_by", "measured", "kept"),
    [
        ((), "sampled gains", "measure: task sets", {"gains"}),
        (
            ("--group-by", "lookahead"),
            "transference",
            "measure: joint run",
            {"affinity", "stability"},
        ),
    ],
)
def test_a_run_measures_only_what_decides(
    tmp_path: Path, options: tuple[str, ...], decided_by: str, measured: str, kept: set[str]
) -> None:
    table, folder = write_table(tmp_path / "t.csv", small_table(80)), tmp_path / "run"
    outcome = cotrain("run", table, *TARGETS, *QUICK, *options, "--out", folder)
    assert outcome.code == 0, outcome.err
    result = json.loads((folder / "result.json").read_text())
    assert result["grouping"]["decided_by"] == decided_by
    assert [stage for stage in ledger(folder) if stage.startswith("measure: ")] == [measured]
    page = (folder / "report.html").read_text()
    assert not [title for title in TITLES[1:] if f"<h2>{title}</h2>" in page and options]
    assert {path.stem for path in folder.glob("*.safetensors")} == kept

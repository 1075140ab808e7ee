"""Law 5: test rows are reachable only with a finished decision."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api
from tiny import make_data, make_development

from cotrain.data.dataset import FinishedDecision, SealedTest, Splits
from cotrain.run.mixture import Mixture

PROLOGUE = """
from collections.abc import Sequence
import torch
from cotrain.baselines.boosted import tree_data
from cotrain.run.mixture import Mixture, mix
from cotrain.engine.tuning import member_scores, tuned
from cotrain.data.dataset import Development, FinishedDecision, SealedTest, Splits, TaskData
from cotrain.grouping import exact_grouping, group_tasks
from cotrain.engine.engine import Engine
from cotrain.engine.trained import Trained
from cotrain.engine.training import start, train_cohort
from cotrain.contenders import Trees
from cotrain.engine.build import architecture_of
from cotrain.run.evaluation import evaluate
from cotrain.studies.trainer import StudyDesign
from cotrain.studies.scalarization.trainer import PairTrainer
from cotrain.studies.scalarization.pairs import Size
"""
# One line a function, so an error names the line; `ok` lines must pass.
CASES = """
def f(splits: Splits) -> None: tree_data(splits, 0)
def f(splits: Splits) -> None: architecture_of(splits)
def f(splits: Splits, e: Engine) -> None: start([], e.architecture, splits)
def f(splits: Splits, e: Engine) -> None: train_cohort([], 0, e.executor, splits, e.recipe)
def f(splits: Splits, t: Trained) -> None: tuned(t, splits, 1)
def f(splits: Splits, t: Trained) -> None: tuned(t, splits.test, 1)
def f(test: SealedTest, t: Trained) -> None: member_scores(t, test)
def f(splits: Splits) -> None: group_tasks(splits, max_groups=1)
def f(splits: Splits) -> None: exact_grouping(splits.test, max_groups=1)
def f(splits: Splits) -> None: mix(splits.tasks, [], splits.test, 0)
def f(splits: Splits) -> None: mix(splits.tasks, [], splits.test.all_labels(), 0)
def f(test: SealedTest) -> None: print(test.inputs)
def f(test: SealedTest) -> None: print(test.data)
def f(test: SealedTest) -> None: print(test[0])
def f(test: SealedTest) -> None: print([row for row in test])
def f(test: SealedTest) -> None: test.open_for(None)
def f(test: SealedTest, d: Development) -> None: test.open_for(d)
def f(test: SealedTest) -> None: test.open_for()
def f(test: SealedTest, d: TaskData) -> None: Development(train=d, valid=test)
def f(splits: Splits, c: Mixture) -> None: evaluate(c, splits.test, [], [], group_tasks([]), [], 0)
def f(splits: Splits) -> None: Trees().fit([splits], 0, tried=1)
def f(splits: Splits) -> None: splits.test.open_for(FinishedDecision(tasks=splits.tasks))
def f(t: PairTrainer, s: Size) -> None: t.test(None, s, [], [])
def f(t: PairTrainer, s: Size, test: SealedTest) -> None: t.test(test, s, [], [])
def ok(t: PairTrainer, s: Size, c: Mixture) -> None: t.test(c, s, [], [])
def ok(splits: Splits) -> None: tree_data(splits.development, 0)
def ok(splits: Splits, t: Trained) -> None: tuned(t, splits.development, 1)
def ok(splits: Splits, c: StudyDesign) -> TaskData: return splits.test.open_for(c)
def ok(splits: Splits, c: Mixture) -> TaskData: return splits.test.open_for(c)
"""
UNTYPED = "torch,polars,sklearn,scipy,skops,lightgbm,safetensors,pydantic".replace(",", ".*,")


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> set[int]:
    """The lines of CASES that mypy refuses."""
    folder = tmp_path_factory.mktemp("mypy")
    (folder / "snippet.py").write_text(PROLOGUE.strip() + CASES.replace("def f(", "def _("))
    follow = f"[mypy]\nstrict = True\n[mypy-{UNTYPED}.*]\nfollow_imports = skip\n"
    (folder / "mypy.ini").write_text(follow)
    store = getattr(pytestconfig, "cache", None)  # absent with -p no:cacheprovider
    cache = store.mkdir("mypy") if store else folder / "cache"
    options = ["--config-file", str(folder / "mypy.ini"), "--cache-dir", str(cache)]
    report, problems, _ = api.run([*options, str(folder / "snippet.py")])
    assert problems == ""
    first = PROLOGUE.strip().count("\n") + 1  # CASES starts with a line break
    relevant = [
        line for line in report.splitlines() if "error: " in line and "no-redef" not in line
    ]
    return {int(m[1]) - first for line in relevant if (m := re.match(r".*snippet\.py:(\d+)", line))}


@pytest.mark.parametrize("at", range(1, CASES.count("\n")))
def test_choosing_on_the_test_split_does_not_type_check(errors: set[int], at: int) -> None:
    case = CASES.splitlines()[at]
    assert (at in errors) == (not case.startswith("def ok")), case


def mixture_for(tasks: int) -> Mixture:
    return Mixture(
        tasks=make_data("brmb").tasks[:tasks],
        weights=({"joint": 1.0},) * tasks,
        scores=({"joint": 0.5},) * tasks,
        expected=(0.5,) * tasks,
        shares=((),) * tasks,
        sharpness={"joint": 1.0},
        reach=0.0,
    )


def test_a_mixture_opens_it() -> None:
    data = make_data("brm")
    assert SealedTest(data).open_for(mixture_for(3)) is data


@pytest.mark.parametrize("tasks", [0, 2, 4])
def test_a_mixture_for_another_number_of_tasks_does_not(tasks: int) -> None:
    with pytest.raises(ValueError, match="is about other tasks than these 3"):
        SealedTest(make_data("brm")).open_for(mixture_for(tasks))


def test_anything_but_a_decision_does_not() -> None:
    sealed = SealedTest(make_data("brm"))
    for other in (None, make_development("brm"), ("joint",) * 3):
        with pytest.raises(TypeError, match="opens for a finished decision only, not for"):
            sealed.open_for(other)  # type: ignore[arg-type]


def test_a_decision_without_a_content_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        FinishedDecision(tasks=make_data("brm").tasks)  # type: ignore[abstract]


def test_nothing_leaks_in_print() -> None:
    data = make_data("brm")
    sealed = SealedTest(data)
    splits = Splits(development=make_development("brm"), test=sealed, digest="d")
    assert repr(sealed) == str(sealed) == f"{sealed}" == "SealedTest(rows=96)"
    assert "SealedTest(rows=96)" in repr(splits)
    assert not any("inputs" in name or "targets" in name for name in vars(sealed))
    with pytest.raises(AttributeError):
        sealed.__data  # type: ignore[attr-defined]  # noqa: B018
    assert [name for name in dir(sealed) if not name.startswith("_")] == [
        "count_known",
        "open_for",
    ]


def test_only_plan_and_studies_open_it() -> None:
    source = Path(__file__).parents[2] / "src" / "cotrain"
    callers = [
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if ".open_for(" in path.read_text()
    ]
    assert sorted(callers) == [
        "run/plan.py",
        "studies/trainer.py",
    ]
    text = (source / "run" / "plan.py").read_text()
    assert text.count(".open_for(") == 1
    assert text.index("= what_ships(") < text.index(".open_for(") < text.index("= evaluate(")

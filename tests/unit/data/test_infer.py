"""Which columns are what: inferred kinds and roles, and one line for every contradiction."""

import json
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cotrain.data import Role, Schema, infer_schema
from cotrain.errors import InputError
from cotrain.tasks import Kind

KINDS: list[tuple[list[Any], Kind, tuple[str, ...]]] = [
    (["no", "yes"] * 20, Kind.BINARY, ("no", "yes")),
    ([">50K", "<=50K"] * 20, Kind.BINARY, ("<=50K", ">50K")),
    ([1.0, 0.0, float("nan")] * 20, Kind.BINARY, ("0", "1")),
    ([True, False, None] * 20, Kind.BINARY, ("false", "true")),
    ([-1, 1] * 20, Kind.BINARY, ("-1", "1")),
    ([10, 9] * 20, Kind.BINARY, ("9", "10")),
    (["c10", "c9", "c1"] * 20, Kind.MULTICLASS, ("c1", "c9", "c10")),
    ([0, 1, 2] * 20, Kind.MULTICLASS, ("0", "1", "2")),
    ([1.0, 2.0, 3.0] * 20, Kind.MULTICLASS, ("1", "2", "3")),
    ([0, 1, 2] * 19, Kind.REGRESSION, ()),  # fewer than 20 labels a code
    ([0, 1, 3, 5] * 20, Kind.REGRESSION, ()),  # a gap
    ([-1, 0, 1] * 20, Kind.REGRESSION, ()),  # does not start at 0 or 1
    (list(range(21)) * 20, Kind.REGRESSION, ()),  # more than 20 codes
    ([0.5, 1.5, 2.5] * 20, Kind.REGRESSION, ()),
]


@pytest.mark.parametrize(("values", "kind", "classes"), KINDS)
def test_kind_and_classes_of_a_target(
    values: list[Any], kind: Kind, classes: tuple[str, ...]
) -> None:
    frame = pl.DataFrame({"x": range(len(values)), "t": values})
    task = infer_schema(frame, targets=["t"]).tasks[0]
    assert (task.name, task.kind, task.classes) == ("t", kind, classes)


def test_roles_of_inputs() -> None:
    frame = pl.DataFrame(
        {
            "int": [1, 2],
            "float": [0.5, None],
            "flag": [True, False],
            "text": ["a", "b"],
            "iso": ["2024-01-31", None],
            "day": [date(2024, 1, 31), None],
            "time": [datetime(2024, 1, 31, 10), None],
            "empty": [None, None],
            "molecule": ["CCO", "C"],
            "t": [0, 1],
        }
    )
    schema = infer_schema(frame, targets=["t"], smiles="molecule")
    assert {column.name: column.role for column in schema.inputs} == {
        "int": Role.NUMBER,
        "float": Role.NUMBER,
        "flag": Role.CATEGORY,
        "text": Role.CATEGORY,
        "iso": Role.DATE,
        "day": Role.DATE,
        "time": Role.DATE,
        "empty": Role.NUMBER,
        "molecule": Role.SMILES,
    }


def test_names_globs_and_reserved_columns() -> None:
    frame = pl.DataFrame({name: [0, 1] for name in ("t[1]", "t1", "t2", "x", "id", "day")})
    schema = infer_schema(frame, targets=["t[1]", "t2"], ignore=["i?"], reserved=["day"])
    assert [task.name for task in schema.tasks] == ["t[1]", "t2"]
    assert [column.name for column in schema.inputs] == ["t1", "x"]
    schema = infer_schema(frame, targets=["t2", "t*"])
    assert [task.name for task in schema.tasks] == ["t2", "t[1]", "t1"]


def test_an_exact_kind_outranks_a_pattern() -> None:
    frame = pl.DataFrame({"x": range(60), "a": [0, 1, 2] * 20, "b": [0, 1, 2] * 20})
    kinds = {"a": "multiclass", "*": "regression"}
    schema = infer_schema(frame, targets=["a", "b"], kinds=kinds)
    assert [task.kind for task in schema.tasks] == [Kind.MULTICLASS, Kind.REGRESSION]


def test_description_and_json(mixed: pl.DataFrame) -> None:
    schema = infer_schema(mixed, targets=["buys", "colour", "price"])
    assert schema.describe() == (
        "buys: binary, positive class 'true' (50.9 %), 85.5 % labelled",
        "colour: multiclass, 3 classes ('blue' 66, 'green' 67, 'red' 67), 100.0 % labelled",
        "price: regression, 200 labels, 100.0 % labelled",
        "inputs: 1 category, 1 date, 2 numbers",
    )
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


def test_a_schema_of_another_version_is_refused(mixed: pl.DataFrame) -> None:
    plain = {**infer_schema(mixed, targets=["buys"]).to_json(), "version": 9}
    with pytest.raises(InputError) as caught:
        Schema.from_json(plain)
    assert str(caught.value) == (
        "the schema has version 9, this cotrain reads version 1: train again or install the "
        "cotrain that wrote it"
    )


@given(names=st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True))
def test_a_name_may_be_anything(names: list[str]) -> None:
    schema = infer_schema(pl.DataFrame({name: [0, 1] for name in names}), targets=names[:1])
    assert [task.name for task in schema.tasks] == names[:1]
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema


BAD: list[tuple[dict[str, Any], str]] = [
    ({"targets": ["incme"]}, "target 'incme' is not a column: did you mean 'income'?"),
    (
        {"targets": ["zz*"]},
        "target 'zz*' matches no column: there are: x, income, grade, inf, empty, same, day, name",
    ),
    ({"targets": []}, "no target given: name the columns to predict"),
    (
        {"targets": ["income"], "ignore": ["in*"]},
        "target 'income' is ignored by a pattern: name it there outright to leave it out, or choose "
        "another pattern",
    ),
    (
        {"targets": ["income"], "ignore": ["income"]},
        "no target is left: name more of them, or ignore fewer",
    ),
    (
        {"targets": ["income"], "reserved": ["income"]},
        "column 'income' is both a target and the split: choose another split",
    ),
    (
        {"targets": ["income"], "ignore": ["grde"]},
        "ignored column 'grde' is not a column: did you mean 'grade'?",
    ),
    (
        {"targets": ["income"], "reserved": ["dya"]},
        "split column 'dya' is not a column: did you mean 'day'?",
    ),
    (
        {"targets": ["empty"]},
        "target 'empty' has no labels at all: leave it out of the targets",
    ),
    (
        {"targets": ["same"]},
        "target 'same' is always '7' (60 labels): there is nothing to learn, leave it out of the "
        "targets",
    ),
    (
        {"targets": ["inf"]},
        "target 'inf' holds 20 infinite values: correct these cells or leave them empty",
    ),
    (
        {"targets": ["income"]},
        "input column 'inf' holds 20 infinite values: correct these cells or leave them empty",
    ),
    (
        {"targets": ["day"]},
        "target 'day' holds dates: turn it into a number, such as days, or leave it out",
    ),
    (
        {"targets": ["name"]},
        "target 'name' has 60 classes in 60 rows: it looks like an identifier or free text, leave "
        "it out of the targets",
    ),
    (
        {"targets": ["income"], "kinds": {"income": "ranking"}},
        "kind 'ranking' of target 'income' is unknown: use binary, multiclass, regression",
    ),
    (
        {"targets": ["income"], "kinds": {"x": "binary"}},
        "kind given for target 'x' is not a column: there are: income",
    ),
    (
        {"targets": ["income"], "kinds": {"income": "regression"}},
        "target 'income' cannot be a regression: it holds text such as 'high'; use binary or "
        "multiclass",
    ),
    (
        {"targets": ["grade"], "kinds": {"grade": "binary"}},
        "target 'grade' cannot be binary: it has 3 distinct values; use multiclass or regression",
    ),
    (
        {"targets": ["income"], "ignore": ["[!i]*", "inf"]},
        "no input columns are left: name fewer targets or ignore fewer columns",
    ),
    (
        {"targets": ["income"], "smiles": "nam"},
        "SMILES column 'nam' is not a column: did you mean 'name'?",
    ),
    (
        {"targets": ["income"], "smiles": "income"},
        "SMILES column 'income' is also a target, ignored, or the split: choose one use",
    ),
    (
        {"targets": ["income"], "smiles": "x"},
        "SMILES column 'x' holds no text: name the column of molecules",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_contradictions(arguments: dict[str, Any], message: str) -> None:
    frame = pl.DataFrame(
        {
            "x": range(60),
            "income": ["high", "low", None] * 20,
            "grade": [1, 2, 3] * 20,
            "inf": [float("inf"), 1.0, 2.0] * 20,
            "empty": [None] * 60,
            "same": [7.0] * 60,
            "day": [date(2024, 1, 31), date(2024, 2, 1), None] * 20,
            "name": [f"person {row}" for row in range(60)],
        }
    )
    with pytest.raises(InputError) as caught:
        infer_schema(frame, **arguments)
    assert str(caught.value) == message


def test_text_that_hardly_repeats_is_refused() -> None:
    label = [0, 1] * 1000
    frame = pl.DataFrame({"id": [f"TOX{row}" for row in range(2000)], "t": label})
    with pytest.raises(InputError) as caught:
        infer_schema(frame, targets=["t"])
    assert str(caught.value) == (
        "input column 'id' has 2,000 different texts in 2,000 rows: it looks like an identifier or "
        "free text, use --ignore id"
    )
    frame = pl.DataFrame(
        {"mol": ["C" * (row % 50) + f"(=O)N{row}" for row in range(2000)], "t": label}
    )
    with pytest.raises(InputError) as caught:
        infer_schema(frame, targets=["t"])
    assert str(caught.value) == (
        "input column 'mol' has 2,000 different texts in 2,000 rows: it looks like molecules, use "
        "--smiles mol"
    )


def test_many_texts_that_repeat_are_a_category() -> None:
    texts = [f"shop {row % 1001}" for row in range(2002)]
    frame = pl.DataFrame({"shop": texts, "t": np.arange(2002) % 2})
    assert infer_schema(frame, targets=["t"]).inputs[0].role is Role.CATEGORY


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(InputError, match=r"^the table has no rows: add the data$"):
        infer_schema(pl.DataFrame({"a": [], "b": []}), targets=["a"])


def test_ignoring_takes_columns_out_of_a_pattern_of_targets() -> None:
    table = pl.DataFrame({"x": [1.5, 2.5], "t_a": [0, 1], "t_b": [1, 0], "t_c": [0, 1]})
    schema = infer_schema(table, targets=["t_*"], ignore=["t_b"])
    assert [task.name for task in schema.tasks] == ["t_a", "t_c"]
    assert [column.name for column in schema.inputs] == ["x"]


def test_the_advice_to_ignore_targets_can_be_followed() -> None:
    columns = {"x": [1.5, 2.5, 3.5], "t": [5] * 3, "same": [7] * 3, "u": [0, 1, 0]}
    targets = ["t", "same", "u"]
    with pytest.raises(InputError, match="to leave out all 2: --ignore 't,same'"):
        infer_schema(pl.DataFrame(columns), targets=targets)
    schema = infer_schema(pl.DataFrame(columns), targets=targets, ignore=["t", "same"])
    assert [task.name for task in schema.tasks] == ["u"]
    assert [column.name for column in schema.inputs] == ["x"]


def test_all_targets_that_cannot_be_learned_are_named_at_once() -> None:
    table = pl.DataFrame(
        {"x": [1.5, 2.5, 3.5], **{f"t{at}": [at] * 3 for at in range(7)}, "u": [0, 1, 0]}
    )
    with pytest.raises(InputError) as caught:
        infer_schema(table, targets=["t*", "u"])
    lines = str(caught.value).split("\n  ")
    assert [line.split(" (")[0] for line in lines[:5]] == [
        f"target 't{at}' is always '{at}'" for at in range(5)
    ]
    assert lines[5:] == ["… and 2 more", "to leave out all 7: --ignore 't0,t1,t2,t3,t4,t5,t6'"]

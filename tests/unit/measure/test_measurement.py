"""Saving, loading, printing and plotting of the gradient instruments' results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from safetensors.torch import save_file

from cotrain.errors import InputError
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.measurement import Measurement
from cotrain.measure.transference.affinity import Affinity, GroupTransference

HOSTILE = (
    "<script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    "%{customdata} \x1b[31m\u202eevil",
)


def affinity(tasks: tuple[str, ...] = ("a", "b", "c"), probes: int = 5) -> Affinity:
    draw = np.random.default_rng(0)
    samples = draw.normal(size=(probes, len(tasks), len(tasks))).astype(np.float32)
    samples[:, 0, 1] = np.nan
    return Affinity.from_samples(tasks, samples, samples / 2, method="lookahead")


def groups(tasks: tuple[str, ...] = ("a", "b", "c"), probes: int = 5) -> GroupTransference:
    draw = np.random.default_rng(0)
    samples = draw.normal(size=(probes, len(tasks), 2)).astype(np.float32)
    samples[:, -1] = np.nan
    members = [(0, 1), tuple(range(len(tasks)))]
    return GroupTransference.from_samples(tasks, members, samples, samples, method="lookahead")


def similarity(tasks: tuple[str, ...] = ("a", "b", "c"), probes: int = 5) -> GradientSimilarity:
    draw = np.random.default_rng(0)
    gradients = Gradients(tasks=tasks)
    for _ in range(probes):
        found = draw.normal(size=(len(tasks), 4))
        gradients.grams.append((found @ found.T).astype(np.float32))
        gradients.between_tasks.append(draw.uniform(-1, 1, size=(6, 2)))
        gradients.between_samples.append(np.zeros((0, 2)))
    gradients.end_epoch()
    return gradients.similarity()


MADE: dict[str, Callable[..., Measurement]] = {
    "affinity": affinity,
    "groups": groups,
    "similarity": similarity,
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("probes", [0, 1, 5])
@pytest.mark.parametrize("tasks", [("a", "b", "c"), HOSTILE, ("", "名前", "a\nb")])
def test_saving_and_loading_keeps_every_bit(
    name: str, probes: int, tasks: tuple[str, ...], tmp_path: Path
) -> None:
    made = MADE[name](tasks, probes)
    made.save(tmp_path / "deep" / "x.safetensors")
    again = type(made).load(str(tmp_path / "deep" / "x.safetensors"))
    for field in fields(made):
        before, after = getattr(made, field.name), getattr(again, field.name)
        assert type(before) is type(after)
        if isinstance(before, np.ndarray):
            assert (before.dtype, before.shape) == (after.dtype, after.shape)
            assert before.tobytes() == after.tobytes()
        else:
            assert before == after
    assert str(again) == str(made)
    assert again.figure() == made.figure()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.safetensors"]


def test_another_measurement_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    affinity().save(path)
    with pytest.raises(InputError) as caught:
        GroupTransference.load(path)
    assert str(caught.value) == f"{path} holds a Affinity, not a GroupTransference"


@pytest.mark.parametrize("kind", [Affinity, GroupTransference, GradientSimilarity])
def test_a_missing_file(kind: type[Measurement], tmp_path: Path) -> None:
    path = tmp_path / "none.safetensors"
    with pytest.raises(InputError) as caught:
        kind.load(path)
    assert str(caught.value).startswith(f"{path} is missing or damaged: ")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file(keep: int, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    affinity().save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError) as caught:
        Affinity.load(path)
    assert str(caught.value).startswith(f"{path} is missing or damaged: ")


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"format": "pt"},
        {"cotrain": "{}"},
        {"cotrain": "[1]"},
        {"cotrain": "not json"},
        {"cotrain": '{"schema_version": 2}'},
        {"cotrain": '{"schema_version": 99, "measurement": "Affinity", "facts": {}}'},
        {"cotrain": '{"schema_version": 2, "measurement": "Affinity"}'},
        {"cotrain": '{"schema_version": 2, "measurement": "Affinity", "facts": {}}'},
    ],
)
def test_a_file_of_another_program(metadata: dict[str, str] | None, tmp_path: Path) -> None:
    """Someone's model weights, for instance: one clear error that names the file."""
    path = tmp_path / "x.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata)
    with pytest.raises(InputError) as caught:
        Affinity.load(path)
    assert str(path) in str(caught.value)


def test_saving_where_nothing_can_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        affinity().save(tmp_path / "file" / "x.safetensors")


# Text.


def test_text_of_an_affinity() -> None:
    mean = np.array([[9, 0.5, -0.25], [0.125, 9, 1e-5], [np.nan, -2, 9]])
    samples = np.stack([mean, mean + np.eye(3)]).astype(np.float32)
    samples[1, 0, 1] += 0.25
    made = Affinity.from_samples(["a", "b", "c" * 50], samples, -samples, method="lookahead")
    assert str(made).splitlines() == [
        "3 tasks, lookahead, 2 probes",
        "  rank agreement: -1.00 with first order, 1.00 between two halves of the probes (near 0: noise)",
        f"  b hurts {'c' * 20}…{'c' * 19}: -2 ± 0",
        "  b helps a: +0.625 ± 0.12",
        f"  {'c' * 20}…{'c' * 19} hurts a: -0.25 ± 0",
        "  a helps b: +0.125 ± 0",
        f"  {'c' * 20}…{'c' * 19} helps b: +1e-05 ± 0",
    ]


def test_weaker_relations_are_counted() -> None:
    made = affinity(("a", "b", "c", "d"))
    relations = [line for line in str(made).splitlines() if "helps" in line or "hurts" in line]
    assert len(relations) == 5
    assert str(made).splitlines()[-1] == "  … and 6 weaker relations"
    assert "weaker" not in str(affinity(("a", "b")))


def test_text_of_groups() -> None:
    samples = np.array([[[1, -3], [0.5, np.nan], [-0.25, 2]]], dtype=np.float32)
    made = GroupTransference.from_samples(
        ["a", "b", "c"], [(0, 1), (2,)], samples, samples, method="lookahead"
    )
    assert str(made).splitlines() == [
        "2 groups on 3 tasks, lookahead, 1 probes",
        "  a + b: most to a +1, least to c -0.25",
        "  c: most to c +2, least to a -3",
    ]
    assert made.agreement == pytest.approx(1)


def test_a_group_that_was_never_measured_has_no_line() -> None:
    samples = np.full((0, 2, 1), np.nan, dtype=np.float32)
    made = GroupTransference.from_samples(["a", "b"], [(0, 1)], samples, samples, method="m")
    assert str(made) == "1 groups on 2 tasks, m, 0 probes"
    assert np.isnan(made.agreement)


def test_text_of_a_similarity() -> None:
    """Also with magnitudes, which have no conflicts; warnings are errors here."""
    gradients = Gradients(tasks=["a", "b"])
    for gram in ([[4, -3], [-3, 9]], [[4, 0], [0, 4]]):
        gradients.grams.append(np.array(gram, dtype=np.float32))
        gradients.between_tasks.append(np.array([[0.5, 0.25], [-0.5, 0.75]]))
        gradients.between_samples.append(np.array([[0.25, 1.0]]))
        gradients.end_epoch()
    assert str(gradients.similarity()).splitlines() == [
        "2 tasks, gradients of the shared parameters, 2 probes",
        "  between tasks, whole batches   cosine -0.25, conflicts  50%, magnitude similarity 0.96",
        "  between tasks, same sample     cosine +0.00, conflicts  50%, magnitude similarity 0.50",
        "  between samples, same task     cosine +0.25, conflicts   0%, magnitude similarity 1.00",
        "  b against a: cosine -0.250 ± 0.250, conflicts 50%",
    ]


def test_only_known_comparisons_are_printed() -> None:
    lines = str(similarity()).splitlines()
    assert any("same sample" in line for line in lines)
    assert not any("same task" in line for line in lines)
    assert "nan" not in str(similarity())


def test_text_is_inert() -> None:
    for make in MADE.values():
        assert "\x1b" not in str(make(HOSTILE))
        assert "\u202e" not in str(make(HOSTILE))


# Figures.


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("probes", [0, 1, 5])
@pytest.mark.parametrize("tasks", [("only", "two"), HOSTILE])
def test_figures_are_plotly_and_strict_json(name: str, probes: int, tasks: tuple[str, ...]) -> None:
    made = MADE[name](tasks, probes)
    drawn = made.figure()
    go.Figure(drawn)
    assert isinstance(made.plot(), go.Figure)
    json.dumps(drawn, allow_nan=False)
    for text in texts(drawn):
        bare = text.replace("<br>", "").replace("<b>", "").replace("</b>", "")
        assert "<" not in bare
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_similarity_has_a_band_for_what_was_measured() -> None:
    drawn: Any = similarity().figure()
    names = [trace["name"] for trace in drawn["data"] if "name" in trace]
    assert names == ["tasks, same sample", "tasks, whole batches"]
    line = next(trace for trace in drawn["data"] if trace.get("name") == "tasks, whole batches")
    assert line["y"] == similarity().batches[:, 0, 0].tolist()

"""An encoder on disk: for cotrain, for any PyTorch program, and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cotrain.data import RandomSplit, from_arrays
from cotrain.data.dataset import Splits
from cotrain.engine.models.mlp import MLP
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.transfer import (
    EncoderFile,
    Finetuning,
    Pretraining,
    build_encoder,
    finetune,
    load_encoder,
    mixture_weights,
    of_target,
    pretrain,
)

RNG = np.random.default_rng(4)
X, RULE = RNG.normal(size=(160, 5)), RNG.normal(size=(5, 2))
HOW = Pretraining(widths=(7, 4), low_precision=False)


def sources(rows: slice = slice(0, 80), width: int = 5) -> Splits:
    return from_arrays(X[rows, :width], X[rows] @ RULE > 0, names=["a", "b"], test=False)


def target(name: str = "t", rows: slice = slice(80, 160), width: int = 5) -> Splits:
    return from_arrays(X[rows, :width], (X[rows] @ RULE)[:, :1] > 0.3, names=[name])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("encoder") / "e"
    build_encoder(sources(), out=path, how=HOW, temperature=2.0, title="signs")
    return path


@pytest.fixture
def encoder(folder: Path) -> EncoderFile:
    return load_encoder(folder)


def test_it_says_what_it_learned(encoder: EncoderFile) -> None:
    facts = encoder.facts
    assert [(s.name, s.weight, s.labels) for s in facts.sources] == [("a", 1.0, 72), ("b", 1.0, 72)]
    assert (facts.input_shape, facts.widths, facts.rows, facts.temperature) == ((5,), (7, 4), 72, 2)
    assert facts.examples == facts.epochs_run * 72
    assert facts.loss == np.mean([source.loss for source in facts.sources])
    assert 0 < facts.loss < np.log(2)  # better than a coin
    assert str(facts).startswith("encoder pre-finetuned on 2 sources of signs: 72 rows, 144 labels")
    assert len(encoder.keys) == 72


def test_it_is_what_stage_1_found(folder: Path, encoder: EncoderFile, tmp_path: Path) -> None:
    weights = mixture_weights([72, 72], [0, 1], temperature=2.0)
    found = pretrain(RunFolder(tmp_path), sources().development, {"x": weights}, how=HOW)
    for name, tensor in found.encoders["x"].items():
        assert torch.equal(tensor, encoder.state[name])
    assert not (folder / "population").exists()


def test_plain_pytorch_loads_it(folder: Path, encoder: EncoderFile) -> None:
    from safetensors.torch import load_file

    net = nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 4), nn.ReLU())
    net.load_state_dict(load_file(folder / "encoder.safetensors"))

    own = MLP(5, widths=(7, 4))
    own.load_state_dict(encoder.state)
    x = torch.from_numpy(X).float()
    torch.testing.assert_close(net(x), own.eval()(x), atol=0, rtol=0)


@pytest.mark.parametrize("widths", [(7, 4), (3,), (6, 5, 2)])
def test_the_snippet_in_the_guide_loads_any(
    widths: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = Pretraining(widths=widths, low_precision=False)
    encoder = build_encoder(sources(), out=tmp_path / "encoder", how=how)
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "pretrain.md").read_text()
    snippets = [part.split("```")[0] for part in guide.split("```python\n")[1:]]
    (snippet,) = [each for each in snippets if "encoder.safetensors" in each]
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(snippet, found)
    own = MLP(5, widths=widths)
    own.load_state_dict(encoder.state)
    x = torch.from_numpy(X).float()
    torch.testing.assert_close(found["net"](x), own.eval()(x), atol=0, rtol=0)


def test_a_finished_folder_is_read_back_and_another_refused(folder: Path) -> None:
    before = (folder / "encoder.safetensors").stat().st_mtime_ns
    build_encoder(sources(), out=folder, how=HOW, temperature=2.0, title="signs")
    assert (folder / "encoder.safetensors").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"other settings \(temperature\)"):
        build_encoder(sources(), out=folder, how=HOW, title="signs")


def test_a_fitting_target_passes(encoder: EncoderFile) -> None:
    encoder.check(target())


def test_a_target_among_the_sources(encoder: EncoderFile) -> None:
    with pytest.raises(InputError, match="target 'b' is among the sources of the encoder"):
        encoder.check(target("b"))


def known_rows(part: int, rows: slice = slice(40, 140)) -> tuple[int, int]:
    """Of the target's validation (1) or test (2) rows: those that the encoder has seen, and all."""
    order = RandomSplit().assign(None, np.zeros(rows.stop - rows.start), 0)  # type: ignore[arg-type]
    trained = sources().development.train.inputs.numpy()
    own = X[rows][order == part].astype(np.float32)
    return sum(bool((trained == row).all(axis=1).any()) for row in own), len(own)


def test_test_rows_that_it_was_trained_on(encoder: EncoderFile) -> None:
    overlapping = target(rows=slice(40, 140))
    (known, test), (shared, valid) = known_rows(2), known_rows(1)
    assert 0 < known < test
    assert 0 < shared < valid
    count = f"{known} of {test} test rows and {shared} of {valid} validation rows"
    with pytest.raises(InputError, match=rf"^{count} have the inputs of .* --allow-overlap$"):
        encoder.check(overlapping)
    on_test, on_valid = encoder.check(overlapping, allow_overlap=True)
    assert on_test.startswith(f"{known} of {test} test rows have the inputs of rows that the encod")
    assert on_valid.startswith(f"{shared} of {valid} validation rows have the inputs of rows that")


def test_validation_rows_that_it_was_trained_on_are_said(encoder: EncoderFile) -> None:
    splits = target()
    seen = sources().development.train.inputs[:3]
    valid = splits.development.valid
    valid = replace(valid, inputs=torch.cat([seen, valid.inputs[3:]]))
    splits = replace(splits, development=replace(splits.development, valid=valid))
    (said,) = encoder.check(splits)
    assert said.startswith(
        "3 of 8 validation rows have the inputs of rows that the encoder was trai"
    )
    assert encoder.check(target()) == ()


def test_inputs_of_another_width(encoder: EncoderFile) -> None:
    with pytest.raises(InputError, match=r"reads inputs of shape \(5,\), the target has \(4,\)"):
        encoder.check(target(width=4))


def test_a_network_of_another_shape(encoder: EncoderFile, tmp_path: Path) -> None:
    message = r"encoder 'e' has linears.0.weight of shape \(7, 5\) where the network has \(9, 5\)"
    with pytest.raises(InputError, match=message):
        finetune(
            RunFolder(tmp_path),
            of_target(target().development, 0),
            {"e": encoder.state},
            how=Finetuning(widths=(9, 4)),
        )
    with pytest.raises(InputError, match="'scratch' is the name of the baseline"):
        finetune(
            RunFolder(tmp_path),
            of_target(target().development, 0),
            {"scratch": encoder.state},
            how=Finetuning(widths=(7, 4)),
        )


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in FILES:
        (copy / file).write_bytes((folder / file).read_bytes())
    load_encoder(copy)
    return copy


FILES = ("encoder.json", "encoder.safetensors", "rows.safetensors")
AGAIN = "copy the folder of cotrain pretrain again, or repeat it$"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": [7, 5]}, r"for 2.weight float32 \[4, 7\] where encoder.json promises .*5, 7\]"),
        ({"widths": [7]}, r"for 2.(bias|weight) float32 .* where encoder.json promises nothing"),
        ({"rows": "many"}, r"encoder\.json is damaged \('rows': input should be a valid integer"),
        ({"sources": [{"name": "a"}]}, r"is damaged \('sources.0.weight': field required\)"),
        ({"input_shape": None}, r"is damaged \('input_shape': input should be a valid tuple"),
        ({"schema_version": 1}, r"has schema version 1, this cotrain reads 2"),
    ],
    ids=range(6),
)
def test_a_config_that_does_not_fit(copy: Path, change: dict[str, Any], message: str) -> None:
    facts = json.loads((copy / "encoder.json").read_text())
    (copy / "encoder.json").write_text(json.dumps(facts | change))
    with pytest.raises(InputError, match=f"{re.escape(str(copy))}.*{message}.*{AGAIN}"):
        load_encoder(copy)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"{}"], ids=range(4))
def test_a_config_that_is_none(copy: Path, content: bytes) -> None:
    (copy / "encoder.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"encoder\.json is damaged \(.+\): {AGAIN}"):
        load_encoder(copy)


@pytest.mark.parametrize("file", FILES[1:])
@pytest.mark.parametrize("kept", [None, 0, 5, 150, -4])
def test_tensors_that_are_cut_off(copy: Path, file: str, kept: int | None) -> None:
    content = (copy / file).read_bytes()
    if kept is None:
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content[:kept])
    message = f"{re.escape(str(copy / file))} is missing or damaged: .+: {AGAIN}"
    with pytest.raises(InputError, match=message):
        load_encoder(copy)


def test_a_pickle_is_not_read(copy: Path) -> None:
    torch.save({"0.weight": torch.zeros(7, 5)}, copy / "encoder.safetensors")
    with pytest.raises(InputError, match=r"encoder\.safetensors is missing or damaged"):
        load_encoder(copy)


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        ({"0.weight": "1.weight"}, "for 0.weight nothing where encoder.json promises float32"),
        ({"2.bias": "3.bias"}, "for 2.bias nothing where encoder.json promises float32"),
    ],
)
def test_tensors_of_other_names(copy: Path, rename: dict[str, str], message: str) -> None:
    tensors, _ = RunFolder(copy).read_tensors("encoder.safetensors")
    changed = {rename.get(name, name): tensor for name, tensor in tensors.items()}
    RunFolder(copy).write_tensors("encoder.safetensors", changed, {})
    with pytest.raises(InputError, match=message):
        load_encoder(copy)


def test_tensors_of_another_kind(copy: Path) -> None:
    tensors, _ = RunFolder(copy).read_tensors("encoder.safetensors")
    half = {name: tensor.half() for name, tensor in tensors.items()}
    RunFolder(copy).write_tensors("encoder.safetensors", half, {})
    with pytest.raises(InputError, match=r"for 0.weight float16 \[7, 5\] where encoder.json prom"):
        load_encoder(copy)
    RunFolder(copy).write_tensors("encoder.safetensors", tensors, {})
    RunFolder(copy).write_tensors("rows.safetensors", {"key": torch.zeros(3)}, {})
    with pytest.raises(InputError, match=f"does not hold the keys of the training rows: {AGAIN}"):
        load_encoder(copy)


def test_no_encoder_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no encoder: give the --out folder of cotrain pret"):
        load_encoder(tmp_path)


def test_sources_without_usable_labels(tmp_path: Path) -> None:
    data = sources().development
    train = data.train
    constant = replace(train, targets=torch.stack([train.targets[:, 0], torch.ones(72)], dim=1))
    nothing = replace(data.valid, mask=data.valid.mask & torch.tensor([False, True]))
    bad = replace(data, train=constant, valid=nothing)
    with pytest.raises(InputError) as caught:
        pretrain(RunFolder(tmp_path), bad, {"all": (1.0, 1.0)}, how=HOW)
    assert str(caught.value).splitlines() == [
        "source 'a' has no labels in the validation rows: leave it out",
        "  source 'b' has only the value 1 in the training rows: leave it out",
        "  to leave out all 2: --ignore 'a,b'",
    ]
    with pytest.raises(InputError, match="source 'a' has no labels in the validation rows"):
        pretrain(RunFolder(tmp_path), bad, {"a": (1.0, 0.0)}, how=HOW)


def test_an_encoder_of_your_own(tmp_path: Path) -> None:
    def own() -> nn.Module:
        return nn.Sequential(nn.Linear(5, 3), nn.Tanh())

    found = build_encoder(sources(), out=tmp_path / "own", how=HOW, encoder=own)
    assert found.facts.widths is None
    net = own()
    net.load_state_dict(found.state)
    tuned = finetune(
        RunFolder(tmp_path / "t"),
        of_target(target().development, 0),
        {"own": found.state},
        encoder=own,
        how=Finetuning(seeds=2, rows=32, settings=Finetuning().settings[:2]),
    )
    assert tuned.valid.shape == (2, 2)


def test_weights_that_are_not_finite(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    tensors, facts = RunFolder(broken).read_tensors("encoder.safetensors")
    tensors["2.bias"][0] = float("nan")
    RunFolder(broken).write_tensors("encoder.safetensors", tensors, facts)
    with pytest.raises(InputError, match=r"has 2.bias with NaN or infinity"):
        load_encoder(broken)

"""Files of a run folder are whole or absent, and never elsewhere."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch

from cotrain.errors import InputError
from cotrain.folder import SCHEMA_VERSION, RunFolder


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize("name", ["../x.json", "/etc/passwd", "a/../../x", "..", "../run2/x"])
def test_no_name_leaves_the_folder(run: RunFolder, name: str) -> None:
    with pytest.raises(ValueError, match="leaves the run folder"):
        run.path(name)


def test_a_link_that_leaves_the_folder_is_refused(run: RunFolder, tmp_path: Path) -> None:
    run.root.mkdir()
    (run.root / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leaves the run folder"):
        run.write_text("link/x", "text")


def test_json_comes_back_with_its_version(run: RunFolder) -> None:
    content = {"a": [1, 2.5, None, "ß\u202e"], "b": {"c": True}}
    run.write_json("deep/x.json", content)
    assert run.has("deep/x.json")
    assert run.read_json("deep/x.json") == content
    raw = json.loads(run.path("deep/x.json").read_text(encoding="utf-8"))
    assert list(raw) == ["schema_version", "a", "b"]
    assert raw["schema_version"] == SCHEMA_VERSION


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"a": 1}', "\0"])
def test_a_file_that_is_not_ours_is_bad_input(run: RunFolder, text: str) -> None:
    run.write_text("x.json", text)
    with pytest.raises(InputError, match=r"holds no readable x\.json"):
        run.read_json("x.json")


def test_a_missing_file_is_bad_input(run: RunFolder) -> None:
    with pytest.raises(InputError, match=r"holds no readable x\.json: is it a run folder\?"):
        run.read_json("x.json")
    with pytest.raises(InputError, match=r"x\.safetensors is missing or damaged"):
        run.read_tensors("x.safetensors")


def test_another_schema_is_refused(run: RunFolder) -> None:
    run.write_text("x.json", '{"schema_version": 99}')
    with pytest.raises(InputError, match="has schema version 99, this cotrain reads 2"):
        run.read_json("x.json")


def test_tensors_come_back_bit_for_bit(run: RunFolder) -> None:
    tensors = {
        "a/b": torch.tensor([float("nan"), float("inf"), -0.0, 1e-40]),
        "i": torch.tensor([[2**62, -1]]),
        "t": torch.randn(3, 4).T,  # not contiguous
        "e": torch.zeros(0, 3),
    }
    run.write_tensors("x.safetensors", tensors, {"step": 3, "names": ["ß"]})
    found, facts = run.read_tensors("x.safetensors")
    assert facts == {"step": 3, "names": ["ß"]}
    assert found.keys() == tensors.keys()
    for key, tensor in tensors.items():
        assert found[key].dtype == tensor.dtype
        assert found[key].numpy().tobytes() == tensor.contiguous().numpy().tobytes()


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_damaged_tensors_are_bad_input(run: RunFolder, damage: bytes | None) -> None:
    run.write_tensors("x.safetensors", {"a": torch.zeros(9)}, {})
    whole = run.path("x.safetensors").read_bytes()
    run.path("x.safetensors").write_bytes(whole[:-4] if damage is None else damage)
    with pytest.raises(InputError, match=r"x\.safetensors is missing or damaged"):
        run.read_tensors("x.safetensors")


def test_a_failed_write_leaves_the_old_file(run: RunFolder) -> None:
    run.write_text("x", "old")

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"No space left on device; free some space"):
        run.write("x", fail)
    assert run.path("x").read_text() == "old"
    assert [path.name for path in run.root.iterdir()] == ["x"]


def test_a_killed_write_leaves_the_old_file(run: RunFolder) -> None:
    run.write_text("x", "old")

    def die(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.write("x", die)
    assert run.path("x").read_text() == "old"
    run.write_text("x", "new")
    assert run.path("x").read_text() == "new"
    assert [path.name for path in run.root.iterdir()] == ["x"]


def test_remove_twice(run: RunFolder) -> None:
    run.write_text("x", "")
    run.remove("x")
    run.remove("x")
    assert not run.has("x")


def test_tensors_are_written_through_no_hidden_file(run: RunFolder) -> None:
    # safetensors' save_file writes a hidden file first; a kill at that moment left it for good
    seen: set[str] = set()
    tensors = {"a": torch.zeros(1 << 24)}
    writer = threading.Thread(target=run.write_tensors, args=("a.safetensors", tensors, {}))
    writer.start()
    while writer.is_alive():
        seen |= {path.name for path in run.root.iterdir()} if run.root.exists() else set()
    assert "a.safetensors.partial" in seen
    assert seen <= {"a.safetensors.partial", "a.safetensors"}

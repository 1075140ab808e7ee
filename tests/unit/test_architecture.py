"""Imports go one way: data, tasks → models → population → measure → decide → plan → report → cli."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "cotrain"
# A stage may import itself and what stands before it.
ORDER = (
    ("errors", "tasks", "artifacts", "resample", "result", "objective"),
    ("data", "figures"),
    ("models",),
    ("population",),
    ("measure", "grouping", "weighting", "baselines"),
    (
        "settings",
        "budget",
        "choice",
        "contenders",
        "ledger",
        "statistics",
        "result_file",
        "engine_objective",
    ),
    ("prove", "answer", "stages", "predictor"),
    ("transfer",),
    ("measuring",),
    ("deciding",),
    ("summary", "weighing"),
    ("planning", "studies"),
    ("reporting",),
    ("cli",),
    ("__main__", "__init__"),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}


def runtime_imports(path: Path) -> set[str]:
    """Top-level cotrain modules that a file imports when it runs, type-checking blocks left out."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in skipped:
            parts = node.module.split(".")
            if parts[0] == "cotrain":
                found |= {parts[1]} if len(parts) > 1 else set()
    return found


def test_every_module_has_its_place() -> None:
    assert {p.stem if p.is_file() else p.name for p in SOURCE.iterdir() if p.name[0] != "."} - {
        "__pycache__",
        "py",
    } == set(RANK)


@pytest.mark.parametrize(
    "path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE))
)
def test_imports_go_one_way(path: Path) -> None:
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    later = {name for name in runtime_imports(path) if RANK[name] > RANK[own]}
    assert not later, f"{own} imports {later}, which stand after it"


def test_the_command_starts_without_torch() -> None:
    code = "import sys, cotrain.__main__; print('torch' in sys.modules, 'numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False"]

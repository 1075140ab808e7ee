"""Imports go one way, imports for typing included: every package may import what stands before it.

``errors, tasks, results, … → data → engine → measure → grouping → … → contenders → run → … → cli``
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "cotrain"
ORDER = (
    "lazy",
    "arrays",
    "errors",
    "tasks",
    "results",
    "stats",
    "folder",
    "figures",
    "data",
    "engine",
    "measure",
    "grouping",
    "weighting",
    "baselines",
    "transfer",
    "contenders",
    "run",
    "studies",
    "reporting",
    "cli",
    "__main__",
    "__init__",
)
RANK = {name: rank for rank, name in enumerate(ORDER)}


def imports(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cotrain."):
            found.add(str(node.module))
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
    later = {name for name in imports(path) if RANK[name.split(".")[1]] > RANK[own]}
    assert not later, f"{own} imports {later}, which stand after it"


def test_no_module_imports_itself_through_others() -> None:
    """No circle of modules, for typing or at run time, within a package either."""
    graph = {
        ".".join(["cotrain", *path.relative_to(SOURCE).with_suffix("").parts]): imports(path)
        for path in SOURCE.rglob("*.py")
        if path.name != "__init__.py"
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way[way.index(name) :], name))
        if name in graph and name not in done:
            for other in sorted(graph[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def loaded(code: str) -> set[str]:
    """Which modules a fresh interpreter has loaded after some code."""
    shown = f"{code}; import sys; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, check=True)
    return set(out.stdout.split())


def test_the_command_starts_without_torch() -> None:
    assert not {"torch", "numpy", "polars"} & loaded("import cotrain.__main__")


def test_the_engine_knows_no_tables() -> None:
    assert not {"polars", "sklearn"} & loaded("import cotrain.engine.build")


def test_instruments_load_no_solver() -> None:
    found = loaded("from cotrain.measure import Lookahead")
    assert not {name for name in found if name.startswith(("cotrain.grouping", "scipy.optimize"))}

"""All benchmarks: their names, the real data they read, and how long each took when it was last run."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.folders import RESULTS, absent
from benchmarks.common.options import Options

HERE = Path(__file__).parent
MINUTES = "minutes.json"  # in the folder of results: name → minutes of the last full run


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One module of this package that has a function ``run(options)``.

    Args:
        name: Of the module.
        data: Folders of real data that it reads.
        quick_data: Those that its quick version reads; the same, if None.
        one_thread: Whether it is measured in one thread, which must be known before NumPy is imported.
    """

    name: str
    data: tuple[str, ...] = ()
    quick_data: tuple[str, ...] | None = None
    one_thread: bool = False

    @property
    def path(self) -> Path:
        """Its file, or that of its folder."""
        folder = HERE / self.name
        return folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")

    @property
    def about(self) -> str:
        """The first line of its text, read without importing it."""
        text = ast.get_docstring(ast.parse(self.path.read_text())) or ""
        return text.splitlines()[0] if text else ""

    def absent(self, options: Options) -> list[str]:
        """The real data that it would miss."""
        quick = options.quick and self.quick_data is not None
        return absent(self.quick_data or () if quick else self.data)

    def load(self) -> Callable[[Options], None]:
        """Its function ``run``; all of its imports happen here."""
        run: Callable[[Options], None] = importlib.import_module(f"benchmarks.{self.name}").run
        return run


def known_minutes(folder: Path = RESULTS) -> dict[str, float]:
    """Name → minutes of the last full run, of those where it is known."""
    path = folder / MINUTES
    found: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    return found


TABLES = ("mol_tox21", "tab_adult", "tab_mulan_multilabel", "tab_mulan_multitarget")
DOMAINS = ("img_mnist", "img_usps", "img_office_caltech_surf", "txt_fdu_mtl16")
SOURCES = ("txt_fdu_mtl16", "img_cifar100", "mol_tox21", "mol_toxcast617")
PUBLISHED = ("gt_mtgnet", "gt_taskonomy_standley")
MOLECULES = ("mol_tox21", "mol_toxcast617")
SHIP = (
    *TABLES,
    *("mol_toxcast617", "mol_esol", "tab_school139", "ts_ett_hourly"),
    *("img_mnist", "img_office_caltech_surf", "txt_fdu_mtl16"),
)
BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(name="aggregators"),
        Benchmark(
            name="architectures",
            data=TABLES,
            quick_data=("tab_mulan_multitarget",),
            one_thread=True,
        ),
        Benchmark(name="brief", data=SOURCES, quick_data=("txt_fdu_mtl16",)),
        Benchmark(name="datamap", data=("mol_toxcast617",), one_thread=True),
        Benchmark(name="datamap_groups", data=("img_cifar100",), quick_data=()),
        Benchmark(name="engine"),
        Benchmark(name="finetuning_rates", data=MOLECULES),
        Benchmark(name="grouping", one_thread=True),
        Benchmark(name="instruments", data=("mol_tox21", "ts_ett_hourly"), quick_data=()),
        Benchmark(
            name="optimizers",
            data=("tab_mulan_multitarget", "img_mnist"),
            quick_data=("tab_mulan_multitarget",),
        ),
        Benchmark(name="precision", data=("mol_tox21",)),
        Benchmark(name="probing", data=MOLECULES, quick_data=()),
        Benchmark(name="ray_scaling"),
        Benchmark(name="regret", data=PUBLISHED, quick_data=()),
        Benchmark(name="sampled_gains", data=PUBLISHED, quick_data=("gt_taskonomy_standley",)),
        Benchmark(
            name="scalarization",
            data=(*TABLES, "img_mnist", "img_usps", "img_office_caltech_surf"),
            quick_data=("tab_mulan_multilabel",),
        ),
        Benchmark(name="scale", data=SOURCES, quick_data=("txt_fdu_mtl16",)),
        Benchmark(name="settings", data=TABLES, quick_data=("tab_mulan_multitarget",)),
        Benchmark(name="ship", data=SHIP, quick_data=("tab_mulan_multitarget",)),
        Benchmark(name="sources", data=SOURCES, quick_data=("txt_fdu_mtl16",)),
        Benchmark(name="tables", data=TABLES, quick_data=("tab_mulan_multitarget",)),
        Benchmark(name="transfer", data=MOLECULES),
        Benchmark(name="weights", data=(*TABLES, *DOMAINS), quick_data=("tab_mulan_multilabel",)),
    )
}

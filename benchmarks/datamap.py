"""What a data map costs: memory at 617 tasks x 8,615 rows, and time beside a plain PyTorch training.

Memory: a child process records random confidences under ToxCast's real label mask (617 tasks, 8,615 rows,
71 % missing) for as many epochs as there are snapshots + 1 (the size does not depend on the epochs); peak
resident memory above the child's before the recorder was made, after each stage. The arrays are dense, so
the mask does not matter here.

Time: a plain PyTorch loop (MLP 256-256 on the 1,024-bit fingerprints of the 8,597 molecules that parse, 617
binary tasks, masked cross-entropy, fused AdamW, batch 256, one thread) and the same loop with
`maps.record(rows, *judge(...))`, epoch about, in one process. Reported: the median of the differences of
neighbouring epochs, beside a plain epoch. The first recorded epoch is reported apart: it also touches the
recorder's memory for the first time.

    python -m benchmarks datamap           # writes benchmarks/results/datamap.{json,md}
"""

from __future__ import annotations

import gzip
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.common.arrays import Flags
from benchmarks.common.files import write_json, write_page
from benchmarks.common.folders import DATA
from benchmarks.common.markdown import table
from benchmarks.common.memory import in_fresh_process, peak_bytes, resident_bytes
from benchmarks.common.molecules import TABLES, TOXCAST, fingerprints
from benchmarks.common.networks import binary_tasks
from benchmarks.common.options import Options
from cotrain.engine.models.losses import TaskLosses
from cotrain.measure.datamaps.confidence import judge
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps

BATCH, EPOCHS = 256, 11
SNAPSHOTS = (1, 4, 8)
LIMIT = 1e9


def run(options: Options) -> None:
    """Memory with several numbers of snapshots, and time."""
    snapshots, epochs = (SNAPSHOTS[:1], 1) if options.quick else (SNAPSHOTS, EPOCHS)
    memories = [in_fresh_process("benchmarks.datamap", "memory", count) for count in snapshots]
    times = timing(epochs)
    write_json(options.out / "datamap.json", {"memory": memories, "seconds": times})
    write_page(options.out / "datamap.md", page(memories, times, epochs))
    for one in memories:
        fits = one["peak_bytes"]["text and figure"] < LIMIT
        assert fits, f"{one['snapshots']} snapshots do not fit in 1 GB"


def label_mask() -> Flags:
    """``[T, N]`` of all 8,615 rows: cells that hold anything."""
    with gzip.open(DATA / TOXCAST / TABLES[TOXCAST], "rt") as file:
        next(file)
        return np.array([[bool(c) for c in line.rstrip("\n").split(",")[1:]] for line in file]).T


def memory(snapshots: int) -> dict[str, Any]:
    """The peak after each stage, less what was resident before the recorder was made."""
    mask = label_mask()
    tasks, rows = mask.shape
    draw = np.random.default_rng(0)
    torch.zeros(1)
    before, peaks, seconds = resident_bytes(), {}, {}

    def note(stage: str, began: float) -> None:
        peaks[stage], seconds[stage] = peak_bytes() - before, time.perf_counter() - began

    began = time.perf_counter()
    maps = DataMaps(
        [f"task {t}" for t in range(tasks)], rows=rows, snapshots=range(2, snapshots + 2)
    )
    for _ in range(snapshots + 1):
        for at in np.array_split(draw.permutation(rows), -(-rows // BATCH)):
            values = draw.random((tasks, len(at)), dtype=np.float32)
            maps.record(at, values, values > 0.5, mask[:, at])
        maps.end_epoch()
    note("recording", began)
    began = time.perf_counter()
    found = maps.result()
    note("result", began)
    began = time.perf_counter()
    distances = found.distances()
    note("distances", began)
    began = time.perf_counter()
    text, figure = str(found), json.dumps(found.figure(), allow_nan=False)
    note("text and figure", began)
    del maps
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "map.safetensors"
        began = time.perf_counter()
        found.save(path)
        note("save (recorder freed)", began)
        size = path.stat().st_size
        assert DataMap.load(path).tasks == found.tasks
    assert distances.shape == (tasks, tasks)
    assert len(text.splitlines()) < 40, text
    return {
        "snapshots": len(found.epochs),
        "tasks": tasks,
        "rows": rows,
        "peak_bytes": peaks,
        "seconds": seconds,
        "file_bytes": size,
        "figure_bytes": len(figure),
    }


class Training:
    """The plain loop, with and without the one line that records."""

    def __init__(self) -> None:
        file = fingerprints(TOXCAST)
        self.inputs = torch.from_numpy(file.bits)
        self.targets = torch.from_numpy(file.labels).nan_to_num()
        self.mask = torch.from_numpy(np.isfinite(file.labels))
        self.names = file.names
        self.losses = TaskLosses(binary_tasks(self.names))
        self.maps = DataMaps(self.names, rows=len(self.inputs))
        torch.manual_seed(0)
        self.net = nn.Sequential(
            nn.Linear(1024, 256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, len(self.names)),
        )
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=1e-3, fused=True)

    def epoch(self, *, record: bool) -> float:
        """Its seconds."""
        began = time.perf_counter()
        for rows in torch.split(torch.randperm(len(self.inputs)), BATCH):
            outputs, y, seen = self.net(self.inputs[rows]), self.targets[rows], self.mask[rows]
            if record:
                self.maps.record(rows, *judge(self.losses, outputs.T, y.T, seen.T))
            self.step(outputs, y, seen)
        if record:
            self.maps.end_epoch()
        return time.perf_counter() - began

    def step(self, outputs: Tensor, y: Tensor, seen: Tensor) -> None:
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, y, reduction="none")
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward((loss * seen).sum().div(seen.sum()))
        self.optimizer.step()


def timing(epochs: int) -> dict[str, float]:
    """Seconds of an epoch, and of what recording adds."""
    torch.set_num_threads(1)
    training = Training()
    training.epoch(record=False)
    first = training.epoch(record=True)
    pairs = [(training.epoch(record=False), training.epoch(record=True)) for _ in range(epochs)]
    found = training.maps.result()
    assert np.isfinite(found.variability()).sum() == int(training.mask.sum())
    assert epochs < EPOCHS or float(np.nanmean(found.confidence())) > 0.8
    plain = statistics.median(one for one, _ in pairs)
    extra = statistics.median(two - one for one, two in pairs)
    return {
        "plain_epoch": plain,
        "recording": extra,
        "share": extra / plain,
        "recording_first_epoch": first - plain,
    }


def page(memories: list[dict[str, Any]], times: dict[str, float], epochs: int) -> str:
    """Megabytes and seconds."""
    first, last = memories[0], memories[min(1, len(memories) - 1)]
    stages = list(first["peak_bytes"])
    rows = []
    for one in memories:
        peaks = [f"{one['peak_bytes'][stage] / 1e6:.0f}" for stage in stages]
        sizes = [f"{one[key] / 1e6:.2f}" for key in ("file_bytes", "figure_bytes")]
        rows.append([one["snapshots"], *peaks, *sizes])
    seconds = ", ".join(f"{stage} {last['seconds'][stage]:.1f}" for stage in stages[1:])
    recording = (
        f"{times['plain_epoch']:.2f}",
        f"{times['recording']:.2f}",
        f"{times['share']:.0%}",
        f"{times['recording_first_epoch']:.2f}",
    )
    lines = [
        f"{first['tasks']} tasks x {first['rows']} rows (ToxCast's label mask), one thread, torch "
        f"{torch.__version__}, numpy {np.__version__}. Peak resident memory above the process's own, MB, "
        "so far:",
        "",
        *table(["snapshots, the last included", *stages, "file", "figure"], rows),
        "",
        f"Seconds with {last['snapshots']} snapshots: {seconds}.",
        "",
        "Recording beside a plain PyTorch epoch (MLP 256-256, 1,024 bits, 617 tasks, batch "
        f"{BATCH}, median of {epochs} pairs of epochs in one process):",
        "",
        *table(
            ("plain epoch, s", "judge and record, s", "share", "in the first epoch, s"), [recording]
        ),
    ]
    return "\n".join(lines) + "\n"

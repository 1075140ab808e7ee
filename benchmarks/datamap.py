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

    python benchmarks/datamap.py           # writes benchmarks/results/datamap.{json,md}
"""

from __future__ import annotations

import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.common.folders import RESULTS
from cotrain.engine.models.losses import TaskLosses
from cotrain.measure.datamaps.confidence import judge
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.tasks import Kind, Task

DATA = Path(__file__).parents[2] / "shared" / "data" / "mol_toxcast617"
BATCH, EPOCHS = 256, 11
SNAPSHOTS = (1, 4, 8)
LIMIT = 1e9


def label_mask() -> NDArray[np.bool_]:
    """``[T, N]`` of all 8,615 rows: cells that hold anything."""
    with gzip.open(DATA / "toxcast_data.csv.gz", "rt") as file:
        next(file)
        return np.array([[bool(c) for c in line.rstrip("\n").split(",")[1:]] for line in file]).T


def peak_bytes() -> int:
    """Peak resident memory of this process."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def resident_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


def memory_child(snapshots: int) -> None:
    """Print the peak after each stage, less what was resident before the recorder was made."""
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
    assert len(text.splitlines()) == 24
    print(
        json.dumps(
            {
                "snapshots": len(found.epochs),
                "tasks": tasks,
                "rows": rows,
                "peak_bytes": peaks,
                "seconds": seconds,
                "file_bytes": size,
                "figure_bytes": len(figure),
            }
        )
    )


def memory(snapshots: int) -> dict[str, object]:
    arguments = [sys.executable, __file__, "--memory", str(snapshots)]
    found = subprocess.run(arguments, check=True, capture_output=True, text=True).stdout
    result: dict[str, object] = json.loads(found)
    return result


class Training:
    """The plain loop, with and without the one line that records."""

    def __init__(self) -> None:
        file = np.load(DATA / "ecfp4_1024.npz")
        bits = np.unpackbits(file["fp_packed"], axis=1)[:, :1024]
        self.inputs = torch.from_numpy(bits).float()
        self.targets = torch.from_numpy(file["y"]).float()
        self.mask = self.targets >= 0
        self.targets = self.targets.clamp(min=0)
        self.names = [str(name) for name in file["tasks"]]
        kinds = [Task(name=n, kind=Kind.BINARY, classes=("0", "1")) for n in self.names]
        self.losses = TaskLosses(kinds)
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
        began = time.perf_counter()
        for rows in torch.randperm(len(self.inputs)).split(BATCH):
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
        (loss * seen).sum().div(seen.sum()).backward()
        self.optimizer.step()


def timing() -> dict[str, float]:
    torch.set_num_threads(1)
    training = Training()
    training.epoch(record=False)
    first = training.epoch(record=True)
    pairs = [(training.epoch(record=False), training.epoch(record=True)) for _ in range(EPOCHS)]
    found = training.maps.result()
    assert np.isfinite(found.variability()).sum() == int(training.mask.sum())
    assert float(np.nanmean(found.confidence())) > 0.8
    plain = statistics.median(one for one, _ in pairs)
    extra = statistics.median(two - one for one, two in pairs)
    return {
        "plain_epoch": plain,
        "recording": extra,
        "share": extra / plain,
        "recording_first_epoch": first - plain,
    }


def table(memories: list[dict[str, object]], times: dict[str, float]) -> str:
    stages = list(memories[0]["peak_bytes"])  # type: ignore[call-overload]
    first = memories[0]
    lines = [
        f"{first['tasks']} tasks x {first['rows']} rows (ToxCast's label mask), one thread, torch "
        f"{torch.__version__}, numpy {np.__version__}. Peak resident memory above the process's own, MB, "
        "so far:",
        "",
        f"| snapshots, the last included | {' | '.join(stages)} | file | figure |",
        "|---" * (len(stages) + 3) + "|",
    ]
    for row in memories:
        peaks = [f"{row['peak_bytes'][stage] / 1e6:.0f}" for stage in stages]  # type: ignore[index]
        sizes = [f"{row[key] / 1e6:.2f}" for key in ("file_bytes", "figure_bytes")]  # type: ignore[operator]
        lines.append(f"| {row['snapshots']} | {' | '.join(peaks)} | {' | '.join(sizes)} |")
    seconds = memories[1]["seconds"]
    lines += [
        "",
        f"Seconds with {memories[1]['snapshots']} snapshots: "
        + ", ".join(f"{stage} {seconds[stage]:.1f}" for stage in stages[1:])  # type: ignore[index]
        + ".",
        "",
        "Recording beside a plain PyTorch epoch (MLP 256-256, 1,024 bits, 617 tasks, batch "
        f"{BATCH}, median of {EPOCHS} pairs of epochs in one process):",
        "",
        "| plain epoch, s | judge and record, s | share | in the first epoch, s |",
        "|---|---|---|---|",
        f"| {times['plain_epoch']:.2f} | {times['recording']:.2f} | {times['share']:.0%} "
        f"| {times['recording_first_epoch']:.2f} |",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    memories = [memory(count) for count in SNAPSHOTS]
    times = timing()
    RESULTS.mkdir(exist_ok=True)
    content = {"memory": memories, "seconds": times}
    (RESULTS / "datamap.json").write_text(json.dumps(content, indent=1) + "\n")
    (RESULTS / "datamap.md").write_text(table(memories, times))
    print(table(memories, times))
    for row in memories:
        peaks: dict[str, int] = row["peak_bytes"]  # type: ignore[assignment]
        assert peaks["text and figure"] < LIMIT, f"{row['snapshots']} snapshots do not fit in 1 GB"

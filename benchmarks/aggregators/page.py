"""The page of the ratios, the memory and IT-MTL’s steps."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.aggregators import ROUNDS
from benchmarks.aggregators.contenders import INPUTS, ROWS, WIDTHS

RATIOS = (  # theirs, ours
    ("TorchJD", "ours"),
    ("LibMTL-style", "ours"),
    ("TorchJD", "ours, bf16"),
    ("LibMTL-style", "ours, bf16"),
    ("TorchJD, bf16", "ours, bf16"),
    ("LibMTL-style, bf16", "ours, bf16"),
)


def table(result: dict[str, Any]) -> str:
    rows, memory, choices = result["rows"], result["memory_mb"], result["itmtl"]
    lines = [
        f"MLP {'-'.join(map(str, WIDTHS))} on {INPUTS} inputs, batch {ROWS}, one member, "
        f"{torch.get_num_threads()} thread, torch {torch.__version__}, "
        f"{torch.backends.cpu.get_cpu_capability()}; median of {ROUNDS} interleaved epochs.",
        "The LibMTL-style loop is our re-implementation of its published algorithms.",
        *(["**Measured on a busy machine: read the ratios only.**"] if result["busy"] else []),
        "",
        "Ratios of times, > 1 where ours is faster. bf16: products in bfloat16, ours as the engine chooses "
        "on processors that multiply it fast, theirs under autocast. The cosine is that of our shared "
        "direction in bfloat16 to that in float32.",
        "",
    ]
    head = ["T", "method", *(f"{slow} / {fast}" for slow, fast in RATIOS)]
    lines += [f"| {' | '.join([*head, 'cosine', 'ms, ours', 'ms, ours, bf16'])} |"]
    lines += ["|---" * (len(head) + 3) + "|"]
    for row in rows:
        shown = [f"{ratio:.2f}×" for ratio in row["ratio"].values()]
        shown += [f"{row['cosine_of_bf16']:.3f}"]
        shown += [f"{row['ms'][name]:.1f}" for name in ("ours", "ours, bf16")]
        lines.append(f"| {row['tasks']} | {row['method']} | {' | '.join(shown)} |")
    lines += ["", "Peak memory above an idle process, MB:", ""]
    lines += cells(["T", "method"], [([r["tasks"], r["method"]], r["mb"]) for r in memory], 0)
    lines += [
        "",
        "IT-MTL (all, singles, leave-one-out: 2T + 1 candidates), ms a step, float32:",
        "",
    ]
    lines += cells(["T"], [([r["tasks"]], r["ms"]) for r in choices], 1)
    return "\n".join(lines) + "\n"


def cells(
    head: list[str], rows: list[tuple[list[Any], dict[str, float]]], digits: int
) -> list[str]:
    """A table with a column for each of the values' names."""
    columns = [*head, *rows[0][1]]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for names, values in rows:
        shown = [*map(str, names), *(f"{value:.{digits}f}" for value in values.values())]
        lines.append(f"| {' | '.join(shown)} |")
    return lines

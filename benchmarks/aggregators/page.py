"""The page of the ratios, the memory and IT-MTL's steps."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.aggregators.contenders import INPUTS, ROWS, WIDTHS
from benchmarks.common.markdown import table

RATIOS = (  # theirs, ours
    ("TorchJD", "ours"),
    ("LibMTL-style", "ours"),
    ("TorchJD", "ours, bf16"),
    ("LibMTL-style", "ours, bf16"),
    ("TorchJD, bf16", "ours, bf16"),
    ("LibMTL-style, bf16", "ours, bf16"),
)


def page(result: dict[str, Any]) -> str:
    """The result in three tables."""
    memory, choices = result["memory_mb"], result["itmtl"]
    lines = [
        f"MLP {'-'.join(map(str, WIDTHS))} on {INPUTS} inputs, batch {ROWS}, one member, "
        f"{torch.get_num_threads()} thread, torch {torch.__version__}, "
        f"{torch.backends.cpu.get_cpu_capability()}; median of {result['rounds']} interleaved rounds.",
        "The LibMTL-style loop is our re-implementation of its published algorithms.",
        *(["**Measured on a busy machine: read the ratios only.**"] if result["busy"] else []),
        "",
        "Ratios of times, > 1 where ours is faster. bf16: products in bfloat16, ours as the engine chooses "
        "on processors that multiply it fast, theirs under autocast. The cosine is that of our shared "
        "direction in bfloat16 to that in float32.",
        "",
        *_steps(result["rows"]),
        "",
        "Peak memory above an idle process, MB:",
        "",
        *_values(["T", "method"], [([r["tasks"], r["method"]], r["mb"]) for r in memory], 0),
        "",
        "IT-MTL (all, singles, leave-one-out: 2T + 1 candidates), ms a step, float32:",
        "",
        *_values(["T"], [([r["tasks"]], r["ms"]) for r in choices], 1),
    ]
    return "\n".join(lines) + "\n"


def _steps(rows: list[dict[str, Any]]) -> list[str]:
    """A row a number of tasks and method."""
    ratios = [f"{slow} / {fast}" for slow, fast in RATIOS]
    return table(
        ["T", "method", *ratios, "cosine", "ms, ours", "ms, ours, bf16"],
        [
            [
                row["tasks"],
                row["method"],
                *(f"{one:.2f}×" for one in row["ratio"].values()),
                f"{row['cosine_of_bf16']:.3f}",
                *(f"{row['ms'][name]:.1f}" for name in ("ours", "ours, bf16")),
            ]
            for row in rows
        ],
    )


def _values(
    head: list[str], rows: list[tuple[list[Any], dict[str, float]]], digits: int
) -> list[str]:
    """A table with a column for each of the values' names."""
    return table(
        [*head, *rows[0][1]],
        [[*names, *(f"{value:.{digits}f}" for value in own.values())] for names, own in rows],
    )

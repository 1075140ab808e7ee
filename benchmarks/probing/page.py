"""The page of probes beside steps."""

from __future__ import annotations

from typing import Any

from benchmarks.common.markdown import table


def page(found: dict[str, Any]) -> str:
    """The costs, and what else was measured."""
    costs = found["costs"]
    lines = [
        "# What looking costs",
        "",
        "Seconds of a probe every 10 steps, as the ratio (10 steps + probe) / (10 steps), to the",
        "engine's own steps and to a plain PyTorch loop. `python -m benchmarks probing`",
        "",
        *_beside_steps(costs),
        "",
        "On the whole batch of 256, how many times faster than the obvious ways:",
        "",
        *_beside_obvious(costs),
    ]
    for key, title in (
        ("agreement", "Tox21, twelve assays, one run, the same probes on parts of the batch:"),
        ("toxcast", "ToxCast, 617 assays, one joint run of the defaults on this machine:"),
    ):
        if key in found:
            values = found[key].items()
            lines += ["", title, "", *(f"- {name}: {_written(value)}" for name, value in values)]
    return "\n".join(lines) + "\n"


def _beside_steps(costs: list[dict[str, Any]]) -> list[str]:
    head = (
        "tasks",
        "rows of a probe",
        "lookahead: engine",
        "lookahead: PyTorch",
        "first order: engine",
        "gradients: engine",
        "lookahead / first order",
    )
    rows = []
    for one in costs:
        s = one["seconds"]
        ratios = (
            1 + s["lookahead"] / s["engine"],
            1 + s["lookahead"] / s["plain"],
            1 + s["first order"] / s["engine"],
            1 + s["gradients"] / s["engine"],
            s["lookahead"] / s["first order"],
        )
        rows.append((one["tasks"], one["probe rows"], *(f"{ratio:.2f}×" for ratio in ratios)))
    return table(head, rows)


def _beside_obvious(costs: list[dict[str, Any]]) -> list[str]:
    head = (
        "tasks",
        "lookahead against T backward and T forward passes",
        "first order against TorchJD's Gram matrix",
        "against T backward and forward passes",
    )
    rows = []
    for one in costs:
        s = one["seconds"]
        loop, whole = s["faithful loop, whole batch"], s["first order, whole batch"]
        gram = s["TorchJD Gram matrix, whole batch"]
        ratios = (loop / s["lookahead, whole batch"], gram / whole, loop / whole)
        rows.append((one["tasks"], *(f"{ratio:.1f}×" for ratio in ratios)))
    return table(head, rows)


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} rows {_written(each)}" for key, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"

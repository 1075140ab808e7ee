"""The page of probes beside steps."""

from __future__ import annotations


def page(table: list[dict[str, object]], agreed: dict[str, object], many: dict[str, object]) -> str:
    """The results as a page of tables."""
    lines = [
        "# What looking costs",
        "",
        "Seconds of a probe every 10 steps, as the ratio (10 steps + probe) / (10 steps), to the",
        "engine's own steps and to a plain PyTorch loop. `python benchmarks/probing.py`",
        "",
        "| tasks | rows of a probe | lookahead: engine | lookahead: PyTorch | first order: engine | "
        "gradients: engine | lookahead / first order |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in table:
        s: dict[str, float] = row["seconds"]  # type: ignore[assignment]
        ratios = [
            1 + s["lookahead"] / s["engine"],
            1 + s["lookahead"] / s["plain"],
            1 + s["first order"] / s["engine"],
            1 + s["gradients"] / s["engine"],
            s["lookahead"] / s["first order"],
        ]
        cells = " | ".join(f"{ratio:.2f}×" for ratio in ratios)
        lines.append(f"| {row['tasks']} | {row['probe rows']} | {cells} |")
    lines += [
        "",
        "On the whole batch of 256, how many times faster than the obvious ways:",
        "",
        "| tasks | lookahead against T backward and T forward passes | "
        "first order against TorchJD's Gram matrix | against T backward and forward passes |",
        "|---|---|---|---|",
    ]
    for row in table:
        s = row["seconds"]  # type: ignore[assignment]
        loop, whole = s["faithful loop, whole batch"], s["first order, whole batch"]
        lines.append(
            f"| {row['tasks']} | {loop / s['lookahead, whole batch']:.1f}× | "
            f"{s['TorchJD Gram matrix, whole batch'] / whole:.1f}× | {loop / whole:.1f}× |"
        )
    lines += ["", "Tox21, twelve assays, one run, the same probes on parts of the batch:", ""]
    lines += [f"- {key}: {_written(value)}" for key, value in agreed.items()]
    lines += ["", "ToxCast, 617 assays, one joint run of the defaults on this machine:", ""]
    lines += [f"- {key}: {_written(value)}" for key, value in many.items()]
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} rows {_written(each)}" for key, each in value.items())
    return f"{value:.4g}" if isinstance(value, float) else f"{value:,}"

"""The page of real and simulated workers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.common.markdown import table
from benchmarks.ray_scaling.problem import COHORT, INPUTS, ROUNDS, TASKS, TURN_SECONDS

COLUMNS = (
    ("workers", "workers", 1, 0),
    ("members", "members", 1, 0),
    ("driver, ms a turn", "driver_ms_per_turn", 1, 2),
    ("driver, s an epoch", "driver_s_per_round", 1, 3),
    ("driver busy", "driver_busy", 100, 1),
    ("workers busy", "workers_busy", 100, 0),
    ("through the driver, KB an epoch", "driver_kb_per_round", 1, 0),
    ("through the store, MB an epoch", "store_mb_per_round", 1, 0),
    ("of it copies from cohort to cohort, MB", "copied_mb_per_round", 1, 0),
)


def by_workers(rows: Sequence[dict[str, float]]) -> list[str]:
    """A row a number of workers."""
    return table(
        [name for name, *_ in COLUMNS],
        [
            [
                f"{factor * row[key]:.{digits}f}" + (" %" if factor == 100 else "")
                for _, key, factor, digits in COLUMNS
            ]
            for row in rows
        ],
    )


def page(result: dict[str, Any]) -> str:
    calls, last, sought = result["ray_calls_s"], result["population"][-1], result["search"][-1]
    reach = 1e3 * TURN_SECONDS / last["driver_ms_per_turn"]
    lines = [
        f"MLP 256-256 on {INPUTS} inputs, {TASKS} tasks, cohorts of {COHORT} members, {ROUNDS} epochs; "
        f"{result['cores']} cores, load {result['load'][0]:.1f} when this began.",
        "",
        "## Real workers on this machine",
        "",
        "Seconds for a population of 32, one thread a process; the first run starts the workers. Where the "
        "load above is well above 1, others shared the cores and nothing can be said of a speed-up.",
        "",
        *table(
            ("where", "first", "later, median of 3"),
            [
                (name, f"{own['first']:.1f}", f"{own['median_after']:.1f}")
                for name, own in result["real"].items()
            ],
        ),
        "",
        f"Ray's calls take {1e6 * calls['turn']:.0f} µs of the driver's processor a turn and "
        f"{1e6 * calls['piece']:.0f} µs more for each further piece (empty work, 400 turns in flight).",
        "",
        "## The driver's loop with simulated workers",
        "",
        f"A worker comes back every {TURN_SECONDS:.0f} s (up to a tenth later), after one epoch. A "
        "population:",
        "",
        *by_workers(result["population"]),
        "",
        "A search (PBT, which waits for everybody in each epoch and keeps a piece a member):",
        "",
        *by_workers(result["search"]),
        "",
        f"The driver's time a turn hardly depends on the number of workers, so its time an epoch grows "
        f"with them: at {last['driver_ms_per_turn']:.2f} ms a turn it is busy all the time with about "
        f"{reach:.0f} workers that come back every {TURN_SECONDS:.0f} s (`RayCluster(pause=…)` moves "
        f"that). A search asks more of it ({sought['driver_ms_per_turn']:.2f} ms: {COHORT} pieces instead "
        "of one, and the searcher), all at once while the workers wait. In an epoch no tensors pass "
        "through the driver, but those of networks below 100 KB, which Ray hands around with the task.",
        "",
        f"At the end the result of every cohort does: {1e3 * result['write_cohort_s']:.0f} ms of the "
        f"driver's processor to write {last['store_mb_per_round'] / last['workers']:.0f} MB, "
        f"{last['workers'] * result['write_cohort_s']:.0f} s for {last['workers']:.0f} cohorts. "
        "That, and not the epochs, limits short trainings first. Checkpoints of many cohorts take at most "
        "about a tenth of the driver's time.",
    ]
    return "\n".join(lines) + "\n"

"""The command line of the benchmarks: ``python -m benchmarks [NAME|all] [--quick] [--out FOLDER]``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.folders import RESULTS, ROOT
from benchmarks.common.options import Options
from benchmarks.registry import BENCHMARKS, MINUTES, Benchmark, known_minutes


def main(arguments: Sequence[str] | None = None) -> int:
    """List the benchmarks, run one, or run all; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[*BENCHMARKS, "all"], metavar="NAME", help=(
        "a benchmark, or all; without it they are listed"))  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="a small version of it")
    parser.add_argument("--out", type=Path, help="folder of the results; a temporary one if quick")
    given = parser.parse_args(arguments)
    if given.name is None:
        print(listing())
        return 0
    folder = given.out or (Path(tempfile.mkdtemp()) if given.quick else RESULTS)
    options = Options(quick=given.quick, out=folder.resolve())
    options.out.mkdir(parents=True, exist_ok=True)
    return run_all(options) if given.name == "all" else run_one(BENCHMARKS[given.name], options)


def listing() -> str:
    """A line a benchmark: its name, minutes of the last full run, and what it asks."""
    known, width = known_minutes(), max(map(len, BENCHMARKS))
    return "\n".join(
        f"{name:{width}}  {written(known.get(name)):>7}  {benchmark.about}"
        for name, benchmark in BENCHMARKS.items()
    )


def written(minutes: float | None) -> str:
    """Minutes, if they are known."""
    return "?" if minutes is None else f"{minutes:.1f} min"


def run_one(benchmark: Benchmark, options: Options) -> int:
    """Run a benchmark in this process, unless its data are absent."""
    if missing := benchmark.absent(options):
        print(f"{benchmark.name}: skipped, no {', '.join(missing)} in the folder of data")
        return 0
    if benchmark.one_thread:
        os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    began = time.monotonic()
    benchmark.load()(options)
    minutes = (time.monotonic() - began) / 60
    print(f"{benchmark.name}: {60 * minutes:.0f} s, results in {options.out}")
    if not options.quick:
        known = known_minutes(options.out) | {benchmark.name: round(minutes, 1)}
        text = json.dumps(dict(sorted(known.items())), indent=1)
        (options.out / MINUTES).write_text(text + "\n")
    return 0


def run_all(options: Options) -> int:
    """Run one after another, each in a process of its own; print how long each took at the end."""
    taken = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", "benchmarks", name, "--out", str(options.out)]
        began = time.monotonic()
        status = subprocess.run(command + ["--quick"] * options.quick, cwd=ROOT).returncode
        taken.append((name, time.monotonic() - began, status))
    print("\n".join(["", *(_took(*one) for one in taken)]))
    return max(status for *_, status in taken)


def _took(name: str, seconds: float, status: int) -> str:
    return f"{name:18} {seconds:7.0f} s{'' if status == 0 else f'  FAILED ({status})'}"


if __name__ == "__main__":
    sys.exit(main())

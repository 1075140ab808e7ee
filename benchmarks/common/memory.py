"""Memory of one process, and functions run in a fresh one, where nothing else has used any."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.common.folders import ROOT


def in_fresh_process(module: str, function: str, *arguments: Any) -> Any:
    """What a function of a benchmark returns in a Python of its own; all passes through JSON."""
    command = [sys.executable, "-m", "benchmarks.common.memory", module, function]
    done = subprocess.run(
        [*command, json.dumps(arguments)], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    return json.loads(done.stdout)


def peak_bytes() -> int:
    """Peak resident memory of this process (getrusage would count the parent's before exec)."""
    return _status("VmHWM")


def resident_bytes() -> int:
    """Resident memory of this process now."""
    return _status("VmRSS")


def _status(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{field}:")[1].split()[0])


if __name__ == "__main__":
    called = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
    print(json.dumps(called(*json.loads(sys.argv[3]))))

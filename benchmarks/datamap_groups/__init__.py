"""Groups from data maps (STG-MTL, arXiv 2307.03374): are they the right ones, and do their models pay?

Digits, 15 tasks (10 one-vs-rest, even, at least 5, closed loop, upside down, coin flips), three data seeds
(other split, other images turned, other coin flips). The map of one joint run is clustered by every method;
is `random` alone, and do seeds agree? Then a population is trained whose weights are the membership
columns, beside each task alone and all together, all at the same setting (SETTINGS[0], nothing tuned).

CIFAR-100, 100 one-vs-rest tasks, 15,000 images (10 % held out for validation): one joint run of a small
CNN with lookahead, gradients and data map looking on, and the same with the built-in MLP on 256 whitened
principal components. 20 clusters by each, beside the 20 superclasses; 2 clusters, beside living or not.
cotrain probes 100 tasks with 32 images; the same run is probed once more with whole batches. Balanced
accuracy and F1 on the 5,000 test images with the MLP only, as 100 CNNs are too many.

A prediction is the ensemble of logits by membership. It counts as positive above the training prevalence,
so that class imbalance does not decide. The loss has no positive weight (the paper's is 99); what it would
do to the map is approached by moving the logits by the log-odds of the prevalence ("balanced map").
Intervals: 95 %, paired bootstrap over test rows and seeds, the same draws for all contenders.

    python benchmarks/datamap_groups.py              # writes benchmarks/results/datamap_groups.{json,md}
    python benchmarks/datamap_groups.py --digits     # one part; --cifar-cnn and --cifar-mlp are others
    python benchmarks/datamap_groups.py --page       # only the page, from the json

Letters: T tasks, C clusters, N rows, P members, S seeds, R bootstrap replicates.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.common.folders import RESULTS
from benchmarks.datamap_groups.classes import cnn_part, mlp_part
from benchmarks.datamap_groups.digits import digits_part
from benchmarks.datamap_groups.page import page

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "digits": digits_part,
    "cifar-cnn": cnn_part,
    "cifar-mlp": mlp_part,
}


def main() -> None:
    torch.set_num_threads(1)
    file = RESULTS / "datamap_groups.json"
    parts = json.loads(file.read_text()) if file.exists() else {}
    asked = [name for name in PARTS if f"--{name}" in sys.argv]
    if "--cifar" in sys.argv:
        asked += [name for name in PARTS if name.startswith("cifar")]
    for name in asked or ([] if "--page" in sys.argv else PARTS):
        parts[name] = PARTS[name]()
        file.write_text(json.dumps(parts, separators=(",", ":")) + "\n")
    (RESULTS / "datamap_groups.md").write_text(page(parts))

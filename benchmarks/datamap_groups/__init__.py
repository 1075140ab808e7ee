"""Groups from data maps (STG-MTL, arXiv 2307.03374): are they the right ones, and do their models pay?

Digits, 15 tasks (10 one-vs-rest, even, at least 5, closed loop, upside down, coin flips), three data seeds
(other split, other images turned, other coin flips). The map of one joint run is clustered by every method;
is `random` alone, and do seeds agree? Then a population is trained whose weights are the membership
columns, beside each task alone and all together, all at the same setting (UNTUNED, nothing tuned).

CIFAR-100, 100 one-vs-rest tasks, 15,000 images (10 % held out for validation): one joint run of a small
CNN with lookahead, gradients and data map looking on, and the same with the built-in MLP on 256 whitened
principal components. 20 clusters by each, beside the 20 superclasses; 2 clusters, beside living or not.
cotrain probes 100 tasks with 32 images; the same run is probed once more with whole batches. Balanced
accuracy and F1 on the 5,000 test images with the MLP only, as 100 CNNs are too many.

A prediction is the ensemble of logits by membership. It counts as positive above the training prevalence,
so that class imbalance does not decide. The loss has no positive weight (the paper's is 99); what it would
do to the map is approached by moving the logits by the log-odds of the prevalence ("balanced map").
Intervals: 95 %, paired bootstrap over test rows and seeds, the same draws for all contenders.

    python -m benchmarks datamap_groups              # writes benchmarks/results/datamap_groups.{json,md}

Letters: T tasks, C clusters, N rows, P members, S seeds, R bootstrap replicates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.common.files import write_json, write_page
from benchmarks.common.options import Options
from benchmarks.datamap_groups.classes import cnn_part, mlp_part
from benchmarks.datamap_groups.digits import QUICK_DIGITS, digits_part
from benchmarks.datamap_groups.page import page

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "digits": digits_part,
    "cifar-cnn": cnn_part,
    "cifar-mlp": mlp_part,
}


def run(options: Options) -> None:
    """The digits, and both networks on CIFAR-100; the quick version is of the digits only."""
    torch.set_num_threads(1)
    parts: dict[str, Any] = {}
    if options.quick:
        parts["digits"] = digits_part(QUICK_DIGITS)
    else:
        for name, part in PARTS.items():
            parts[name] = part()
            write_json(options.out / "datamap_groups.json", parts, compact=True)
    write_json(options.out / "datamap_groups.json", parts, compact=True)
    write_page(options.out / "datamap_groups.md", page(parts), show=False)

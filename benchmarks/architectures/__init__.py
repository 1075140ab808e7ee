"""Do experts, implicit ensembles or RealMLP's tricks beat the plain joint network, tuned alike?

Every contestant trains five networks, one a fold, to the end, at the three settings of a run's grid: the same
batches, AdamW, schedule and epochs. Its best setting is judged by the predictions for the rows that the
networks left out; the test split stays sealed.

    python -m benchmarks architectures     # writes benchmarks/results/architectures.{json,md}
"""

from __future__ import annotations

from benchmarks.architectures.contestants import CONTESTANTS, ENSEMBLES, JOINT
from benchmarks.architectures.judging import Outcome, differences, outcome
from benchmarks.architectures.page import page
from benchmarks.architectures.training import trained_outputs

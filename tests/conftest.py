"""One thread a test process: tiny products gain nothing from more, and OpenMP's spinning costs.

Hypothesis has no deadlines: how long a case takes says more of the machine than of the code.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
torch.set_num_threads(1)

"""One thread a test process: tiny products gain nothing from more, and OpenMP's spinning costs."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

torch.set_num_threads(1)

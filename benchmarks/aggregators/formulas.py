"""The formulas of gradient aggregation as LibMTL publishes them, on one ``[T, D]`` matrix of gradients."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torchjd import aggregation as agg

from benchmarks.common.arrays import Array


def norm_start(gram: list[list[float]]) -> tuple[int, int, float]:
    """The pair of gradients with the shortest vector between them, and the share of the first."""
    best = (float("inf"), 0, 1, 0.5)
    for i, j in combinations(range(len(gram)), 2):
        share, cost = between(gram[i][i], gram[i][j], gram[j][j])
        best = min(best, (cost, i, j, share))
    return best[1], best[2], best[3]


def between(aa: float, ab: float, bb: float) -> tuple[float, float]:
    """Share of a in the shortest vector between a and b, and its squared length."""
    if ab >= aa:
        return 0.999, aa
    if ab >= bb:
        return 0.001, bb
    share = (bb - ab) / (aa + bb - 2 * ab)
    return share, bb + share * (ab - bb)


def onto_simplex(values: Tensor) -> Tensor:
    ordered = values.sort(descending=True).values
    excess = (ordered.cumsum(0) - 1) / torch.arange(1, len(values) + 1)
    last = int((ordered > excess).nonzero().max())
    return (values - excess[last]).clamp_min(0)


def mgda(grads: Tensor) -> Tensor:
    """Projected gradient descent on the simplex with a line search (Sener and Koltun 2018)."""
    gram = grads @ grads.T
    i, j, share = norm_start(gram.tolist())
    weights = torch.zeros(len(gram))
    weights[i], weights[j] = share, 1 - share
    for _ in range(250 if len(gram) > 2 else 0):
        down = -(gram @ weights)
        down = down - down.mean()
        limits = torch.cat(
            [-weights[down < 0] / down[down < 0], (1 - weights[down > 0]) / down[down > 0]]
        )
        limits = limits[limits > 1e-7]
        reach = limits.min().clamp_max(1.0) if len(limits) else torch.ones(())
        there = onto_simplex(weights + reach * down)
        aa, ab, bb = (float(a @ gram @ b) for a, b in
                      ((weights, weights), (weights, there), (there, there)))  # fmt: skip
        share, _ = between(aa, ab, bb)
        change = (1 - share) * (there - weights)
        if float(change.abs().sum()) < 1e-5:
            break
        weights = weights + change
    return weights @ grads


def pcgrad(grads: Tensor) -> Tensor:
    """Projections in the space of the parameters, tasks in random order (Yu et al. 2020)."""
    found = grads.clone()
    for row in found:
        others = list(range(len(grads)))
        random.shuffle(others)
        for other in others:
            product = torch.dot(row, grads[other])
            if product < 0:
                row -= product * grads[other] / grads[other].norm().pow(2)
    return found.sum(dim=0)


def cagrad(grads: Tensor) -> Tensor:
    """The dual by SciPy's SLSQP (Liu et al. 2021), c = 0.5."""
    gram = (grads @ grads.T).numpy()
    uniform = np.ones(len(gram)) / len(gram)
    radius = 0.5 * float(np.sqrt(gram.mean() + 1e-8)) + 1e-8

    def dual(w: Array) -> float:
        return float(w @ gram @ uniform + radius * np.sqrt(w @ gram @ w + 1e-8))

    def missing(w: Array) -> float:
        return float(1 - w.sum())

    found = minimize(
        dual,
        uniform,
        bounds=[(0.0, 1.0)] * len(gram),
        constraints={"type": "eq", "fun": missing},
    )
    mixed = torch.tensor(found.x, dtype=torch.float32) @ grads
    step: Tensor = (grads.mean(dim=0) + radius / (mixed.norm() + 1e-8) * mixed) / 1.25
    return step


def aligned(grads: Tensor) -> Tensor:
    """Balanced by the eigenvectors of the Gram matrix (Senushkin et al. 2023)."""
    values, vectors = torch.linalg.eigh(grads @ grads.T)
    kept = values > values.max() * len(values) * torch.finfo(torch.float32).eps
    values, vectors = values[kept], vectors[:, kept]
    balance: Tensor = values.min().sqrt() * (vectors / values.sqrt()) @ vectors.T
    return balance.sum(dim=0) @ grads


def upgrad(grads: Tensor) -> Tensor:
    """LibMTL's is TorchJD's, on the matrix."""
    weights: Tensor = agg.UPGradWeighting()(grads @ grads.T)
    return weights @ grads


def imtlg(grads: Tensor) -> Tensor:
    """The closed form with an inverse of T − 1 (Liu et al. 2021)."""
    unit = grads / grads.norm(dim=1, keepdim=True)
    apart, turned = grads[:1] - grads[1:], unit[:1] - unit[1:]
    rest = grads[0] @ turned.T @ torch.linalg.inv(apart @ turned.T)
    return torch.cat([1 - rest.sum().unsqueeze(0), rest]) @ grads

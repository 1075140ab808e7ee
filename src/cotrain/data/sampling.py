"""Marks data whose tasks are domains: weights become the rates at which batches sample them."""

import hashlib
from collections import Counter
from dataclasses import replace

from cotrain.data.dataset import Splits, TaskData
from cotrain.errors import InputError


def sampled_by_domain(splits: Splits) -> Splits:
    """The same data with weights as sampling rates.

    Raises:
        InputError: If a training row is labelled for two tasks.
    """
    train = splits.development.train
    crowded = int((train.mask.sum(dim=1) > 1).sum())
    if crowded:
        raise InputError(
            f"{crowded:,} rows are labelled for several tasks: rows of domains belong to one each"
        )
    marked = replace(train, domains=_seeds(train))
    return replace(
        splits,
        development=replace(splits.development, train=marked),
        digest=hashlib.sha256(f"{splits.digest} by domain".encode()).hexdigest(),
    )


def _seeds(train: TaskData) -> tuple[int, ...]:
    """From each domain's content, so that draws follow a domain to wherever it is listed."""
    seen: Counter[bytes] = Counter()
    seeds = []
    for domain in range(len(train.tasks)):
        own = train.rows(train.mask[:, domain].nonzero().flatten())
        content = own.inputs.numpy().tobytes() + own.targets[:, domain].numpy().tobytes()
        key = hashlib.sha256(content).digest()
        seeds.append(int.from_bytes(key[:6]) + seen[key])  # twins draw apart
        seen[key] += 1
    return tuple(seeds)

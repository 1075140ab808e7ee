"""What the optimizer study trains: optimizers with their learning rates, and ways of weighting tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cotrain.engine.loss_weighting import FIXED, LossWeighting
from cotrain.engine.member import Member, one_hot
from cotrain.engine.optimizers import SGD, Adam, AdamW, Optimizer, SignSGD, TaskAdam
from cotrain.engine.recipe import Recipe
from cotrain.errors import InputError
from cotrain.studies.ranges import check_between, check_least

UNIFORM = "uniform"


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """An optimizer and what is tried for it.

    Args:
        name: For people.
        optimizer: Makes the updates.
        learning_rates: ``[L]`` by growing rate.
        weight_decay: Of the network, as the optimizer applies it.
    """

    name: str
    optimizer: Optimizer
    learning_rates: tuple[float, ...]
    weight_decay: float = 0.01


def _check_growing(contestant: Contestant) -> None:
    """Refuse learning rates that are no rates, or do not grow."""
    name, tried = f"learning rates of {contestant.name}", contestant.learning_rates
    check_between(name, tried, 0)
    if any(a >= b for a, b in pairwise(tried)):
        raise InputError(f"{name} must grow, got {', '.join(f'{rate:g}' for rate in tried)}")


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way of weighting the tasks, by name."""

    name: str
    weighting: LossWeighting


def rates(lowest: float, count: int = 8) -> tuple[float, ...]:
    """Learning rates, each √10 times the last.

    >>> rates(1e-3, 3)
    (0.001, 0.00316, 0.01)
    """
    return tuple(float(f"{lowest * 10 ** (at / 2):.3g}") for at in range(count))


CONTESTANTS = (
    Contestant(
        name="SGD",
        optimizer=SGD(),
        learning_rates=rates(1e-3),
        weight_decay=1e-4,
    ),
    Contestant(name="Adam", optimizer=Adam(), learning_rates=rates(3.16e-5), weight_decay=1e-4),
    Contestant(name="AdamW", optimizer=AdamW(), learning_rates=rates(3.16e-5)),
    Contestant(name="signSGD", optimizer=SignSGD(), learning_rates=rates(1e-5)),
    Contestant(name="task Adam", optimizer=TaskAdam(), learning_rates=rates(3.16e-5)),
)


def published_methods() -> tuple[Method, ...]:
    """Uniform weights and seven methods of the paper's kinds.

    Raises:
        InputError: If TorchJD, which has the aggregators, is missing.
    """
    from cotrain.weighting import IMTLL, ITMTL, Aggregated, FirstOrderScore, Random, Uncertainty
    from cotrain.weighting.aggregated import torchjd_aggregation

    aggregation = torchjd_aggregation()
    return (
        Method(name=UNIFORM, weighting=FIXED),
        Method(name="UW", weighting=Uncertainty()),
        Method(name="RLW", weighting=Random()),
        Method(name="IMTL-L", weighting=IMTLL()),
        Method(name="PCGrad", weighting=Aggregated(aggregator=aggregation.PCGrad())),
        Method(name="CAGrad", weighting=Aggregated(aggregator=aggregation.CAGrad(c=0.5))),
        Method(name="Aligned-MTL", weighting=Aggregated(aggregator=aggregation.AlignedMTL())),
        Method(name="IT-MTL", weighting=ITMTL(score=FirstOrderScore())),
    )


@dataclass(frozen=True, kw_only=True)
class OptimizerGrid:
    """Everything that the study trains.

    Args:
        contestants: O optimizers, all with the same number of learning rates.
        methods: M ways of weighting; the first are uniform weights.
        seeds: S seeds of every network.
        seed: Of batches and of the bootstrap.
        widths: Units of the hidden layers.
        dropout: Share of the network's dropout rates.
        recipe: Epochs and batches; by the number of rows if None. Its weight decay is not used.

    Raises:
        InputError: If the grid is empty, or its parts do not fit.
    """

    contestants: tuple[Contestant, ...] = CONTESTANTS
    methods: tuple[Method, ...] = field(default_factory=published_methods)
    seeds: int = 3
    seed: int = 0
    widths: tuple[int, ...] = (64, 64)
    dropout: float = 0.3
    recipe: Recipe | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        counts = {len(contestant.learning_rates) for contestant in self.contestants}
        if len(counts) != 1 or 0 in counts:
            raise InputError(
                "give optimizers, each with the same number of learning rates: the same tuning for all"
            )
        if not self.methods or self.methods[0].weighting != FIXED:
            raise InputError("the first method must be uniform weights: Fixed()")
        for named in (self.contestants, self.methods):
            names = [one.name for one in named]
            if len(set(names)) < len(names):
                raise InputError(f"names must differ, found {', '.join(names)}")
        for contestant in self.contestants:
            _check_growing(contestant)
        check_between("widths", self.widths, 0)
        check_least("dropout", self.dropout, 0, 1)
        check_least("seeds", self.seeds, 2)  # for intervals
        if all(contestant.optimizer.by_task for contestant in self.contestants):
            raise InputError("one optimizer at least must not be by task, to train each task alone")

    @property
    def lone(self) -> tuple[int, ...]:
        """Contestants that train tasks alone: there, moments for each task change nothing."""
        return tuple(o for o, one in enumerate(self.contestants) if not one.optimizer.by_task)

    def together(self, contestant: Contestant, method: Method, tasks: int) -> list[Member]:
        """``[L · S]`` members that train all tasks, rate by rate."""
        return self._members(contestant, method.weighting, [(1.0,) * tasks])

    def alone(self, contestant: Contestant, tasks: int) -> list[Member]:
        """``[L · S · T]`` members that train a task each."""
        return self._members(contestant, FIXED, [one_hot(t, tasks) for t in range(tasks)])

    def _members(
        self,
        contestant: Contestant,
        weighting: LossWeighting,
        vectors: Sequence[tuple[float, ...]],
    ) -> list[Member]:
        return [
            Member(
                name=contestant.name,
                weights=weights,
                seed=seed,
                learning_rate=rate,
                dropout=self.dropout,
                weight_decay=contestant.weight_decay,
                weighting=weighting,
                optimizer=contestant.optimizer,
            )
            for rate in contestant.learning_rates
            for seed in range(self.seeds)
            for weights in vectors
        ]

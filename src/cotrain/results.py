"""What a run found out: the typed result that reports render and ``result.json`` stores.

Everything here is plain data, computed once by :mod:`cotrain.run.evaluation`; reports only render it.
Contenders are told by their names, which head the columns of every report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value with a two-sided 95 % interval; NaN where it is not defined."""

    value: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """One task's row of the report. All scores are higher-is-better (see :mod:`cotrain.tasks`)."""

    name: str
    kind: str
    metric: str
    train_labels: int
    test_labels: int
    weights: dict[str, float]  # contender -> its share of what ships
    served_by: str  # the same in words
    partners: tuple[str, ...]  # the group that the grouping serves this task from, itself included
    valid: dict[str, float]  # score on the rows that models left out, what the choice saw
    test: dict[str, float]  # seed-ensemble score on test
    seed_std: dict[str, float]  # standard deviation over seeds of single-model test scores
    shipped: float  # test score of what is shipped
    gain_over_single: Interval  # shipped - single on test, paired bootstrap
    gain_over_joint: Interval
    gain_over_trees: Interval


@dataclass(frozen=True, kw_only=True)
class Group:
    """A set of tasks trained together, and those of them that it serves."""

    tasks: tuple[str, ...]
    serves: tuple[str, ...]
    weights: tuple[float, ...]  # loss weight of each of the tasks; 1 in hard groups


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """The best that at most so many models reach."""

    models: int
    objective: float  # as of the grouping
    bound: float


@dataclass(frozen=True, kw_only=True)
class GroupingSummary:
    """The decided groups with the objective they were chosen by."""

    groups: tuple[Group, ...]
    decided_by: str  # "transference", "sampled gains", "gradient cosine" or "data maps"
    unit: str  # what the objective is
    objective: float
    bound: float  # no grouping can score above this; NaN where nothing is proven
    exact: bool
    alternatives: tuple[Alternative, ...]  # with fewer and more models

    @property
    def gap(self) -> float:
        """How far the optimum may lie above the answer."""
        return self.bound - self.objective


@dataclass(frozen=True, kw_only=True)
class AffinitySummary:
    """Lookahead transference, ``[T][T]``, row = recipient, column = source; diagonal is NaN."""

    tasks: tuple[str, ...]
    mean: tuple[tuple[float, ...], ...]
    standard_error: tuple[tuple[float, ...], ...]
    probes: int
    method: str  # what was measured, and with which step
    agreement: float  # rank correlation with the first-order estimate; NaN where unknown
    reliability: float  # rank correlation between two halves of the probes; NaN where unknown


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What training took that was done to learn from.

    Args:
        trainings: Networks trained.
        examples: Training examples they saw, passes of probes counted as shares of one.
        seconds: Wall time.
    """

    trainings: int
    examples: int
    seconds: float

    @classmethod
    def total(cls, costs: Iterable[Cost]) -> Cost:
        """What several took together.

        >>> Cost.total([Cost(trainings=1, examples=5, seconds=0.5)] * 2)
        Cost(trainings=2, examples=10, seconds=1.0)
        """
        parts = list(costs)
        return cls(
            trainings=sum(part.trainings for part in parts),
            examples=sum(part.examples for part in parts),
            seconds=sum(part.seconds for part in parts),
        )


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """One stage of the cost ledger."""

    stage: str  # "tune single", "measure: joint run", "joint, all seeds", …
    trainings: int  # models trained, early-stopped ones included
    joint_runs: (
        float  # compute as a multiple of one full joint run (NaN for trees: other hardware path)
    )
    examples: int  # training examples processed, summed over models
    flops: float  # floating-point operations of the networks (NaN for trees)
    seconds: float
    purpose: str  # "deciding" or "baseline" or "shipping"
    contender: str = ""  # whose networks or models, if they are one contender's


@dataclass(frozen=True, kw_only=True)
class Price:
    """What predicting with something takes."""

    models: int  # that are asked, networks included
    networks: int
    parameters: int  # of the networks together
    milliseconds: float  # for 1,000 rows, on the machine of the run


@dataclass(frozen=True, kw_only=True)
class Result:
    """The answer with everything a reader needs to check it."""

    title: str  # the data set's name
    answer: str  # what to do, what it brings and how sure, what ships, what is cheapest
    sentences: tuple[str, ...]  # one a contender
    details: tuple[
        str, ...
    ]  # a few further sentences: what is not significant, what lost, notes on data
    tasks: tuple[TaskResult, ...]
    mean_test: dict[str, float]  # contender (and "shipped") -> mean test score over tasks
    overall: dict[str, Interval]  # "shipped - single", "joint - single", … -> mean gain over tasks
    grouping: GroupingSummary
    affinity: AffinitySummary | None  # of the lookahead, if it looked on
    costs: tuple[CostLine, ...]
    prices: dict[str, Price]  # contender or "shipped" -> what predicting with it takes
    rows: dict[str, int]  # "train", "valid", "test", "unlabelled"
    seeds: int
    budget: float  # granted compute, in joint runs
    settings: dict[str, str]  # name -> printed value, for the reader who wants to repeat it

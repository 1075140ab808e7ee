"""What a contender is: something that could be shipped, and what a run must know of it.

A contender says which members it wants trained, who of the trained members speaks for a task, what it costs
at most, and whom it is compared with. Most are populations of networks (:class:`NetworkContender`); some
fit models of their own (:class:`ModelContender`).
Letters: T tasks, P members, S seeds, N rows, F columns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from cotrain.arrays import Array
from cotrain.data.dataset import Development, Rows, Splits, TaskData
from cotrain.engine.engine import Engine
from cotrain.engine.member import Kind, Member, indicator
from cotrain.engine.recipe import Recipe
from cotrain.engine.trained import Trained
from cotrain.engine.tuning import SETTINGS, Setting, at_setting, longest
from cotrain.grouping.membership import Membership
from cotrain.results import Cost, CostLine, Interval
from cotrain.tasks import Task

Model = Any  # a fitted model of whatever library is behind a contender

FRESH = 2520  # a seed that no search has seen: it leaves out fold 0, however many folds there are
MOST_MODELLED = 40  # tasks that models are fitted for
EXAMPLES = 4  # trainings of a contender at every setting, which find it
BASELINE, DECIDING, SHIPPING = "baseline", "deciding", "shipping"  # what compute is for


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a price depends on.

    Args:
        train: The training rows, with T tasks.
        fold_rows: Rows that a model trains on; so many make the joint run that is the unit of prices.
        recipe: How a full joint run trains.
        max_groups: Groups at most.
        tried: Settings of the grid that are tried.
        seeds: S.
        alone: Tasks that are trained alone at most.
    """

    train: TaskData
    fold_rows: int
    recipe: Recipe
    max_groups: int
    tried: int
    seeds: int
    alone: int

    @property
    def tasks(self) -> int:
        """T."""
        return len(self.train.tasks)

    @property
    def trainings(self) -> int:
        """Trainings of a vector that is tried at every setting; at the best one that is seed 0."""
        return self.tried + self.seeds - 1

    def price(self, vectors: int) -> float:
        """Joint runs at most of so many weight vectors; a few trainings find the setting for all."""
        others = sum(own.epochs for own in SETTINGS[: self.tried]) - longest(self.tried)
        trainings = vectors * self.seeds
        return trainings * longest(self.tried) + min(trainings, EXAMPLES) * others


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a run knows by the time it asks.

    Args:
        tasks: The T tasks.
        drawn: The T tasks in random order, which depends on their labels only: where there are too many to
            train all of them alone, the first ones are.
        alone: How many of them.
        membership: The decided groups; None until they are.
        tuned: The best member of everything that was tuned so far, by its kind.
        best: The tuned members of the contenders, by their name.
    """

    tasks: tuple[Task, ...]
    drawn: tuple[int, ...]
    alone: int
    membership: Membership | None = None
    tuned: Mapping[Kind, Member] = field(default_factory=dict)
    best: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)

    @property
    def groups(self) -> Membership:
        """The decided groups, once they are."""
        assert self.membership is not None, "asked before the groups were decided"
        return self.membership

    @property
    def joint(self) -> Member:
        """The tuned network of all tasks with uniform weights."""
        everyone = indicator(set(range(len(self.tasks))), len(self.tasks))
        return self.tuned[Member(name="joint", weights=everyone).kind]


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a search of a contender's own found.

    Args:
        best: The member that stands for the contender, from its first seed.
        trained: It, trained.
        everyone: All that was trained to find it, itself included.
    """

    best: Member
    trained: Trained
    everyone: Trained


@dataclass(frozen=True, kw_only=True)
class Exam:
    """What there is once the test split is open, for what a contender wants to say besides its scores.

    Args:
        engine: Of the run, with its folder.
        test: The opened test rows.
        predictions: For each task, contender → ``[S, N, ...]`` predictions.
        overall: ``a - b`` → difference of mean test scores.
        costs: The ledger so far.
        terms: Of the run; its recipe is that of a full joint run, the engine's may be shorter.
        seed: Of the run.
        enter: Enters further compute into the ledger: stage, cost, purpose.
    """

    engine: Engine
    test: TaskData
    predictions: Sequence[Mapping[str, Array]]
    overall: Mapping[str, Interval]
    costs: Sequence[CostLine]
    terms: Terms
    seed: int
    enter: Callable[[str, Cost, str], None]


class Contender(ABC):
    """Something that could be shipped.

    Class attributes: ``name`` heads its column in every report; ``purpose`` says what its compute is for
    (``baseline`` or ``shipping``), ``tuning_purpose`` what that of its tuning is for; ``compared_with``
    names the contenders over which the report shows its gain.
    """

    name: ClassVar[str]
    purpose: ClassVar[str] = SHIPPING
    tuning_purpose: ClassVar[str] = SHIPPING
    compared_with: ClassVar[tuple[str, ...]] = ()

    @property
    def label(self) -> str:
        """Its name with what tells two of the kind apart, as the ledger and the run folder have it."""
        return self.name

    @property
    def identity(self) -> dict[str, str]:
        """What a run folder must remember to be continued with the same contender."""
        return {}

    def price(self, terms: Terms) -> float:
        """Compute of its networks at most, in joint runs."""
        return 0.0

    def check(self, splits: Splits) -> tuple[str, ...]:
        """What a reader should know of it and these data.

        Raises:
            InputError: If it cannot serve these data, before anything is trained.
        """
        return ()

    def equip(self, engine: Engine) -> Engine:
        """The engine with what its members need."""
        return engine

    def given(self) -> tuple[CostLine, ...]:
        """What was spent on it before the run, to be shown in the bill."""
        return ()

    def examine(self, exam: Exam) -> tuple[str, ...]:
        """Sentences for the report that need more than its scores."""
        return ()


class NetworkContender(Contender):
    """A contender of networks: some members, and who of them speaks for a task."""

    needs_measuring: ClassVar[bool] = True  # False: it is tuned before anything is measured

    @abstractmethod
    def price(self, terms: Terms) -> float:
        """Compute of its networks at most, in joint runs."""

    @abstractmethod
    def members(self, context: Context) -> Sequence[Member]:
        """The weight vectors it wants, at any setting; those of a kind that is trained anyway are free."""

    def advice(self, context: Context) -> str:
        """What somebody should do who follows it, in a few words."""
        return f"Train networks as {self.name} does"

    def candidate(self, member: Member, setting: Setting) -> Member:
        """A wanted member at one setting of the tuning grid."""
        return at_setting(member, setting)

    def search(self, engine: Engine, context: Context) -> Tuned | None:
        """Find its member in a way of its own; None if tuning ``members`` over the grid is all it needs."""
        return None

    @abstractmethod
    def speakers(self, task: int, context: Context) -> Sequence[tuple[float, Kind]]:
        """Shares of the members, by their kind, in the prediction of a task; none if it has no answer."""


class ModelContender(Contender):
    """A contender that fits models of its own to each task's labelled rows."""

    @abstractmethod
    def fit(self, cuts: Sequence[Development], task: int, *, tried: int) -> list[Model]:
        """``[S]`` models of a task; model s is fitted to the training rows of cut s.

        Either all cuts are the same one (see :func:`one_cut`): S models from different seeds, tuned on
        its validation rows. Or each is a fold: every row is a validation row of exactly one cut, and a
        training row of all others. Then what model s predicts of its validation rows decides who serves
        the task, so their labels may have no influence on model s; on the other models they may.

        Args:
            cuts: ``[S]``.
            task: Which task.
            tried: Settings tried at most.
        """

    @abstractmethod
    def predict(self, task: Task, model: Model, rows: Rows) -> Array:
        """``[N]`` probabilities or standardised values, or ``[N, classes]`` probabilities, of N rows."""

    @abstractmethod
    def save(self, models: list[Model], path: Path) -> None:
        """Write the models of a task into a file, without pickle."""

    @abstractmethod
    def load(self, path: Path) -> list[Model]:
        """Read what :meth:`save` wrote, refusing anything else."""

    def tasks(self, context: Context) -> Sequence[int]:
        """The tasks that it fits models for: of very many, some."""
        return sorted(context.drawn[:MOST_MODELLED])

    def trainings(self, terms: Terms) -> int:
        """Models that it fits for a task."""
        return terms.trainings


def one_cut(cuts: Sequence[Development]) -> bool:
    """Whether all models have the same training and validation rows: one holdout, no folds."""
    return all(cut is cuts[0] for cut in cuts)

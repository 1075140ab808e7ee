"""What a user may set for a run; the defaults are written here and nowhere else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from cotrain.errors import InputError
from cotrain.measure.schedule import PROBE_EVERY

if TYPE_CHECKING:  # a command's help shows the defaults without loading torch
    from cotrain.baselines.boosted import HistTrees, LightGBMTrees
    from cotrain.engine.loss_weighting import LossWeighting
    from cotrain.weighting import PBT, WeightSchedule

BEST = "best"  # what ships unless one contender is asked for
MOST_SAMPLED = 40  # tasks whose groups trained task sets can decide at a bearable price
SAMPLED_SEEDS = 2  # of every sampled task set: two, for standard errors


class Instrument(StrEnum):
    """What can be measured of how tasks relate."""

    LOOKAHEAD = "lookahead"  # transference, exact and to first order
    GRADIENTS = "gradients"  # similarity and conflict, between tasks and between samples
    DATAMAP = "datamap"  # confidence and variability of every label
    SAMPLED = "sampled"  # gains of task subsets that are trained


LOOKING_ON = (Instrument.LOOKAHEAD, Instrument.GRADIENTS, Instrument.DATAMAP)
"""All instruments that one joint run is enough for."""


def _hist_trees() -> HistTrees:
    from cotrain.baselines.boosted import HistTrees

    return HistTrees()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of :func:`cotrain.plan`.

    Args:
        max_groups: At most so many groups.
        budget: Total compute of the networks as a multiple of one joint run; None grants what the full
            protocol needs: seeds · (tasks + 1 + groups), the settings tried, and two for every sampled
            task set; for more than 40 tasks fewer, see :func:`cotrain.run.budget.default_budget`.
        seeds: Models of every weight vector, each of which leaves out another fold of the rows; at least 2
            (5 or more for intervals worth reading, and for all rows to decide).
        seed: Seeds the order of the rows and the bootstrap.
        trees: The gradient-boosting baseline.
        low_precision: Let calibration choose bfloat16 products where they are faster and agree.
        widths: Hidden widths of the built-in encoder.
        probe_every: Steps between lookahead probes.
        probe_step: Step size of a lookahead probe.
        instruments: What to measure besides what decides the groups; one that looks on a joint run brings
            the lookahead along.
        trainings: Task sets that ``sampled`` trains (from two seeds each), besides each task alone and
            all together; by default two fewer than there are tasks.
        group_by: The instrument that decides the groups; unless given, gains of trained task sets, and
            transference for more than 40 tasks. It is measured, whatever ``instruments`` says.
        together: Pairs of task names: a group has both or neither.
        apart: Pairs that no group may have both of.
        few_rows: Training rows on which networks from a pre-finetuned encoder, fresh ones and trees
            are compared besides all rows (of the ten largest tasks); none: no such curves.
        ship: ``best`` for the best mixture of all that was trained, or the name of a contender.
        max_models: The mixture has at most so many networks; None for any number.
        weights: A further contender: one network for all tasks whose weights adapt, are searched, or given.
    """

    max_groups: int = 3
    budget: float | None = None
    seeds: int = 5
    seed: int = 0
    trees: HistTrees | LightGBMTrees = field(default_factory=_hist_trees)
    low_precision: bool = True
    widths: tuple[int, ...] = (256, 256)
    probe_every: int = PROBE_EVERY
    probe_step: float = 0.1
    instruments: tuple[Instrument, ...] = ()
    trainings: int | None = None
    group_by: Instrument | None = None
    together: tuple[tuple[str, str], ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    few_rows: tuple[int, ...] = (16, 64, 256)
    ship: str = BEST
    max_models: int | None = None
    weights: LossWeighting | PBT | WeightSchedule | None = None

    def decides(self, tasks: int) -> Instrument:
        """The instrument that decides the groups of so many tasks."""
        known = Instrument.SAMPLED if tasks <= MOST_SAMPLED else Instrument.LOOKAHEAD
        return self.group_by or known

    def measures(self, tasks: int) -> frozenset[Instrument]:
        """The instruments that are asked for, or needed to decide."""
        return with_lookahead({*self.instruments, self.decides(tasks)})

    @property
    def asked(self) -> frozenset[Instrument]:
        """The instruments that are asked for."""
        return with_lookahead({*self.instruments})

    def task_sets(self, tasks: int) -> int:
        """Task sets that are sampled, besides each task alone and all together."""
        wanted = tasks - 2 if self.trainings is None else self.trainings
        return int(max(0, min(wanted, 2 ** min(tasks, 60) - tasks - 2)))

    def __post_init__(self) -> None:
        """Refuse what would fail only after hours of training."""
        from cotrain.baselines.boosted import LightGBMTrees

        least = {"max_groups": 1, "seeds": 2, "probe_every": 1, "trainings": 0, "max_models": 0}
        for name, fewest in least.items():
            given = getattr(self, name)
            if given is not None and given < fewest:
                raise InputError(f"{name} must be at least {fewest}, got {given}")
        if any(rows < 2 for rows in self.few_rows):
            raise InputError(f"few_rows must be at least 2 each, got {self.few_rows}")
        if not 0 < self.probe_step < float("inf"):
            raise InputError(f"probe_step must be above 0, got {self.probe_step}")
        if isinstance(self.trees, LightGBMTrees) and find_spec("lightgbm") is None:
            raise InputError("LightGBM is not installed: pip install 'cotrain[gbm]'")


def with_lookahead(wanted: set[Instrument]) -> frozenset[Instrument]:
    """With the lookahead where another instrument looks on a joint run: there it costs little."""
    return frozenset(wanted | {Instrument.LOOKAHEAD} if wanted & {*LOOKING_ON} else wanted)


def identity(settings: Settings) -> dict[str, Any]:
    """The settings as a run folder remembers them."""
    named = {"trees": settings.trees.name, "weights": repr(settings.weights)}
    return asdict(settings) | named

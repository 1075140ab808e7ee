"""The cost ledger: what each stage trained, in examples, FLOPs, seconds and multiples of a joint run."""

from __future__ import annotations

from dataclasses import dataclass, field

from cotrain.engine.engine import Engine, flops_per_example
from cotrain.engine.trained import Trained
from cotrain.results import CostLine


@dataclass(kw_only=True)
class Ledger:
    """Collects one line a stage.

    Args:
        engine: Who trains.
        joint_examples: Training examples of one full joint run, the unit of the budget.
        flops: Floating-point operations of one training example, forward and backward.
    """

    engine: Engine
    joint_examples: int
    flops: float
    _lines: list[CostLine] = field(default_factory=list)

    @classmethod
    def of(cls, engine: Engine, full_epochs: int) -> Ledger:
        """An empty ledger at an engine's prices; a full joint run has ``full_epochs`` epochs."""
        return cls(
            engine=engine,
            joint_examples=full_epochs * engine.examples_in_epoch,
            flops=flops_per_example(engine.architecture),
        )

    def lines(self) -> tuple[CostLine, ...]:
        """All lines, in the order of the stages."""
        return tuple(self._lines)

    def population(
        self,
        stage: str,
        purpose: str,
        trained: Trained,
        *,
        only: str = "",
        without: tuple[str, ...] = (),
    ) -> None:
        """Enter the members whose name starts with ``only`` and not with ``without``.

        Members that trained side by side share the seconds by their examples.
        """
        part = trained.select(lambda m: m.name.startswith(only) and not m.name.startswith(without))
        examples, all_examples = self.engine.examples(part), self.engine.examples(trained)
        if part.members:
            seconds = trained.seconds * examples / max(1, all_examples)
            self._enter(stage, purpose, examples, len(part.members), seconds)

    def measured(
        self,
        stage: str,
        *,
        trainings: int,
        examples: int,
        seconds: float,
        purpose: str = "deciding",
    ) -> None:
        """Enter what was trained to learn from, not to ship: for deciding, unless said otherwise."""
        self._enter(stage, purpose, examples, trainings, seconds)

    def encoder(self, *, examples: int, flops: float, seconds: float) -> None:
        """Enter what the encoder took that the run was given."""
        self._lines.append(
            CostLine(
                stage="pre-finetuning of the encoder",
                trainings=1,
                joint_runs=flops / (self.joint_examples * self.flops),
                examples=examples,
                flops=flops,
                seconds=seconds,
                purpose="shipping",
            )
        )

    def trees(self, name: str, trainings: int, seconds: float) -> None:
        """Enter the trees; their work is not comparable in FLOPs."""
        nan = float("nan")
        self._lines.append(
            CostLine(
                stage=f"trees ({name})",
                trainings=trainings,
                joint_runs=nan,
                examples=0,
                flops=nan,
                seconds=seconds,
                purpose="baseline",
            )
        )

    def _enter(
        self, stage: str, purpose: str, examples: int, trainings: int, seconds: float
    ) -> None:
        self._lines.append(
            CostLine(
                stage=stage,
                trainings=trainings,
                joint_runs=examples / self.joint_examples,
                examples=examples,
                flops=examples * self.flops,
                seconds=seconds,
                purpose=purpose,
            )
        )

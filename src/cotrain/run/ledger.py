"""The cost ledger: what each stage trained, in examples, FLOPs, seconds and multiples of a joint run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cotrain.contenders.base import ModelContender
from cotrain.engine.engine import Engine, flops_per_example
from cotrain.engine.trained import Trained
from cotrain.results import Cost, CostLine


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
        of: Trained | None = None,
        contender: str = "",
    ) -> None:
        """Enter a population, or the part of one.

        Args:
            stage: Heads the line.
            purpose: What the compute was for.
            trained: The members to enter; without any there is no line.
            of: The population that they were trained in: its members share the seconds by their examples.
            contender: Whose members they are.
        """
        if not trained.members:
            return
        examples, everyone = self.engine.examples(trained), of or trained
        seconds = everyone.seconds * examples / max(1, self.engine.examples(everyone))
        self._enter(stage, purpose, examples, len(trained.members), seconds, contender)

    def measured(self, stage: str, cost: Cost | None, purpose: str = "deciding") -> None:
        """Enter what was trained to learn from, not to ship; nothing if it was not."""
        if cost is not None:
            self._enter(stage, purpose, cost.examples, cost.trainings, cost.seconds)

    def given(self, lines: Iterable[CostLine]) -> None:
        """Enter what was spent before the run; floating-point operations tell its joint runs."""
        for line in lines:
            runs = line.flops / (self.joint_examples * self.flops)
            self._lines.append(replace(line, joint_runs=runs))

    def models(self, contender: ModelContender, trainings: int, seconds: float) -> None:
        """Enter models that are no networks; their work is not comparable in FLOPs."""
        nan = float("nan")
        self._lines.append(
            CostLine(
                stage=contender.label,
                trainings=trainings,
                joint_runs=nan,
                examples=0,
                flops=nan,
                seconds=seconds,
                purpose=contender.purpose,
                contender=contender.name,
            )
        )

    def _enter(
        self,
        stage: str,
        purpose: str,
        examples: int,
        trainings: int,
        seconds: float,
        contender: str = "",
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
                contender=contender,
            )
        )

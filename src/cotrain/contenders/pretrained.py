"""One network a task that starts from a pre-finetuned encoder, also compared on few rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cotrain.baselines.boosted import TreeLearner
from cotrain.contenders.base import BASELINE, Context, Exam, NetworkContender, Terms
from cotrain.data.dataset import Splits
from cotrain.engine.build import Encoder
from cotrain.engine.engine import Engine
from cotrain.engine.member import Kind, Member, one_hot
from cotrain.results import Cost, CostLine
from cotrain.transfer.encoder_file import EncoderFile
from cotrain.transfer.few_rows import FewRows, few_shot, few_shot_cost
from cotrain.transfer.few_shot import FEW_SHOT
from cotrain.transfer.finetune import START, starting_from


@dataclass(frozen=True, kw_only=True)
class Pretrained(NetworkContender):
    """One network for each task, fine-tuned from an encoder that other tasks have trained.

    Args:
        encoder: The pre-finetuned encoder.
        allow_overlap: Let test rows pass whose inputs that encoder was trained on.
        few_rows: Training rows on which networks from it, fresh ones and trees are compared besides all
            rows; none: no such curves.
        learner: The trees of these curves.
        module: The encoder's module, where it is the user's own.
        low_precision: Of the curves, as of the run.
    """

    name = "pretrained"
    compared_with = ("single", "trees")

    encoder: EncoderFile
    allow_overlap: bool
    few_rows: tuple[int, ...]
    learner: TreeLearner
    module: Encoder | None
    widths: tuple[int, ...]
    low_precision: bool

    @property
    def identity(self) -> dict[str, str]:
        """The encoder's digest."""
        return {"encoder": self.encoder.digest}

    def price(self, terms: Terms) -> float:
        """A network for each task, and the curves over few rows."""
        curves = few_shot_cost(terms.train, self.few_rows, terms.recipe, terms.fold_rows)
        return terms.price(terms.tasks) + curves * terms.trainings

    def check(self, splits: Splits) -> tuple[str, ...]:
        """Rows that the encoder has seen are refused or said."""
        return self.encoder.check(splits, allow_overlap=self.allow_overlap)

    def equip(self, engine: Engine) -> Engine:
        """With the encoder as a start of its members."""
        return starting_from(engine, {START: self.encoder.state})

    def given(self) -> tuple[CostLine, ...]:
        """What pre-finetuning took."""
        facts = self.encoder.facts
        return (
            CostLine(
                stage="pre-finetuning of the encoder",
                contender=self.name,
                trainings=1,
                joint_runs=float("nan"),
                examples=facts.examples,
                flops=facts.flops,
                seconds=facts.seconds,
                purpose=self.purpose,
            ),
        )

    def members(self, context: Context) -> Sequence[Member]:
        """The unit vectors, from the encoder."""
        return [self._member(t, context) for t in range(len(context.tasks))]

    def speakers(self, task: int, context: Context) -> Sequence[tuple[float, Kind]]:
        """The task's own network."""
        return [(1.0, self._member(task, context).kind)]

    def _member(self, task: int, context: Context) -> Member:
        weights = one_hot(task, len(context.tasks))
        return Member(name=f"{self.name}/{task}", weights=weights, start=START)

    def examine(self, exam: Exam) -> tuple[str, ...]:
        """The curves over few rows, and at which of them pre-finetuning pays."""
        if not self.few_rows:
            return ()
        how = FewRows(
            rows=self.few_rows,
            tried=exam.terms.tried,
            seeds=exam.terms.seeds,
            seed=exam.seed,
            learner=self.learner,
            widths=self.widths,
            low_precision=self.low_precision,
        )
        curves = few_shot(
            exam.engine,
            exam.test,
            exam.predictions,
            how,
            full_epochs=exam.terms.recipe.epochs,
            encoder=self.module,
        )
        curves.save(exam.engine.folder.path(FEW_SHOT))
        cost = Cost(trainings=curves.trainings, examples=curves.examples, seconds=curves.seconds)
        exam.enter("few-shot curves", cost, BASELINE)
        return (curves.verdict(),)

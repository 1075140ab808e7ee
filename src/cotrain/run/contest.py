"""The contest: all contenders' networks tuned and trained side by side, and what each of them predicts.

Members that several contenders want are trained once. Letters: T tasks, P members, S seeds, N rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from cotrain.arrays import Array
from cotrain.contenders.base import (
    Contender,
    Context,
    Exam,
    Model,
    ModelContender,
    NetworkContender,
    Terms,
)
from cotrain.data.dataset import TaskData
from cotrain.engine.engine import Engine, Update
from cotrain.engine.member import Kind, Member
from cotrain.engine.models.losses import predictions
from cotrain.engine.trained import Trained, merge, mixed
from cotrain.engine.tuning import SETTINGS, replicas, tuned
from cotrain.grouping import Membership
from cotrain.results import Interval
from cotrain.run.ledger import Ledger
from cotrain.stats import Labels
from cotrain.tasks import output_slices


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What a run folder keeps beside fitted models: how long fitting took."""

    seconds: float


@dataclass(kw_only=True)
class Contest:
    """Trains what contenders want, and lets them predict.

    Args:
        engine: Trains populations.
        contenders: Simple ones first: ties go to them.
        terms: Settings tried, seeds, and what else prices depend on.
        ledger: Where every training is entered.
        context: What is known so far.
        models: Label of a contender of models → ``[T][S]`` its models.
    """

    engine: Engine
    contenders: Sequence[Contender]
    terms: Terms
    ledger: Ledger
    context: Context
    models: dict[str, list[list[Model]]] = field(default_factory=dict)
    _parts: list[Trained] = field(default_factory=list)
    _owner: dict[Kind, NetworkContender] = field(default_factory=dict)

    @classmethod
    def of(cls, contenders: Sequence[Contender], engine: Engine, terms: Terms) -> Contest:
        """Nothing is trained yet; the engine is equipped with what the contenders' members need."""
        for contender in contenders:
            engine = contender.equip(engine)
        ledger = Ledger.of(engine, terms.recipe.epochs)
        context = Context(tasks=engine.development.tasks)
        return cls(
            engine=engine, contenders=contenders, terms=terms, ledger=ledger, context=context
        )

    @property
    def networks(self) -> list[NetworkContender]:
        """The contenders that are networks."""
        return [own for own in self.contenders if isinstance(own, NetworkContender)]

    @property
    def modelled(self) -> list[ModelContender]:
        """The contenders with models of their own."""
        return [own for own in self.contenders if isinstance(own, ModelContender)]

    @property
    def trained(self) -> Trained:
        """``[P]`` every tuned member from every seed."""
        return self._parts[-1]

    @property
    def best(self) -> tuple[Member, ...]:
        """Every tuned member, from its first seed."""
        return tuple(self.context.tuned.values())

    def tune_baselines(self) -> None:
        """Tune those that need no measurement."""
        self._tune("tune", [own for own in self.networks if not own.needs_measuring])

    def tune_others(self, membership: Membership) -> None:
        """Tune the others, now that the groups are decided."""
        self.context = replace(self.context, membership=membership)
        others = [own for own in self.networks if own.needs_measuring]
        self._tune("tune-others", others)
        for contender in others:
            found = contender.search(self.engine, self.context)
            if found is not None:
                self.ledger.population(
                    f"search {contender.name}",
                    contender.tuning_purpose,
                    found.everyone,
                    contender=contender.name,
                )
                self._parts.append(found.trained)
                self._keep(contender, [found.best])

    def _tune(self, stage: str, contenders: Sequence[NetworkContender]) -> None:
        wanted: list[tuple[NetworkContender, Member]] = []
        for contender in contenders:
            for member in contender.members(self.context):
                if member.kind not in self._owner:
                    self._owner[member.kind] = contender
                    wanted.append((contender, member))
        if not wanted:
            return
        grid = SETTINGS[: self.terms.tried]
        asked = [own.candidate(member, setting) for setting in grid for own, member in wanted]
        trained = self.engine.train(stage, asked)
        best = tuned(trained, self.engine.development, len(wanted))
        rows = dict(zip(map(id, trained.members), range(len(asked)), strict=True))
        for contender in {own.name: own for own, _ in wanted}.values():
            places = [at for at, (own, _) in enumerate(wanted) if own is contender]
            part = [s * len(wanted) + at for s in range(len(grid)) for at in places]
            self.ledger.population(
                f"tune {contender.name}",
                contender.tuning_purpose,
                trained.take(part),
                of=trained,
                contender=contender.name,
            )
            self._keep(contender, [best[at] for at in places])
        self._parts.append(trained.take([rows[id(member)] for member in best]))

    def _keep(self, contender: NetworkContender, best: Sequence[Member]) -> None:
        for member in best:
            self._owner[member.kind] = contender
        self.context = replace(
            self.context,
            tuned={**self.context.tuned, **{member.kind: member for member in best}},
            best={**self.context.best, contender.name: tuple(best)},
        )

    def train_all(self) -> None:
        """Train every tuned member from the remaining seeds, and fit the models that are no networks."""
        for contender in self.contenders:
            self.ledger.given(contender.given())
        final = self.engine.train("final", replicas(self.best, self.terms.seeds))
        for contender in self.networks:
            rows = [
                row
                for row, member in enumerate(final.members)
                if self._owner[member.kind] is contender
            ]
            self.ledger.population(
                f"{contender.name}, all seeds",
                contender.purpose,
                final.take(rows),
                of=final,
                contender=contender.name,
            )
        self._parts = [merge([*self._parts, final])]
        for at, contender in enumerate(self.contenders):
            if isinstance(contender, ModelContender):
                self.models[contender.label] = self._fit(at, contender)

    def _fit(self, at: int, contender: ModelContender) -> list[list[Model]]:
        """``[T][S]`` models; those of a task that was finished before are read back."""
        folder, total = self.engine.folder, len(self.context.tasks)
        found, spent = [], 0.0
        for t in range(total):
            name = f"models/{at}-{t}"
            if not folder.has(f"{name}.json"):
                began = time.monotonic()
                cuts = [self.engine.development] * self.terms.seeds
                models = contender.fit(cuts, t, tried=self.terms.tried)
                folder.write(f"{name}.model", lambda path, own=models: contender.save(own, path))  # type: ignore[misc]
                folder.write_json(f"{name}.json", {"seconds": time.monotonic() - began})
            found.append(contender.load(folder.path(f"{name}.model")))
            spent += folder.read(f"{name}.json", Fitted).seconds
            self.engine.watch(
                Update(stage=contender.name, done=t + 1, total=total, loss=float("nan"))
            )
        self.ledger.models(contender, total * contender.trainings(self.terms), spent)
        return found

    def examine(
        self,
        test: TaskData,
        found: list[dict[str, Array]],
        overall: Mapping[str, Interval],
        seed: int,
    ) -> list[str]:
        """What the contenders have to say besides their scores, now that the test rows are open.

        Args:
            test: The opened rows.
            found: Predictions of them.
            overall: ``a - b`` → difference of mean test scores.
            seed: Of the run.
        """
        exam = Exam(
            engine=self.engine,
            test=test,
            predictions=found,
            overall=overall,
            costs=self.ledger.lines(),
            terms=self.terms,
            seed=seed,
            enter=self.ledger.measured,
        )
        return [remark for contender in self.contenders for remark in contender.examine(exam)]

    def shares(self, contender: NetworkContender, task: int) -> torch.Tensor:
        """``[P]`` share of each member in a contender's prediction of a task, the same for every seed."""
        share: dict[Kind, float] = {}
        for own, kind in contender.speakers(task, self.context):
            share[kind] = share.get(kind, 0.0) + own  # two models with the same weights are one
        return torch.tensor([share.get(member.kind, 0.0) for member in self.trained.members])

    def out_of_fold(self) -> tuple[list[dict[str, Array]], list[Labels]]:
        """What decides: each row predicted by the models that left it out, and the labels.

        Returns:
            For each task, contender → ``[M, ...]`` mean predictions of the M rows that some model left out,
            and the labels of these rows.
        """
        development = self.engine.development
        held = [development.fold(seed).held for seed in range(self.terms.seeds)]
        times = np.zeros(len(development.rows), dtype=np.int64)
        for rows in held:
            times[rows] += 1
        known = np.flatnonzero(times)
        found = [
            {
                contender.name: _put_together(list(self._held(contender, t)), held, times)[known]
                for contender in self.contenders
            }
            for t in range(len(development.tasks))
        ]
        return found, development.rows.rows(known).all_labels()

    def _held(self, contender: Contender, t: int) -> Iterator[Array]:
        """``[S]`` predictions of the rows that the models of each seed left out."""
        development = self.engine.development
        task, columns = development.tasks[t], output_slices(development.tasks)[t]
        if isinstance(contender, NetworkContender):
            found = self._mixed(contender, t, self.trained.outputs[:, columns])
            for seed, own in enumerate(predictions([task], found)[0]):
                yield own[: len(development.fold(seed).held)]
        elif isinstance(contender, ModelContender):
            for seed, model in enumerate(self.models[contender.label][t]):
                yield contender.predict(task, model, development.cut(seed).valid)

    def on(self, data: TaskData) -> list[dict[str, Array]]:
        """For each task, contender → ``[S, N, ...]`` predictions of other rows by each seed's models."""
        outputs = self.engine.predict(self.trained, data.inputs)
        return [dict(self._of_task(t, data, outputs)) for t in range(len(data.tasks))]

    def _mixed(self, contender: NetworkContender, t: int, outputs: torch.Tensor) -> torch.Tensor:
        """``[S, outputs, N]`` of the members that speak for a task, by their shares."""
        seeds = [member.seed for member in self.trained.members]
        return mixed(outputs, self.shares(contender, t), seeds)

    def _of_task(
        self, t: int, data: TaskData, outputs: torch.Tensor
    ) -> Iterable[tuple[str, Array]]:
        task, columns = data.tasks[t], output_slices(data.tasks)[t]
        for contender in self.contenders:
            if isinstance(contender, NetworkContender):
                found = self._mixed(contender, t, outputs[:, columns])
                yield contender.name, predictions([task], found)[0]
            elif isinstance(contender, ModelContender):
                models = self.models[contender.label][t]
                yield (
                    contender.name,
                    np.stack([contender.predict(task, model, data) for model in models]),
                )


def _put_together(
    parts: Sequence[Array], held: Sequence[NDArray[np.intp]], times: NDArray[np.int64]
) -> Array:
    """``[N, ...]`` mean predictions of the rows, each by those that left it out; 0 where nobody did."""
    found = np.zeros((len(times), *parts[0].shape[1:]))
    for part, rows in zip(parts, held, strict=True):
        found[rows] += part
    return found / np.maximum(times, 1).reshape(-1, *[1] * (found.ndim - 1))

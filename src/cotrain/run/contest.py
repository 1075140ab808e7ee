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
    EXAMPLES,
    FRESH,
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
from cotrain.engine.tuning import SETTINGS, Setting, alike, held_scores, mean_scores
from cotrain.grouping import Membership, TrainedSets
from cotrain.measure.gains.sets import fixed_sets
from cotrain.results import Interval
from cotrain.run.ledger import Ledger
from cotrain.stats import Labels, finite_mean
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
        models: Label of a contender of models → task → ``[S]`` its models.
    """

    engine: Engine
    contenders: Sequence[Contender]
    terms: Terms
    ledger: Ledger
    context: Context
    models: dict[str, dict[int, list[Model]]] = field(default_factory=dict)
    _parts: list[Trained] = field(default_factory=list)
    _owner: dict[Kind, NetworkContender] = field(default_factory=dict)
    _chosen: dict[Kind, Member] = field(default_factory=dict)  # what a wanted member became

    @classmethod
    def of(cls, contenders: Sequence[Contender], engine: Engine, terms: Terms) -> Contest:
        """Nothing is trained yet; the engine is equipped with what the contenders' members need."""
        for contender in contenders:
            engine = contender.equip(engine)
        ledger = Ledger.of(engine, terms.recipe.epochs)
        context = Context(
            tasks=engine.development.tasks,
            drawn=drawn_order(engine.development.train),
            alone=terms.alone,
        )
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
                self._keep(contender, [found.best], [found.best])

    def _tune(self, stage: str, contenders: Sequence[NetworkContender]) -> None:
        """Find each contender's setting by some of its trainings, on the rows that they leave out."""
        wanted = self._not_yet_tuned(contenders)
        tried = {own.name: self._examples(members) for own, members in wanted}
        grid = SETTINGS[: self.terms.tried]
        asked = [
            (own, setting, own.candidate(member, setting))
            for setting in grid
            for own, _ in wanted
            for member in tried[own.name]
        ]
        if not asked:
            return
        asked.sort(key=lambda one: alike(one[2]))
        trained = self.engine.train(stage, [member for _, _, member in asked])
        scores = mean_scores(trained, self.engine.development)
        kept: list[int] = []
        for own, members in wanted:
            rows = [at for at, one in enumerate(asked) if one[0] is own]
            setting = _best_setting(grid, [(asked[at][1], scores[at]) for at in rows])
            self.ledger.population(
                f"tune {own.name}",
                own.tuning_purpose,
                trained.take(rows),
                of=trained,
                contender=own.name,
            )
            self._keep(own, members, [own.candidate(member, setting) for member in members])
            kept += [at for at in rows if asked[at][1] == setting]
        self._parts.append(trained.take(kept))

    def _not_yet_tuned(
        self, contenders: Sequence[NetworkContender]
    ) -> list[tuple[NetworkContender, list[Member]]]:
        """Contenders with those of their members that nobody before them wants."""
        seen, found = set(self._chosen), []
        for contender in contenders:
            members = [own for own in contender.members(self.context) if own.kind not in seen]
            seen |= {own.kind for own in members}
            found.append((contender, members))
        return [(own, members) for own, members in found if members]

    def _examples(self, members: Sequence[Member]) -> list[Member]:
        """The few trainings that find the setting for all, whatever the order of the tasks.

        They are of as many members and as many folds as there are.
        """
        place = {t: at for at, t in enumerate(self.context.drawn)}

        def key(member: Member) -> list[int]:
            return sorted(place[t] for t, own in enumerate(member.weights) if own)

        few, seeds = sorted(members, key=key)[:EXAMPLES], self.terms.seeds
        return [
            replace(few[at % len(few)], seed=(at // len(few) + at % len(few)) % seeds)
            for at in range(min(EXAMPLES, len(few) * seeds))
        ]

    def _keep(
        self, contender: NetworkContender, wanted: Sequence[Member], best: Sequence[Member]
    ) -> None:
        self._chosen |= {own.kind: member for own, member in zip(wanted, best, strict=True)}
        self._owner |= {member.kind: contender for member in best}
        self.context = replace(
            self.context,
            tuned={**self.context.tuned, **{member.kind: member for member in best}},
            best={**self.context.best, contender.name: tuple(best)},
        )

    def train(self, stage: str) -> None:
        """Train every tuned member from the seeds that it was not trained from."""
        done = {(own.kind, own.seed % FRESH) for part in self._parts for own in part.members}
        missing = [
            replace(member, seed=seed)
            for member in self.best
            for seed in range(self.terms.seeds)
            if (member.kind, seed) not in done
        ]
        if not missing:
            self._parts = [merge(self._parts)]
            return
        final = self.engine.train(stage, sorted(missing, key=alike))
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

    def fit_models(self) -> None:
        """Fit the models that are no networks."""
        for contender in self.contenders:
            self.ledger.given(contender.given())
        for at, contender in enumerate(self.contenders):
            if isinstance(contender, ModelContender):
                self.models[contender.label] = self._fit(at, contender)

    def _fit(self, at: int, contender: ModelContender) -> dict[int, list[Model]]:
        """Task → ``[S]`` models; those of a task that was finished before are read back."""
        folder, tasks = self.engine.folder, contender.tasks(self.context)
        found, spent = {}, 0.0
        for done, t in enumerate(tasks, start=1):
            name = f"models/{at}-{t}"
            if not folder.has(f"{name}.json"):
                began = time.monotonic()
                cuts = [self.engine.development.cut(seed) for seed in range(self.terms.seeds)]
                models = contender.fit(cuts, t, tried=self.terms.tried)
                folder.write(f"{name}.model", lambda path, own=models: contender.save(own, path))  # type: ignore[misc]
                folder.write_json(f"{name}.json", {"seconds": time.monotonic() - began})
            found[t] = contender.load(folder.path(f"{name}.model"))
            spent += folder.read(f"{name}.json", Fitted).seconds
            self.engine.watch(
                Update(stage=contender.name, done=done, total=len(tasks), loss=float("nan"))
            )
        self.ledger.models(contender, len(tasks) * contender.trainings(self.terms), spent)
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

    def trained_sets(self, seeds: Sequence[int]) -> TrainedSets:
        """Each task alone, and all together, scored on the rows that these seeds left out."""
        scores = held_scores(self.trained, self.engine.development)
        sets = fixed_sets(len(self.context.tasks))
        weights = [tuple(map(float, own)) for own in sets]
        row = {(own.kind, own.seed): at for at, own in enumerate(self.trained.members)}
        kinds = [self._chosen[Member(name="", weights=own).kind].kind for own in weights]
        by_seed = [scores[[row[kind, seed] for kind in kinds]] for seed in seeds]
        return TrainedSets(sets=sets, scores=np.stack(by_seed))

    def answers(self, contender: Contender, task: int) -> bool:
        """Whether a contender has a prediction of a task."""
        if isinstance(contender, NetworkContender):
            return bool(contender.speakers(task, self.context))
        return task in self.models[contender.label]

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
                if self.answers(contender, t)
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
            if not self.answers(contender, t):
                continue
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


def _best_setting(grid: Sequence[Setting], scores: Sequence[tuple[Setting, float]]) -> Setting:
    """The setting with the best mean score; the first of equals, and where nothing is known."""
    means = []
    for setting in grid:
        own = np.array([score for at, score in scores if at == setting])
        mean = float(finite_mean(own))
        means.append(-np.inf if np.isneginf(own).any() or np.isnan(mean) else mean)
    return grid[int(np.argmax(means))]


def drawn_order(train: TaskData) -> tuple[int, ...]:
    """The tasks in an order that neither their names nor their places have to do with."""
    keys = [train.label_key(t) for t in range(len(train.tasks))]
    return tuple(sorted(range(len(keys)), key=lambda t: keys[t]))

"""What a run starts from: its contenders, what the budget allows them, and its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cotrain.contenders import (
    Contender,
    ExtraTrees,
    Groups,
    Joint,
    Linear,
    ModelContender,
    NetworkContender,
    Pretrained,
    Single,
    Terms,
    Trees,
    Weighted,
)
from cotrain.data.dataset import Development, Splits
from cotrain.engine.build import Encoder
from cotrain.engine.recipe import recipe_for
from cotrain.engine.tuning import SETTINGS, longest
from cotrain.errors import InputError
from cotrain.folder import RunFolder
from cotrain.run.bootstrap import EQUAL, SHIPPED
from cotrain.run.budget import FEWEST_ALONE, Allowance, allot, measuring_cost
from cotrain.run.settings import BEST, Instrument, Settings, identity
from cotrain.tasks import Task
from cotrain.transfer.encoder_file import EncoderFile


def standard_contenders(
    tasks: Sequence[Task],
    settings: Settings,
    pretrained: EncoderFile | None,
    allow_overlap: bool,
    module: Encoder | None,
) -> tuple[Contender, ...]:
    """The contenders that the settings ask for, simple ones first.

    Args:
        tasks: The T tasks.
        settings: Of the run.
        pretrained: A pre-finetuned encoder, if there is one.
        allow_overlap: Let test rows pass that it was trained on.
        module: The user's own encoder, if there is one.
    """
    found: list[Contender] = [Single(), Joint(), Groups()]
    if pretrained is not None:
        found.append(
            Pretrained(
                encoder=pretrained,
                allow_overlap=allow_overlap,
                few_rows=settings.few_rows,
                learner=settings.trees,
                module=module,
                widths=settings.widths,
                low_precision=settings.low_precision,
            )
        )
    if settings.weights is not None and len(tasks) > 1:
        found.append(Weighted(weights=settings.weights))
    return (*found, Linear(), Trees(learner=settings.trees), ExtraTrees())


def terms_of(development: Development, settings: Settings) -> Terms:
    """What prices depend on, if all settings of the grid are tried."""
    train = development.train
    return Terms(
        train=train,
        fold_rows=development.training_size,
        recipe=recipe_for(len(train), seed=settings.seed),
        max_groups=settings.max_groups,
        tried=len(SETTINGS),
        seeds=settings.seeds,
        alone=len(train.tasks),
    )


def allowance_of(contenders: Sequence[Contender], settings: Settings, terms: Terms) -> Allowance:
    """What the budget pays for.

    Raises:
        InputError: If it is too small.
    """
    rows, tasks = len(terms.train), terms.tasks
    all_alone = Instrument.SAMPLED in settings.measures(tasks)  # their scores are the zero of gains
    return allot(
        settings.budget,
        tasks=tasks,
        fewest_alone=tasks if all_alone else min(tasks, FEWEST_ALONE),
        candidates=terms.tried,
        seeds=terms.seeds,
        price=lambda tried, alone: sum(
            own.price(replace(terms, tried=tried, alone=alone)) for own in contenders
        ),
        measuring=lambda short, tried: measuring_cost(
            terms.tasks, settings, short, rows, terms.fold_rows, longest(tried)
        ),
        recipe=terms.recipe,
    )


def check_field(contenders: Sequence[Contender]) -> None:
    """Refuse contenders that cannot stand beside each other.

    Raises:
        InputError: If two have one name, one is neither a network nor a model, or one is compared with
            somebody who does not take part.
    """
    taken = {SHIPPED, EQUAL, BEST}
    for contender in contenders:
        if not isinstance(contender, NetworkContender | ModelContender):
            raise InputError(
                f"{type(contender).__name__} must be a NetworkContender or a ModelContender"
            )
        if contender.name in taken:
            raise InputError(
                f"the name {contender.name!r} of a contender is taken: give yours another"
            )
        taken.add(contender.name)
    for contender in contenders:
        absent = [name for name in contender.compared_with if name not in taken]
        if absent:
            raise InputError(
                f"{contender.name!r} is compared with {absent[0]!r}, which does not take part"
            )


def claim(
    out: str | Path,
    splits: Splits,
    title: str,
    settings: Settings,
    contenders: Sequence[Contender],
) -> RunFolder:
    """The run folder, if it is empty or holds this very run.

    Raises:
        InputError: If it holds something else.
    """
    folder, asked = RunFolder(Path(out)), identity(settings)
    asked["contenders"] = [{"label": own.label, **own.identity} for own in contenders]
    folder.claim(splits.identity(verb="run", title=title, settings=asked))
    return folder

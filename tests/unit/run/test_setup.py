"""What a run starts from: who stands in the field, what prices depend on, what the budget buys."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tiny import make_development, make_tasks

from cotrain import InputError, Settings
from cotrain.contenders import Contender, Groups, Joint, Linear, Single, Trees, Weighted
from cotrain.data import from_domains
from cotrain.data.folds import crossfitted
from cotrain.run.budget import Allowance
from cotrain.run.settings import Instrument
from cotrain.run.setup import (
    allowance_of,
    check_field,
    claim,
    standard_contenders,
    terms_of,
)
from cotrain.weighting import Uncertainty

FIELD = (Single(), Joint(), Groups(), Linear(), Trees())
ORDER = ["single", "joint", "groups", "linear", "trees", "extra trees"]


def own(kind: type[Contender], **attributes: Any) -> Contender:
    """A contender of one's own."""
    return type("Mine", (kind,), attributes)()


def standard(kinds: str, **settings: Any) -> list[str]:
    found = standard_contenders(make_tasks(kinds), Settings(**settings), None, False, None)
    return [contender.name for contender in found]


def test_the_standard_field_stands() -> None:
    check_field(FIELD)
    check_field((*FIELD, own(Linear, name="mine", compared_with=("trees", "single"))))
    for kinds in ("r", "rb"):
        check_field(
            standard_contenders(
                make_tasks(kinds), Settings(weights=Uncertainty()), None, False, None
            )
        )


@pytest.mark.parametrize("name", ["single", "trees", "shipped", "equal parts", "best"])
def test_a_name_is_given_once(name: str) -> None:
    message = f"the name {name!r} of a contender is taken: give yours another"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_field((*FIELD, own(Linear, name=name)))


def test_two_of_ones_own_need_two_names() -> None:
    first, second = own(Linear, name="mine"), own(Joint, name="mine", compared_with=())
    check_field((*FIELD, first))
    check_field((*FIELD, second))
    with pytest.raises(InputError, match="the name 'mine' of a contender is taken"):
        check_field((*FIELD, first, second))


def test_a_contender_is_networks_or_models() -> None:
    message = "Mine must be a NetworkContender or a ModelContender"
    with pytest.raises(InputError, match=f"^{message}$"):
        check_field((*FIELD, own(Contender, name="mine")))


def test_rivals_take_part() -> None:
    """Wherever they stand in the field."""
    with pytest.raises(
        InputError, match=r"^'mine' is compared with 'theirs', which does not take part$"
    ):
        check_field((*FIELD, own(Linear, name="mine", compared_with=("single", "theirs"))))
    theirs = own(Linear, name="theirs", compared_with=("mine",))
    check_field((*FIELD, own(Linear, name="mine", compared_with=("theirs",)), theirs))
    with pytest.raises(InputError, match=r"^'joint' is compared with 'trees', which does not"):
        check_field(FIELD[:-1])


def test_simple_ones_come_first() -> None:
    assert standard("rb") == standard("r") == ORDER
    assert standard("rb", weights=Uncertainty()) == [*ORDER[:3], "weighted", *ORDER[3:]]
    assert standard("r", weights=Uncertainty()) == ORDER  # one task has nothing to weigh


def test_terms_are_those_of_the_folds() -> None:
    """Of 144 rows in five folds, every model can train on those that the largest one leaves."""
    plain = make_development("brmb", missing=0.0)
    folded = crossfitted(plain, seeds=2, seed=0)
    found = terms_of(folded, Settings(seeds=2, max_groups=2, seed=7))
    assert found.train is plain.train
    assert (found.tasks, found.alone, found.tried, found.seeds, found.max_groups) == (4, 4, 4, 2, 2)
    held = [len(fold.held) for fold in folded.folds]
    assert (len(held), sum(held)) == (5, 144)
    assert found.fold_rows == 144 - max(held)
    assert 110 <= found.fold_rows <= 144 * 4 / 5
    assert found.recipe.data_seed == 7
    assert terms_of(plain, Settings()).fold_rows == 96  # no folds, one holdout


def bought(budget: float | None, **settings: Any) -> Allowance:
    """For four tasks, two seeds and two groups."""
    own = Settings(budget=budget, seeds=2, max_groups=2, **settings)
    development = make_development("brmb")
    field = standard_contenders(development.tasks, own, None, False, None)
    return allowance_of(field, own, terms_of(development, own))


@pytest.mark.parametrize(
    ("budget", "paid", "candidates"),
    [(None, 39.5, 4), (40, 40, 4), (39.4, 39.4, 3), (19.5, 19.5, 2), (19.4, 19.4, 1)],
)
def test_the_whole_field_is_paid_for(budget: float | None, paid: float, candidates: int) -> None:
    """Seven vectors of two seeds, one setting of .15 of the epochs and three of all, two seeds of two sets.

    Of 8 + 2 + 4 trainings 4 + 2 + 4 find the setting: four settings take 14 + 10 · 2.15 + 4 joint runs, two
    take 14 + 10 · .15 + 4.
    """
    found = bought(budget)
    assert found.budget == pytest.approx(paid)
    assert (found.candidates, found.alone) == (candidates, 4)
    assert found.recipe.epochs == found.full_epochs


def test_weights_of_all_tasks_are_one_vector_more() -> None:
    assert bought(None, weights=Uncertainty()).budget == 39.5 + 2 + 2 * 2.15


def test_single_networks_may_be_few_where_gains_do_not_need_them() -> None:
    """Gains are over each task alone; transference is not, and three tasks are evidence enough."""
    full = bought(None, group_by=Instrument.LOOKAHEAD)
    assert (full.candidates, full.alone) == (4, 4)
    less = bought(full.budget - 0.1, group_by=Instrument.LOOKAHEAD)
    assert (less.candidates, less.alone) == (4, 3)
    least = bought(full.budget - 2.6, group_by=Instrument.LOOKAHEAD)
    assert (least.candidates, least.alone) == (3, 3)


def test_a_budget_that_pays_for_nothing_is_refused() -> None:
    with pytest.raises(InputError, match=r"^--budget 0\.01 is too small for 4 tasks and 2 seeds"):
        bought(0.01)


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    x = {"a": [[float(i), 1.0] for i in range(40)], "b": [[float(i), 2.0] for i in range(40)]}
    splits = from_domains({name: (rows, [i % 2 for i in range(40)]) for name, rows in x.items()})
    for _ in range(2):
        claim(tmp_path / "run", splits, "t", Settings(), FIELD)
    for title, settings, field, differs in (
        ("other", Settings(), FIELD, "title"),
        ("t", Settings(seeds=6), FIELD, "settings (seeds)"),
        ("t", Settings(), FIELD[1:], "settings (contenders)"),
        ("t", Settings(), (*FIELD, Weighted(weights=Uncertainty())), "settings (contenders)"),
    ):
        with pytest.raises(InputError, match=re.escape(f"holds a run with other {differs}: ")):
            claim(tmp_path / "run", splits, title, settings, field)

"""From the text of an option to the value that Python takes, or one line that says what to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from cotrain.cli.options import Executor, Place, Trees
from cotrain.errors import InputError
from cotrain.run.settings import Instrument

if TYPE_CHECKING:
    from cotrain.baselines.boosted import HistTrees, LightGBMTrees
    from cotrain.engine.cohorts.workers import Cluster

Number = TypeVar("Number", int, float)


def instruments(given: list[str]) -> tuple[Instrument, ...]:
    """The instruments of ``--with``, each once, in their own order."""
    texts = [name for text in given for name in text.split(",") if name.strip()]
    asked = {instrument(name, "--with") for name in sorted(texts)}
    return tuple(i for i in Instrument if i in asked)


def instrument(name: str | None, option: str) -> Instrument | None:
    """The instrument that an option names."""
    if name is None:
        return None
    known = [instrument.value for instrument in Instrument]
    if name.strip().lower() not in known:
        raise InputError(f"{option} {name.strip().lower()!r}: there is {', '.join(known)}")
    return Instrument(name.strip().lower())


def pairs(given: list[str] | None, option: str) -> tuple[tuple[str, str], ...]:
    """The pairs of ``--together`` and ``--apart``."""
    found = []
    for text in given or []:
        names = [part.strip() for part in text.split(",")]
        if len(names) != 2 or not all(names):
            raise InputError(f"{option} {text!r}: write two targets, A,B")
        found.append((names[0], names[1]))
    return tuple(found)


def numbers(text: str, option: str, read: Callable[[str], Number]) -> tuple[Number, ...]:
    """The numbers of a comma-separated option."""
    try:
        return tuple(read(part) for part in text.split(","))
    except ValueError:
        whole = "whole numbers" if read is int else "numbers"
        raise InputError(f"{option} {text!r}: write {whole} with commas between") from None


def few_rows(text: str) -> tuple[int, ...]:
    """The numbers of ``--few-rows``."""
    return () if text.strip().lower() == "none" else numbers(text, "--few-rows", int)


def boosted_trees(which: Trees) -> HistTrees | LightGBMTrees:
    """The baseline of ``--trees``."""
    from cotrain.baselines.boosted import HistTrees, LightGBMTrees

    return HistTrees() if which is Trees.HIST else LightGBMTrees()


def cluster(place: Place) -> Cluster:
    """Where ``--executor`` trains; a cluster is reached before anything is written."""
    if place.executor is Executor.LOCAL and place.address is not None:
        raise InputError("--address is the address of a Ray cluster: add --executor ray")
    if place.executor is Executor.LOCAL:
        from cotrain.engine.cohorts.local import LOCAL

        return LOCAL
    from cotrain.engine.cohorts.ray import AUTO, RayCluster

    found = RayCluster(address=place.address or AUTO)
    found.connect()
    return found

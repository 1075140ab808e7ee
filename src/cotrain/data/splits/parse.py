"""The split as people write it on the command line."""

from cotrain.data.splits.by_group import GroupSplit
from cotrain.data.splits.by_time import TimeSplit
from cotrain.data.splits.split import RandomSplit, Split, StratifiedSplit
from cotrain.errors import InputError


def parse_split(text: str) -> Split:
    """Read the split from the command line.

    >>> parse_split("time:day")
    TimeSplit(train=0.8, valid=0.1, column='day')
    """
    name, _, column = text.partition(":")
    if name == "group" and column:
        return GroupSplit(column=column)
    if name == "time" and column:
        return TimeSplit(column=column)
    if text == "random":
        return RandomSplit()
    if text == "stratified":
        return StratifiedSplit()
    raise InputError(
        f"split {text!r} is unknown: use random, stratified, group:COLUMN or time:COLUMN"
    )

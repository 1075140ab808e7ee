r"""From a table, arrays or a torch ``Dataset`` to training, validation and sealed test data.

A table goes three steps. :func:`read_table` reads a file. :func:`infer_schema` decides what the
columns mean: tasks to predict and inputs to predict from. :func:`from_table` cuts the rows in
three, fits the :class:`Preparation` on the training rows only, and hands out the :class:`Splits`,
whose test part is sealed until a choice has been made. Labels may be missing anywhere.

>>> table = digits_table()
>>> schema = infer_schema(table, targets=["is_*", "even", "random"], ignore=["at_*", "c*", "up*"])
>>> print(*schema.describe()[-3:], sep="\n")
even: binary, positive class '1' (49.6 %), 100.0 % labelled
random: binary, positive class '1' (51.4 %), 100.0 % labelled
inputs: 64 numbers
>>> splits = from_table(table, schema, StratifiedSplit(), seed=0)
>>> splits.development.train.inputs.shape
torch.Size([1438, 64])
>>> splits.preparation.network_inputs(table.head(2)).dtype
dtype('float32')
"""

from cotrain.data.arrays import from_arrays, from_dataset
from cotrain.data.build import from_table
from cotrain.data.check import check_split
from cotrain.data.columns.infer import infer_schema
from cotrain.data.dataset import Development, SealedTest, Splits, TaskData
from cotrain.data.digits import DIGITS_TARGETS, digits_table
from cotrain.data.domains import from_domains, infer_domains
from cotrain.data.features.prepare import Preparation
from cotrain.data.readers.table import read_table
from cotrain.data.schema import InputColumn, LabelCount, Role, Schema
from cotrain.data.splits.by_group import GroupSplit
from cotrain.data.splits.by_time import TimeSplit
from cotrain.data.splits.parse import parse_split
from cotrain.data.splits.split import SPLIT_NAMES, RandomSplit, Split, StratifiedSplit
from cotrain.data.targets import encode_targets

__all__ = [
    "DIGITS_TARGETS",
    "SPLIT_NAMES",
    "Development",
    "GroupSplit",
    "InputColumn",
    "LabelCount",
    "Preparation",
    "RandomSplit",
    "Role",
    "Schema",
    "SealedTest",
    "Split",
    "Splits",
    "StratifiedSplit",
    "TaskData",
    "TimeSplit",
    "check_split",
    "digits_table",
    "encode_targets",
    "from_arrays",
    "from_dataset",
    "from_domains",
    "from_table",
    "infer_domains",
    "infer_schema",
    "parse_split",
    "read_table",
]

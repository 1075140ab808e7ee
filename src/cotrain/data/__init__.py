r"""From a table, arrays or a torch ``Dataset`` to training, validation and sealed test data.

A table goes three steps. :func:`read_table` reads a file. :func:`infer_schema` decides what the
columns mean: tasks to predict and inputs to predict from. :func:`from_table` cuts the rows in
three, fits the :class:`Preparation` on the training rows only, and hands out the :class:`Splits`,
whose test part is sealed until a choice has been made. Labels may be missing anywhere.

>>> from cotrain.data import StratifiedSplit, digits_table, from_table, infer_schema
>>> table = digits_table()
>>> schema = infer_schema(table, targets=["is_*", "even", "random"], ignore=["at_*", "c*", "up*"])
>>> print(*schema.describe()[-3:], sep="\n")
even: binary, positive class '1' (49.6 %), 100.0 % labelled
random: binary, positive class '1' (51.4 %), 100.0 % labelled
inputs: 64 numbers
>>> splits = from_table(table, schema, StratifiedSplit(), seed=0)
>>> splits.development.train.inputs.shape
torch.Size([1438, 325])
>>> splits.preparation.network_inputs(table.head(2)).dtype
dtype('float32')
"""

from typing import TYPE_CHECKING

from cotrain.lazy import lazy

if TYPE_CHECKING:
    from cotrain.data.arrays import from_arrays as from_arrays
    from cotrain.data.arrays import from_dataset as from_dataset
    from cotrain.data.build import from_table as from_table
    from cotrain.data.check import check_split as check_split
    from cotrain.data.columns.infer import infer_schema as infer_schema
    from cotrain.data.dataset import Development as Development
    from cotrain.data.dataset import SealedTest as SealedTest
    from cotrain.data.dataset import Splits as Splits
    from cotrain.data.dataset import TaskData as TaskData
    from cotrain.data.digits import DIGITS_TARGETS as DIGITS_TARGETS
    from cotrain.data.digits import digits_table as digits_table
    from cotrain.data.domains import from_domains as from_domains
    from cotrain.data.domains import infer_domains as infer_domains
    from cotrain.data.features.prepare import Preparation as Preparation
    from cotrain.data.readers.table import read_table as read_table
    from cotrain.data.schema import InputColumn as InputColumn
    from cotrain.data.schema import LabelCount as LabelCount
    from cotrain.data.schema import Role as Role
    from cotrain.data.schema import Schema as Schema
    from cotrain.data.splits.by_group import GroupSplit as GroupSplit
    from cotrain.data.splits.by_time import TimeSplit as TimeSplit
    from cotrain.data.splits.parse import parse_split as parse_split
    from cotrain.data.splits.split import SPLIT_NAMES as SPLIT_NAMES
    from cotrain.data.splits.split import RandomSplit as RandomSplit
    from cotrain.data.splits.split import Split as Split
    from cotrain.data.splits.split import StratifiedSplit as StratifiedSplit
    from cotrain.data.targets import encode_targets as encode_targets
else:
    __getattr__, __all__ = lazy(
        __name__,
        {
            "cotrain.data.arrays": ["from_arrays", "from_dataset"],
            "cotrain.data.build": ["from_table"],
            "cotrain.data.check": ["check_split"],
            "cotrain.data.columns.infer": ["infer_schema"],
            "cotrain.data.dataset": ["Development", "SealedTest", "Splits", "TaskData"],
            "cotrain.data.digits": ["DIGITS_TARGETS", "digits_table"],
            "cotrain.data.domains": ["from_domains", "infer_domains"],
            "cotrain.data.features.prepare": ["Preparation"],
            "cotrain.data.readers.table": ["read_table"],
            "cotrain.data.schema": ["InputColumn", "LabelCount", "Role", "Schema"],
            "cotrain.data.splits.by_group": ["GroupSplit"],
            "cotrain.data.splits.by_time": ["TimeSplit"],
            "cotrain.data.splits.parse": ["parse_split"],
            "cotrain.data.splits.split": ["SPLIT_NAMES", "RandomSplit", "Split", "StratifiedSplit"],
            "cotrain.data.targets": ["encode_targets"],
        },
    )

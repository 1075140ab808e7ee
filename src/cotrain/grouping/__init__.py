"""From measured relations to groups of tasks, each answer with its objective and a bound.

>>> import numpy as np
>>> from cotrain.grouping import group_tasks
>>> z = np.array([[0.0, 1.0, -1.0], [1.0, 0.0, -1.0], [-1.0, -1.0, 0.0]])
>>> group_tasks(z, max_groups=2).groups
((0, 1), (2,))
"""

from cotrain.grouping.clusters import Clusters, cluster_points, cluster_tasks
from cotrain.grouping.constraints import Constraints
from cotrain.grouping.exact import exact_grouping
from cotrain.grouping.groups import Grouping
from cotrain.grouping.membership import Membership
from cotrain.grouping.milp import group_table
from cotrain.grouping.solve import group_tasks
from cotrain.grouping.stability import Stability, robust, stability
from cotrain.grouping.subsets.covers import best_cover
from cotrain.grouping.subsets.sampling import TrainedSets, sample_gains
from cotrain.grouping.subsets.search import SubsetSearch, best_groups
from cotrain.grouping.table import ScoreTable

__all__ = [
    "Clusters",
    "Constraints",
    "Grouping",
    "Membership",
    "ScoreTable",
    "Stability",
    "SubsetSearch",
    "TrainedSets",
    "best_cover",
    "best_groups",
    "cluster_points",
    "cluster_tasks",
    "exact_grouping",
    "group_table",
    "group_tasks",
    "robust",
    "sample_gains",
    "stability",
]

"""
Groups from an affinity of your own
===================================

Whatever told you who helps whom — transference, gradient cosines, a colleague — the solver takes
the matrix, finds the best groups under your demands, and proves how good any others could be.
"""

# sphinx_gallery_thumbnail_path = '_static/gallery/grouping.png'
from __future__ import annotations

import numpy as np

from cotrain.grouping import Constraints, group_tasks, stability
from cotrain.measure import Affinity

# %%
# An affinity is ``[T, T]``: what the column's task does for the row's. Here two families of tasks
# help each other, a loner helps nobody, and everything was measured twenty times with noise.
TASKS = ("price", "rent", "size", "age", "noise", "traffic", "lottery")
family = np.array([0, 0, 0, 1, 1, 1, 2])
truth = np.where(family[:, None] == family, 0.03, -0.01)
truth[6] = truth[:, 6] = -0.02
rng = np.random.default_rng(0)
samples = (truth + rng.normal(scale=0.04, size=(20, 7, 7))).astype(np.float32)
affinity = Affinity.from_samples(TASKS, samples, samples, method="twenty looks")
affinity.plot()


# %%
# At most so many groups, each task served by the group that helps it most. More groups cost more
# networks; the objective says what they bring. Up to 15 tasks the answer is the proven optimum.
def show(found):
    """Print a grouping by name."""
    groups = ", ".join("{" + " ".join(TASKS[t] for t in group) + "}" for group in found.groups)
    proof = "optimal" if found.exact else f"at most {found.bound:+.4f} possible"
    print(f"{len(found.groups)} groups, objective {found.objective:+.4f} ({proof}): {groups}")


for most in (1, 2, 3, 4):
    show(group_tasks(affinity.mean, max_groups=most))

# %%
# Demands: pairs that must or must not be together, sizes, budgets.
demands = Constraints.named(TASKS, max_groups=3, apart=[("price", "rent")], max_size=3)
show(group_tasks(affinity.mean, constraints=demands))

# %%
# How sure are the groups? Draw the affinities anew within their standard errors, and count who
# stays together.
steady = stability(affinity, lambda z: group_tasks(z, max_groups=3))
print(steady)
steady.plot()

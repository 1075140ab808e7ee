"""The optimizer study: optimizers × methods of weighting × learning rates × seeds, all trained.

It puts findings of Elich et al. (2023, arXiv 2311.04698) to the test on your data: Adam beats SGD in
multi-task learning; gradients of two tasks conflict no more than those of two samples; what sets tasks
apart is the size of their gradients; features learned together stand image corruptions a little better.

Read ``study`` first, then the way of the data: ``contestants`` (what is trained), ``trainer`` and
``tuning`` (members of the engine, rates chosen, test opened), ``inter_task`` (gradients), ``robustness``
and ``corruptions`` (images), ``pareto`` (Δm and fronts), ``estimates`` (intervals), ``findings``
(verdicts), ``sections`` (pictures).
"""

from cotrain.studies.optimizers.contestants import Contestant, Method, OptimizerGrid
from cotrain.studies.optimizers.study import OptimizerStudy, study_optimizers

__all__ = ["Contestant", "Method", "OptimizerGrid", "OptimizerStudy", "study_optimizers"]

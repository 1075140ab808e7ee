"""The scalarization study: pairs of tasks × constant weights × network sizes, all trained.

It puts three findings of Royer et al. (NeurIPS 2023, arXiv 2310.08910) to the test on your data: the gain
of training together grows with model size, the best constant weights do not depend on it, and the share of
conflicting gradients does not predict the gain.

Read ``study`` first, then the way of the data: ``pairs`` (what is trained), ``trainer`` and ``conflicts``
(members of the engine), ``scores`` (rates chosen, test opened), ``estimates`` (intervals), ``findings``
(verdicts), ``result`` (pictures).
"""

from cotrain.studies.scalarization.pairs import Grid, Size
from cotrain.studies.scalarization.result import ScalarizationStudy
from cotrain.studies.scalarization.study import study_scalarization

__all__ = ["Grid", "ScalarizationStudy", "Size", "study_scalarization"]

"""The scale study: encoders of many sets of sources, and what they are worth to unseen targets.

It puts the findings of Padmakumar et al. (NAACL 2022, arXiv 2204.11117) to the test on your data, with all
unions of groups of sources and with random sets of growing size, and once more with the number of examples
held fixed: more sources help, a small related set costs less and is as good, a mismatched one hurts, and
more sources make the score vary less from seed to seed.

Read ``study`` first, then the way of the data: ``families`` and ``sets`` (what is trained), ``trainer``
(members of the engine), ``scores`` (of every target, and costs), ``estimates`` (intervals), ``findings``
(verdicts), ``result`` (pictures).
"""

from cotrain.studies.scale.families import by_pattern, by_prefix
from cotrain.studies.scale.result import ScaleStudy
from cotrain.studies.scale.sets import ScaleGrid
from cotrain.studies.scale.study import study_scale

__all__ = ["ScaleGrid", "ScaleStudy", "by_pattern", "by_prefix", "study_scale"]

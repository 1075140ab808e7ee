"""Instruments that measure how tasks relate, while a model trains: cotrain's or your own.

An instrument is a small class with one verb. Those that look at gradients take a *point* of training:
:class:`ModelPoint` is one of your own loop, and looking at it leaves no trace.

=================  ======================  ==============================================================
instrument         verb                    result
=================  ======================  ==============================================================
Lookahead          ``probe(point)``        Affinity: who helps whom, exact and to first order
FirstOrder         ``probe(point)``        Affinity, to first order only, cheaper
Gradients          ``probe(point)``        GradientSimilarity: cosines, conflicts, magnitudes over training
DataMaps           ``record(rows, …)``     DataMap: easy, ambiguous and hard examples of each task
exhaustive_gains   called once             Gains of all task sets
=================  ======================  ==============================================================

Every result is typed, prints itself, has standard errors, ``save``, ``load`` and ``plot()``. Which task
sets to train when all are too many is a decision: :class:`cotrain.grouping.SubsetSearch`.

>>> import torch
>>> from cotrain.measure import Lookahead, ModelPoint
>>> from torch import nn
>>> _ = torch.manual_seed(0)
>>> model = nn.ModuleDict({"encoder": nn.Linear(4, 3), "heads": nn.Linear(3, 2)})
>>> optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
>>> x = torch.randn(32, 4)
>>> y = torch.stack([x.sum(dim=1), x.sum(dim=1) + 1])  # two tasks that are nearly one
>>> def losses():
...     return ((model["heads"](model["encoder"](x)).T - y) ** 2).mean(dim=1)
>>> lookahead = Lookahead(tasks=["sum", "sum plus one"])
>>> for step in range(50):
...     if step % 10 == 0:
...         lookahead.probe(ModelPoint(losses, model=model, shared=model["encoder"], step=step))
...     optimizer.zero_grad()
...     losses().sum().backward()
...     optimizer.step()
>>> bool((lookahead.affinity().mean[[0, 1], [1, 0]] > 0.01).all())  # each helps the other
True
"""

from typing import TYPE_CHECKING

from cotrain.lazy import lazy

if TYPE_CHECKING:
    from cotrain.measure.datamaps.confidence import judge_binary as judge_binary
    from cotrain.measure.datamaps.confidence import judge_classes as judge_classes
    from cotrain.measure.datamaps.confidence import judge_values as judge_values
    from cotrain.measure.datamaps.confidence import stacked as stacked
    from cotrain.measure.datamaps.datamap import DataMap as DataMap
    from cotrain.measure.datamaps.recorder import DataMaps as DataMaps
    from cotrain.measure.gains.exhaustive import exhaustive_gains as exhaustive_gains
    from cotrain.measure.gains.gains import Gains as Gains
    from cotrain.measure.gains.surrogate import Surrogate as Surrogate
    from cotrain.measure.gradients.comparison import Gradients as Gradients
    from cotrain.measure.gradients.similarity import GradientSimilarity as GradientSimilarity
    from cotrain.measure.points.model_point import ModelPoint as ModelPoint
    from cotrain.measure.transference.affinity import Affinity as Affinity
    from cotrain.measure.transference.affinity import GroupTransference as GroupTransference
    from cotrain.measure.transference.lookahead import FirstOrder as FirstOrder
    from cotrain.measure.transference.lookahead import Lookahead as Lookahead
    from cotrain.measure.transference.steps import OwnStep as OwnStep
    from cotrain.measure.transference.steps import PlainStep as PlainStep
else:
    __getattr__, __all__ = lazy(
        __name__,
        {
            "cotrain.measure.datamaps.confidence": [
                "judge_binary",
                "judge_classes",
                "judge_values",
                "stacked",
            ],
            "cotrain.measure.datamaps.datamap": ["DataMap"],
            "cotrain.measure.datamaps.recorder": ["DataMaps"],
            "cotrain.measure.gains.exhaustive": ["exhaustive_gains"],
            "cotrain.measure.gains.gains": ["Gains"],
            "cotrain.measure.gains.surrogate": ["Surrogate"],
            "cotrain.measure.gradients.comparison": ["Gradients"],
            "cotrain.measure.gradients.similarity": ["GradientSimilarity"],
            "cotrain.measure.points.model_point": ["ModelPoint"],
            "cotrain.measure.transference.affinity": ["Affinity", "GroupTransference"],
            "cotrain.measure.transference.lookahead": ["FirstOrder", "Lookahead"],
            "cotrain.measure.transference.steps": ["OwnStep", "PlainStep"],
        },
    )

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

from cotrain.measure.datamaps.confidence import judge_binary, judge_classes, judge_values, stacked
from cotrain.measure.datamaps.datamap import DataMap
from cotrain.measure.datamaps.recorder import DataMaps
from cotrain.measure.gains.exhaustive import exhaustive_gains
from cotrain.measure.gains.gains import Gains
from cotrain.measure.gains.surrogate import Surrogate
from cotrain.measure.gradients.comparison import Gradients
from cotrain.measure.gradients.similarity import GradientSimilarity
from cotrain.measure.points.model_point import ModelPoint
from cotrain.measure.transference.affinity import Affinity, GroupTransference
from cotrain.measure.transference.lookahead import FirstOrder, Lookahead
from cotrain.measure.transference.steps import OwnStep, PlainStep

__all__ = [
    "Affinity",
    "DataMap",
    "DataMaps",
    "FirstOrder",
    "Gains",
    "GradientSimilarity",
    "Gradients",
    "GroupTransference",
    "Lookahead",
    "ModelPoint",
    "OwnStep",
    "PlainStep",
    "Surrogate",
    "exhaustive_gains",
    "judge_binary",
    "judge_classes",
    "judge_values",
    "stacked",
]

"""The contestants by name; the first is the one to beat."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from benchmarks.architectures.networks import TabM, Tricks, TrickyMLP, WithSkip, mmoe, ple
from benchmarks.architectures.training import Contestant, MemberHeads, OwnHeads
from cotrain.engine.build import WIDTHS
from cotrain.engine.models.mlp import MLP

JOINT, AGAIN, TABM, SKIP = "joint MLP", "joint MLP, other seeds", "TabM", "linear skip path"
AVERAGED = (JOINT, TABM)  # judged by the mean of several networks, too
QUICK = (JOINT, AGAIN, "MMoE", "PLE", TABM, SKIP)
FOLDS, NETWORKS = 5, 4  # networks of a fold, where their mean predicts
ONE, MEAN, ONE_AGAINST_MEAN = "one network", "mean of four", "one against the mean of four joint"


def plain(inputs: int, tasks: int) -> nn.Module:
    """The built-in encoder."""
    return MLP(inputs, widths=WIDTHS)


def tricky(tricks: Tricks) -> Contestant:
    """The built-in encoder with tricks."""
    return Contestant(encoder=lambda inputs, tasks: TrickyMLP(inputs, tricks))


CONTESTANTS = {
    JOINT: Contestant(encoder=plain),
    AGAIN: Contestant(encoder=plain, first_seed=FOLDS),
    "MMoE": Contestant(encoder=mmoe, head=OwnHeads),
    "PLE": Contestant(encoder=ple, head=OwnHeads),
    TABM: Contestant(encoder=TabM, head=MemberHeads),
    SKIP: Contestant(encoder=lambda inputs, tasks: WithSkip(plain(inputs, tasks))),
    "scaling layer": tricky(Tricks(scaled=True)),
    "NTK rates": tricky(Tricks(rate=1.0)),
    "Mish": tricky(Tricks(activation=F.mish)),
    "label smoothing": Contestant(encoder=plain, smoothing=0.1),
}

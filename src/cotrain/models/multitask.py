"""A shared encoder with one fused head: all tasks' outputs come from a single linear layer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cotrain.models.dropout import with_keyed_dropout

ENCODER, HEAD = "encoder.", "head."  # prefixes of the shared and the task-specific parameters


class MultiTaskNet(nn.Module):
    """Encoder → features → fused head.

    The head starts at zero weights and ``bias``: every task starts from the same point whatever its
    name or place, so permuting or renaming tasks permutes or renames the answer (law 1).

    Args:
        encoder: Maps a batch of inputs to ``[B, features]``.
        features: Number of features.
        bias: ``[O]`` initial outputs, for instance the log-odds of the training labels.
    """

    def __init__(self, encoder: nn.Module, features: int, bias: Tensor) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(features, len(bias))
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, ...]`` inputs → ``[B, O]`` outputs (logits or standardised values)."""
        outputs: Tensor = self.head(self.encoder(x))
        return outputs


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How to build a fresh network for any seed.

    Args:
        encoder: Returns a freshly initialised encoder; called under the member's seed.
        sample: ``[1, ...]`` one input, to find the number of features.
        bias: ``[O]`` initial outputs of the head.
    """

    encoder: Callable[[], nn.Module]
    sample: Tensor
    bias: Tensor

    def build(self, seed: int) -> MultiTaskNet:
        """The network of a seed, without touching the global random state."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = with_keyed_dropout(self.encoder())
            with torch.no_grad():
                features = encoder.eval()(self.sample).shape[-1]
            return MultiTaskNet(encoder.train(), features, self.bias)

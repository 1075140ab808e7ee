"""A shared encoder with one fused head: all tasks' outputs come from a single linear layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from cotrain.engine.models.dropout import with_keyed_dropout
from cotrain.tasks import Task, head_rows

ENCODER, HEAD = "encoder.", "head."  # prefixes of the shared and the task-specific parameters


class MultiTaskNet(nn.Module):
    """Encoder → features → fused head.

    The head starts at zero weights and ``bias``: every task starts from the same point whatever its
    name or place, so permuting or renaming tasks permutes or renames the answer (law 1).

    Args:
        encoder: Maps a batch of inputs to ``[B, features]``.
        features: Number of features.
        bias: ``[R]`` initial outputs of the head's rows, for instance the log-odds of the training labels.
        rows: ``[O]`` the head's row of each output, see :func:`~cotrain.tasks.head_rows`; None if every
            output has its own.
    """

    def __init__(
        self, encoder: nn.Module, features: int, bias: Tensor, rows: Tensor | None = None
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.rows = rows
        self.head = nn.Linear(features, len(bias))
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, ...]`` inputs → ``[B, O]`` outputs (logits or standardised values)."""
        outputs: Tensor = self.head(self.encoder(x))
        return outputs if self.rows is None else outputs[:, self.rows]


def shared_rows(tasks: Sequence[Task]) -> Tensor | None:
    """``[O]`` the head's row of each output; None if every output has its own."""
    rows = head_rows(tasks)
    return None if rows == tuple(range(len(rows))) else torch.tensor(rows)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How to build a fresh network for any seed.

    Args:
        encoder: Returns a freshly initialised encoder; called under the member's seed.
        sample: ``[1, ...]`` one input, to find the number of features.
        bias: ``[R]`` initial outputs of the head's rows.
        rows: ``[O]`` the head's row of each output; None if every output has its own.
        starts: Name → state of a trained encoder that a member may begin from.
    """

    encoder: Callable[[], nn.Module]
    sample: Tensor
    bias: Tensor
    rows: Tensor | None = None
    starts: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return len(self.bias if self.rows is None else self.rows)

    def build(self, seed: int, start: str = "") -> MultiTaskNet:
        """The network of a seed, without touching the global random state.

        Args:
            seed: Of the initial parameters.
            start: Which of ``starts`` the encoder has instead, under a head that the seed draws; its own
                fresh parameters, under a head of zeros, if empty.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = with_keyed_dropout(self.encoder())
            if start:
                encoder.load_state_dict(self.starts[start])
            with torch.no_grad():
                features = encoder.eval()(self.sample).shape[-1]
            net = MultiTaskNet(encoder.train(), features, self.bias, self.rows)
            if start:  # as nn.Linear draws it, but the same for all outputs, which keeps law 1
                drawn = torch.Generator().manual_seed(seed)
                row = torch.rand(features, generator=drawn)
                net.head.weight.data.copy_((2 * row - 1) / features**0.5)
            return net

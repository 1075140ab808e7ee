"""The built-in encoder: input dropout, then linear layers with ReLU and dropout."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from cotrain.engine.models.dropout import Dropout


class MLP(nn.Module):
    """A multi-layer perceptron that turns ``[B, D]`` inputs into ``[B, widths[-1]]`` features.

    Args:
        inputs: Number of inputs D.
        widths: Width of each hidden layer; the last one is the number of features.
        dropout: Dropout rate after each hidden layer.
        input_dropout: Dropout rate of the inputs.

    >>> import torch
    >>> MLP(8, widths=(16, 4))(torch.zeros(3, 8)).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        inputs: int,
        *,
        widths: Sequence[int] = (256, 256),
        dropout: float = 0.5,
        input_dropout: float = 0.4,
    ) -> None:
        super().__init__()
        sizes = (inputs, *widths)
        linears = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        rates = (input_dropout, *(dropout for _ in widths))
        self.drops = nn.ModuleList(Dropout(rate, layer=i) for i, rate in enumerate(rates))
        for linear in linears:
            nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
        self.linears = nn.ModuleList(linears)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, D]`` → ``[B, widths[-1]]``."""
        x = self.drops[0](x)
        for linear, drop in zip(self.linears, list(self.drops)[1:], strict=True):
            x = drop(linear(x).relu())
        return x

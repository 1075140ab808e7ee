"""Dropout whose mask is a pure function of a key, so a member draws the same mask in any company.

The mask of element ``i`` is a hash of ``(key, i // 8)``, one byte an element: no generator state to
checkpoint, no dependence on the population's size or on the executor (laws 2 and 6).
The hash is the finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
generators").
"""

import torch
from torch import Tensor, nn

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


def mix(bits: Tensor) -> Tensor:
    """Scramble int64 values so that neighbouring inputs give unrelated outputs."""
    bits = (bits ^ _shifted(bits, 30)) * _MIX_1
    bits = (bits ^ _shifted(bits, 27)) * _MIX_2
    return bits ^ _shifted(bits, 31)


def mix_in_place(bits: Tensor) -> Tensor:
    """:func:`mix` that overwrites its input, for the hot path; same values."""
    bits.bitwise_xor_(_shifted(bits, 30)).mul_(_MIX_1)
    bits.bitwise_xor_(_shifted(bits, 27)).mul_(_MIX_2)
    return bits.bitwise_xor_(_shifted(bits, 31))


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Logical right shift; torch's ``>>`` would copy the sign bit."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def step_keys(seeds: Tensor, step: int) -> Tensor:
    """``[P]`` int64 keys of one training step, from the members' seeds."""
    return mix(mix(seeds + _GOLDEN) + torch.tensor(step) * _GOLDEN)


def counters(elements: int, device: torch.device | str = "cpu") -> Tensor:
    """Positions to hash for ``elements`` mask bytes: one int64 for eight elements."""
    return torch.arange(1, (elements + 7) // 8 + 1, device=device) * _GOLDEN


def threshold(rate: Tensor) -> Tensor:
    """The byte below which an element is dropped; the rate is rounded to 1/256."""
    return (256 * rate).round().clamp(max=255).to(torch.uint8)


def gain(rate: Tensor) -> Tensor:
    """What kept elements are multiplied by, so that the expectation stays."""
    return 256 / (256 - threshold(rate).float())


class Dropout(nn.Module):
    """Drop elements with probability ``rate`` (rounded to 1/256) by the key of member and step.

    The engine writes ``dropout_key`` before each training step, and ``dropout_rate`` once for each
    member. ``layer`` makes the masks of the layers of one network differ.

    >>> layer = Dropout(0.5, layer=0)
    >>> kept = layer(torch.ones(100, 100)) > 0
    >>> bool((kept.float().mean() - 0.5).abs() < 0.02)
    True
    """

    dropout_key: Tensor
    dropout_rate: Tensor

    def __init__(self, rate: float, *, layer: int) -> None:
        super().__init__()
        self.rate = rate
        self.layer = layer
        self.register_buffer("dropout_key", torch.zeros((), dtype=torch.int64), persistent=False)
        self.register_buffer("dropout_rate", torch.tensor(rate), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; kept elements are divided by the share kept."""
        if not self.training or self.rate == 0:
            return x
        bits = mix(counters(x.numel(), x.device) + (self.dropout_key + self.layer))
        keep = bits.view(torch.uint8)[: x.numel()] >= threshold(self.dropout_rate)
        keep = keep.view(*x.shape[1:], x.shape[0]).movedim(
            -1, 0
        )  # batch last, as the engine keeps it
        return x * keep * gain(self.dropout_rate)


def with_keyed_dropout(module: nn.Module) -> nn.Module:
    """Replace every ``nn.Dropout`` inside by :class:`Dropout`, in place, numbering the layers."""
    found = 0
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p, layer=found))
                found += 1
    return module

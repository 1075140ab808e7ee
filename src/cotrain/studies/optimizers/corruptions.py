"""Common corruptions of images at five severities (Hendrycks and Dietterich 2019, arXiv 1903.12261).

Images are ``[N, C, H, W]`` in [0, 1]. The constants are ImageNet-C's; those of the blur are CIFAR-10-C's,
in pixels of an image 32 high, because ImageNet-C's would leave nothing of a small one. Brightness is added
to every channel. Random numbers depend on the seed alone, so all models see the same images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Images = NDArray[np.float32]
Generator = np.random.Generator
SEVERITIES = 5


def gaussian_noise(images: Images, severity: int, rng: Generator) -> Images:
    """Add Gaussian noise to every pixel."""
    scale = (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    return _clipped(images + rng.normal(scale=scale, size=images.shape))


def shot_noise(images: Images, severity: int, rng: Generator) -> Images:
    """Draw every pixel anew from a Poisson distribution, as of few photons."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    return _clipped(rng.poisson(images * photons) / photons)


def impulse_noise(images: Images, severity: int, rng: Generator) -> Images:
    """Make some pixels black or white."""
    amount = (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    draw = rng.random(images.shape)
    return _clipped(np.where(draw < amount, draw < amount / 2, images))


def gaussian_blur(images: Images, severity: int, rng: Generator) -> Images:
    """Blur by a Gaussian whose width is in proportion to the image's height."""
    pixels = (0.4, 0.6, 0.7, 0.8, 1.0)[severity - 1] * images.shape[-2] / 32
    return _clipped(gaussian_filter(images, sigma=(0, 0, pixels, pixels), mode="nearest"))


def contrast(images: Images, severity: int, rng: Generator) -> Images:
    """Lower the contrast: move pixels towards the mean of the image's channel."""
    share = (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1]
    mean = images.mean(axis=(-2, -1), keepdims=True)
    return _clipped((images - mean) * share + mean)


def brightness(images: Images, severity: int, rng: Generator) -> Images:
    """Add the same brightness to every pixel."""
    return _clipped(images + (0.1, 0.2, 0.3, 0.4, 0.5)[severity - 1])


def pixelate(images: Images, severity: int, rng: Generator) -> Images:
    """Replace pixels by means over boxes, as when the image is made smaller and large again."""
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    down, right = (_boxes(size, share) for size in images.shape[-2:])
    return _clipped(down @ images @ right.T)


Corruption = Callable[[Images, int, Generator], Images]
CORRUPTIONS: dict[str, Corruption] = {
    "Gaussian noise": gaussian_noise,
    "shot noise": shot_noise,
    "impulse noise": impulse_noise,
    "blur": gaussian_blur,
    "contrast": contrast,
    "brightness": brightness,
    "pixelate": pixelate,
}


def corrupted(images: Images, name: str, severity: int, *, seed: int = 0) -> Images:
    """The images with one of the corruptions.

    Args:
        images: ``[N, C, H, W]`` in [0, 1].
        name: One of :data:`CORRUPTIONS`.
        severity: From 1 to 5.
        seed: Of what is random.

    >>> grey = np.full((1, 1, 4, 4), 0.5, dtype=np.float32)
    >>> round(float(corrupted(grey, "brightness", 2).mean()), 3)
    0.7
    """
    rng = np.random.default_rng([seed, list(CORRUPTIONS).index(name), severity])
    return CORRUPTIONS[name](images, severity, rng)


def _clipped(images: NDArray[np.floating[Any]]) -> Images:
    found: Images = np.clip(images, 0, 1).astype(np.float32)
    return found


def _boxes(size: int, share: float) -> NDArray[np.float64]:
    """``[size, size]`` weights: each pixel takes the mean of the box that it falls into."""
    small = max(1, int(size * share))
    edges = np.linspace(0, size, small + 1)
    left, right = np.arange(size), np.arange(1, size + 1)
    overlap = np.clip(
        np.minimum(right, edges[1:, None]) - np.maximum(left, edges[:-1, None]), 0, None
    )
    means = overlap / overlap.sum(axis=1, keepdims=True)
    box = ((left + 0.5) * small / size).astype(int)
    found: NDArray[np.float64] = means[box]
    return found

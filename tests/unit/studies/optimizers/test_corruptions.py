"""Corruptions: by hand, harder with severity, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES, corrupted

Images = NDArray[np.float32]


def images(size: int = 28) -> Images:
    """Smooth shapes with edges, in two channels."""
    rng = np.random.default_rng(0)
    coarse = rng.random((6, 2, 4, 4)).astype(np.float32)
    large = coarse.repeat(size // 4, axis=2).repeat(size // 4, axis=3)
    return np.roll(large, (1, 2), axis=(2, 3)) * 0.6 + 0.2


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_all_of_them(name: str) -> None:
    clean = images()
    before = clean.copy()
    found = [corrupted(clean, name, severity) for severity in range(1, SEVERITIES + 1)]
    again = corrupted(clean, name, 3)
    assert np.array_equal(found[2], again)
    assert np.array_equal(clean, before)
    assert all(one.shape == clean.shape and one.dtype == np.float32 for one in found)
    assert all(one.min() >= 0 and one.max() <= 1 for one in found)
    harm = [float(np.sqrt(((one - clean) ** 2).mean())) for one in found]
    assert harm[0] > 1e-3
    assert harm[-1] > 1.2 * harm[0]
    if name != "pixelate":  # boxes may fall on the edges or not
        assert harm == sorted(harm)


@pytest.mark.parametrize("name", ["Gaussian noise", "shot noise", "impulse noise"])
def test_noise_by_its_size(name: str) -> None:
    """On grey: deviations .08; √(.5 / 60); half of 3 % black and white, .5 away."""
    grey = np.full((20, 1, 32, 32), 0.5, dtype=np.float32)
    expected = {
        "Gaussian noise": 0.08,
        "shot noise": np.sqrt(0.5 / 60),
        "impulse noise": np.sqrt(0.03) / 2,
    }
    found = corrupted(grey, name, 1)
    assert found.std() == pytest.approx(expected[name], rel=0.03)
    assert found.mean() == pytest.approx(0.5, abs=0.003)
    assert not np.array_equal(found, corrupted(grey, name, 1, seed=1))


def test_pixels_by_hand() -> None:
    """Half the size: means over 2 × 2; contrast .4 around the mean of 4.5 tenths; brightness adds."""
    image = np.array([[1, 3, 5, 7], [1, 3, 5, 7], [2, 2, 8, 8], [4, 4, 6, 6]]) / 10
    clean = image.astype(np.float32)[None, None]
    boxes = np.array([[2, 2, 6, 6], [2, 2, 6, 6], [3, 3, 7, 7], [3, 3, 7, 7]]) / 10
    np.testing.assert_allclose(corrupted(clean, "pixelate", 2)[0, 0], boxes, atol=1e-6)
    paler = (image - 0.45) * 0.4 + 0.45
    np.testing.assert_allclose(corrupted(clean, "contrast", 1)[0, 0], paler, atol=1e-6)
    brighter = np.minimum(image + 0.3, 1)
    np.testing.assert_allclose(corrupted(clean, "brightness", 3)[0, 0], brighter, atol=1e-6)


def test_pixelate_keeps_the_mean_roughly_at_any_size() -> None:
    for size in (8, 28, 29, 32):
        clean = np.random.default_rng(1).random((3, 1, size, size)).astype(np.float32)
        for severity in range(1, 6):
            found = corrupted(clean, "pixelate", severity)
            small = int(size * (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1])
            assert len(np.unique(found[0, 0].round(5), axis=0)) == small
            assert found.mean() == pytest.approx(clean.mean(), abs=0.03)

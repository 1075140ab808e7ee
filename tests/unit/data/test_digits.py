"""The demo table."""

import numpy as np
from sklearn.datasets import load_digits

from cotrain.data import DIGITS_TARGETS, digits_table


def test_columns_and_shares() -> None:
    table = digits_table()
    assert table.shape == (1797, 79)
    assert table.columns[:2] == ["p00", "p01"]
    assert tuple(table.columns[64:]) == DIGITS_TARGETS
    assert table.select(DIGITS_TARGETS).sum().row(0) == (
        *(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
        *(891, 896, 713, 898, 924),
    )


def test_upside_down_images_are_turned() -> None:
    table, (pixels, digit) = digits_table(seed=1), load_digits(return_X_y=True)
    seen = table.select(f"p{at:02d}" for at in range(64)).to_numpy()
    turned = table["upside_down"].to_numpy() == 1
    assert np.array_equal(seen[~turned], pixels[~turned])
    upright = seen[turned].reshape(-1, 8, 8)[:, ::-1, ::-1].reshape(-1, 64)
    assert np.array_equal(upright, pixels[turned])
    assert np.array_equal(table["is_3"].to_numpy() == 1, digit == 3)


def test_the_seed_decides() -> None:
    assert digits_table(1).equals(digits_table(1))
    assert not digits_table(1)["random"].equals(digits_table(2)["random"])

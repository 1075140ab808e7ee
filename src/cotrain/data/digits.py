"""The demo: 1,797 small handwritten digits and fifteen questions about each."""

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

DIGITS_TARGETS = (
    *(f"is_{digit}" for digit in range(10)),
    "even",
    "at_least_5",
    "closed_loop",
    "upside_down",
    "random",
)
"""The target columns of :func:`digits_table`; the other columns are the pixels."""


def digits_table(seed: int = 0) -> pl.DataFrame:
    """scikit-learn's digits as a table of 64 pixels (0 to 16) and 15 targets (0 or 1).

    The targets are ``is_0`` … ``is_9``; ``even``; ``at_least_5``; ``closed_loop`` (0, 6, 8 and 9:
    the digits that are written with a closed loop; 4 mostly is not); ``upside_down`` (a random half
    of the images is turned by 180 degrees for all tasks, and this label says which); and ``random``
    (coin flips, which no model can learn and which no task should be trained with).

    Args:
        seed: Decides which images are turned, and the coin flips.

    >>> table = digits_table()
    >>> table.shape, int(table["upside_down"].sum()), int(table["closed_loop"].sum())
    ((1797, 79), 898, 713)
    """
    pixels, digit = load_digits(return_X_y=True)
    generator = np.random.default_rng([seed, 15])
    turned = np.zeros(len(digit), dtype=bool)
    turned[generator.permutation(len(digit))[: len(digit) // 2]] = True
    pixels = np.where(turned[:, None], pixels[:, ::-1], pixels).astype(np.int64)
    targets = [
        *(digit == each for each in range(10)),
        digit % 2 == 0,
        digit >= 5,
        np.isin(digit, (0, 6, 8, 9)),
        turned,
        generator.random(len(digit)) < 0.5,
    ]
    names = [f"p{at:02d}" for at in range(64)] + list(DIGITS_TARGETS)
    return pl.DataFrame(np.column_stack([pixels, *targets]), schema=names)

"""Where the shared real data lies, and a small table with every kind of column."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data sets are not at {SHARED}")
    return SHARED


@pytest.fixture
def mixed() -> pl.DataFrame:
    """200 rows: numbers, a category, a date, and tasks of the three kinds with missing labels."""
    generator = np.random.default_rng(0)
    number = generator.normal(size=200)
    return pl.DataFrame(
        {
            "number": [None if row % 10 == 0 else value for row, value in enumerate(number)],
            "flag": generator.integers(0, 2, 200),
            "city": [("Bern", "Oslo", "Rome", None)[row % 4] for row in range(200)],
            "when": [f"2024-{row % 12 + 1:02d}-{row % 28 + 1:02d}" for row in range(200)],
            "buys": [None if row % 7 == 0 else value > 0 for row, value in enumerate(number)],
            "colour": [("red", "green", "blue")[row % 3] for row in range(200)],
            "price": 1000 + 50 * number,
        }
    )

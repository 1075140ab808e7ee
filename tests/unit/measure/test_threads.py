"""One thread for small matrices, and as many as before afterwards."""

from __future__ import annotations

import pytest
import torch

from cotrain.measure.gains.threads import one_thread


def failing() -> None:
    assert torch.get_num_threads() == 1
    raise KeyError


def test_one_thread_inside_and_the_former_number_outside() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert one_thread()(torch.get_num_threads)() == 1
        with pytest.raises(KeyError):
            one_thread()(failing)()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

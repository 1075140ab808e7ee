"""Refitted heads: what they score, that features and nothing else decide, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import make_architecture, make_data, make_development
from torch import nn

from cotrain.engine.initial import initial_state
from cotrain.engine.member import Member
from cotrain.errors import InputError
from cotrain.results import Cost
from cotrain.studies.optimizers.corruptions import CORRUPTIONS, SEVERITIES
from cotrain.studies.optimizers.robustness import check_images, image_sets, refitted_scores
from cotrain.studies.optimizers.tuning import Tuned

KINDS = "brm"


def tuned(epochs: list[list[int]], *, scale: float = 1.0) -> tuple[Tuned, nn.Module]:
    """Untrained networks that speak for the tasks with an epoch."""
    development = make_development(KINDS, missing=0.2, rows=120)
    architecture = make_architecture(development, widths=(16,), dropout=0.0, input_dropout=0.0)
    members = [Member(name="m", weights=(1.0,) * 3, seed=seed) for seed in range(len(epochs))]
    state = initial_state(architecture, members)
    models = {
        (k, epoch): {name: scale * tensor for name, tensor in state.model(k).items()}
        for k, own in enumerate(epochs)
        for epoch in own
        if epoch
    }
    found = Tuned(
        valid=np.zeros((0, 3)),
        kept=np.arange(len(epochs)),
        best_epoch=torch.tensor(epochs),
        models=models,
        cost=Cost(trainings=0, examples=0, seconds=0.0),
    )
    return found, architecture.build(seed=0)


def test_heads_learn_and_score() -> None:
    train, test = (make_data(KINDS, missing=0.2, rows=200, seed=seed) for seed in (0, 7))
    networks, net = tuned([[1, 1, 2], [0, 3, 0]])
    sets = [test.inputs, torch.zeros_like(test.inputs)]
    found = refitted_scores(net, networks, train, test, sets, seed=0)  # type: ignore[arg-type]
    assert found.shape == (201, 2, 2, 3)
    assert (found[0, 0, 0] > [0.8, 0.5, 0.6]).all()
    assert np.isnan(found[:, 1, :, [0, 2]]).all()
    assert found[0, 1, 0, 1] > 0.5
    assert found[0, 0, 1, 0] == 0.5  # black images say nothing
    assert found[0, 0, 1, 1] <= 0
    assert found[0, 0, 1, 2] == pytest.approx(1 / 3)
    assert 0.005 < found[1:, 0, 0, 0].std() < 0.1


def test_the_size_of_features_does_not_matter_and_masked_labels_neither() -> None:
    """Features are standardised before the heads see them."""
    train, test = (make_data(KINDS, missing=0.2, rows=200, seed=seed) for seed in (0, 7))
    small, net = tuned([[1, 1, 1]])
    large, _ = tuned([[1, 1, 1]], scale=100.0)
    one, two = (
        refitted_scores(net, networks, data, test, [test.inputs], seed=0)  # type: ignore[arg-type]
        for networks, data in (
            (small, train),
            (large, replace(train, targets=torch.where(train.mask, train.targets, 1e9))),
        )
    )
    np.testing.assert_allclose(one, two, atol=0.01)


def test_all_sets_of_images() -> None:
    test = make_data("b", inputs=64, rows=6)
    test = replace(test, inputs=test.inputs.sigmoid())
    found = image_sets(test, (8, 8), seed=0)
    assert len(found) == 1 + len(CORRUPTIONS) * SEVERITIES
    assert found[0][0] == "clean"
    assert torch.equal(found[0][2], test.inputs)
    assert all(images.shape == test.inputs.shape for _, _, images in found)
    assert all(
        not torch.equal(images, test.inputs) for name, _, images in found[1:] if name != "blur"
    )
    channels = image_sets(test, (4, 8), seed=0)  # two channels
    assert channels[1][2].shape == test.inputs.shape


@pytest.mark.parametrize("size", [(5, 5), (4, 4)])
def test_what_are_no_images(size: tuple[int, int]) -> None:
    test = make_data("b", inputs=16, rows=6)  # standard normal
    with pytest.raises(
        InputError, match=r"corruptions need images in \[0, 1\]: inputs of 16 numbers"
    ):
        check_images(test.inputs, size)


def test_pixels_of_test_images_are_clipped() -> None:
    """The test split is opened after all training: nothing in it may end the study."""
    test = make_data("b", inputs=16, rows=6)  # standard normal
    assert test.inputs.min() < 0
    for _, _, images in image_sets(test, (4, 4), seed=0):
        assert images.min() >= 0
        assert images.max() <= 1

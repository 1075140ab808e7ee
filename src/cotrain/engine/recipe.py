"""How every member of a population is trained: epochs, batches, patience."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How every member is trained. The defaults serve tables of 10² to 10⁵ rows.

    Args:
        epochs: Passes over the training rows at most.
        batch_size: Rows in a batch at most; batches of a run all have the same size.
        patience: A member stops when none of its tasks' validation losses improved for this many
            epochs.
        one_model: A member's tasks all speak from the epoch with the best unweighted mean of their
            validation losses, and ``patience`` waits for that mean; else each from its own best epoch.
        to_end: Members train all epochs, and speak from the last one: no row that a member leaves out
            chooses an epoch of it.
        weight_decay: Decoupled from the gradient or L2 within it, as the optimizer has it.
        warmup: Share of the steps over which the learning rate rises linearly; it then falls to zero
            along a cosine.
        data_seed: Orders the rows; the same for all members, so a batch is read once for all.
    """

    epochs: int = 40
    batch_size: int = 256
    patience: int = 12
    one_model: bool = False
    to_end: bool = False
    weight_decay: float = 0.01
    warmup: float = 0.05
    data_seed: int = 0


def recipe_for(rows: int, *, seed: int) -> Recipe:
    """Batch size and epochs for a number of training rows: about 1,200 steps, 16 to 100 epochs.

    >>> recipe_for(6400, seed=0).batch_size, recipe_for(6400, seed=0).epochs
    (128, 24)
    >>> recipe_for(100, seed=0).batch_size, recipe_for(100, seed=0).epochs
    (16, 100)
    """
    batch = 16
    while batch < 256 and batch * 64 < rows:
        batch *= 2
    steps = max(1, -(-rows // batch))
    epochs = min(100, max(16, 1200 // steps))
    return Recipe(epochs=epochs, batch_size=batch, patience=max(5, epochs // 3), data_seed=seed)


def shortened(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with fewer epochs, and as much less patience."""
    return replace(recipe, epochs=epochs, patience=max(3, epochs // 3))


def share_of(recipe: Recipe, share: float) -> Recipe:
    """The recipe with a share of its epochs, at least one.

    >>> share_of(Recipe(epochs=40), 0.2).epochs
    8
    """
    return shortened(recipe, max(1, round(recipe.epochs * share)))

"""Who is trained (members) and how (the recipe)."""

from dataclasses import dataclass

from cotrain.population.weighting import FIXED, LossWeighting


@dataclass(frozen=True, kw_only=True)
class Member:
    """One weight vector over the tasks, trained from one seed.

    Args:
        name: What the member stands for, for instance ``joint`` or ``single/3``; shown in the ledger.
        weights: ``[T]`` loss weights, non-negative and not all zero.
        seed: Seeds the initial parameters and the dropout masks.
        learning_rate: Peak learning rate of AdamW.
        dropout: Multiplies the network's dropout rates; 1 leaves them as they are.
        weighting: Makes the weights of every step from these and the losses.
    """

    name: str
    weights: tuple[float, ...]
    seed: int = 0
    learning_rate: float = 1e-3
    dropout: float = 1.0
    weighting: LossWeighting = FIXED

    def __post_init__(self) -> None:
        """Refuse weights that train nothing or train away from a task."""
        if not all(0 <= w < float("inf") for w in self.weights) or not any(self.weights):
            raise ValueError(
                f"member {self.name!r}: weights must be finite, >= 0 and not all 0, got {self.weights}"
            )


def one_hot(task: int, tasks: int) -> tuple[float, ...]:
    """Weights of single-task learning.

    >>> one_hot(1, 3)
    (0.0, 1.0, 0.0)
    """
    return indicator({task}, tasks)


def indicator(group: set[int] | frozenset[int] | tuple[int, ...], tasks: int) -> tuple[float, ...]:
    """Weights of a task group: one for members of the group, zero for the others.

    >>> indicator({0, 2}, 3)
    (1.0, 0.0, 1.0)
    """
    return tuple(float(t in group) for t in range(tasks))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How every member is trained. The defaults serve tables of 10² to 10⁵ rows.

    Args:
        rounds: Passes over the training rows at most.
        batch_size: Rows in a batch at most; batches of a run all have the same size.
        patience: A member stops when none of its tasks' validation losses improved for this many
            rounds.
        weight_decay: Decoupled weight decay of AdamW (Loshchilov & Hutter 2019).
        warmup: Share of the steps over which the learning rate rises linearly; it then falls to zero
            along a cosine.
        data_seed: Orders the rows; the same for all members, so a batch is read once for all.
    """

    rounds: int = 40
    batch_size: int = 256
    patience: int = 12
    weight_decay: float = 0.01
    warmup: float = 0.05
    data_seed: int = 0

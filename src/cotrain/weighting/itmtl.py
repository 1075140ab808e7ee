"""IT-MTL: in every step the shared part follows the set of tasks that would help all most.

Fifty et al. 2020, arXiv 2010.15413, the micro level. Of a step with gradients g_t: the heads take their own
update; for each candidate c, weights v_c over the tasks, look ahead by plain SGD to
θ_c = θ − η Σ_t v_ct g_t and score Σ_j w_j (1 − L_j(θ_c, ψ') / L_j(θ, ψ)) on the same batch with the same
dropout, ψ' the updated heads; the best candidate's direction is the shared part's gradient.

Where the optimiser is not plain SGD: the heads' update in the score is the optimiser's own, as it will be
taken; the lookahead of the shared part is plain SGD, as in the paper, so that candidates are compared by
their direction and size; and the optimiser (AdamW) is then given the best candidate's gradient.
Ours are the member's weights w_j in the score (1 for the paper's), and that a task which is not the
member's, or has no label in the batch, stands in no candidate and in no score.
Letters: P members, T tasks, C candidates, D shared parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cotrain.errors import InputError
from cotrain.population.gradients import StepGradients, matrix, shared_parts
from cotrain.population.optimiser import adamw_step
from cotrain.population.state import State, Tensors, is_shared
from cotrain.population.step import TrainingStep
from cotrain.population.weighting import FIXED, LossWeighting
from cotrain.weighting.aggregated import Aggregated, counting

_LEAST = 1e-8  # keeps divisions by losses finite


class Candidates(ABC):
    """Weight vectors over the tasks that the shared part may follow."""

    @abstractmethod
    def weights(self, possible: StepGradients, own: Tensor) -> Tensor:
        """``[P, C, T]``, 0 where a task does not count; a candidate of zeros is left out.

        Args:
            possible: The step.
            own: ``[P, T]`` weights of the losses, 0 where a task does not count.
        """


@dataclass(frozen=True, kw_only=True)
class Together(Candidates):
    """All tasks at once: the ordinary step."""

    def weights(self, possible: StepGradients, own: Tensor) -> Tensor:
        """See :class:`Candidates`; likewise below."""
        return own.unsqueeze(1)


@dataclass(frozen=True, kw_only=True)
class Singles(Candidates):
    """Each task alone."""

    def weights(self, possible: StepGradients, own: Tensor) -> Tensor:
        """T candidates."""
        return own.unsqueeze(1) * torch.eye(own.shape[1])


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut(Candidates):
    """All tasks but one."""

    def weights(self, possible: StepGradients, own: Tensor) -> Tensor:
        """T candidates."""
        return own.unsqueeze(1) * (1 - torch.eye(own.shape[1]))


@dataclass(frozen=True, kw_only=True)
class Sets(Candidates):
    """Given sets of tasks.

    Args:
        sets: Numbers of the tasks in each.
    """

    sets: tuple[tuple[int, ...], ...]

    def weights(self, possible: StepGradients, own: Tensor) -> Tensor:
        """One candidate a set."""
        tasks = own.shape[1]
        inside = torch.zeros(len(self.sets), tasks)
        for row, members in enumerate(self.sets):
            if not all(0 <= task < tasks for task in members):
                raise InputError(f"set {members} names a task beyond the {tasks} that there are")
            inside[row, list(members)] = 1.0
        return own.unsqueeze(1) * inside


@dataclass(frozen=True, kw_only=True)
class Combined(Candidates):
    """What an aggregator makes of all tasks, PCGrad's direction for instance.

    Args:
        by: Its own weighting of the losses is not used; :class:`ITMTL` weighs them.
    """

    by: Aggregated

    def weights(self, possible: StepGradients, own: Tensor) -> Tensor:
        """One candidate."""
        return self.by.shared_weights(possible, own).unsqueeze(1)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a score is made from and leads to.

    Args:
        own: ``[P, T]`` weights of the losses, of those that count.
        candidates: ``[P, C, T]`` weights of the shared part.
        sizes: ``[P]`` lengths η of the lookahead.
    """

    own: Tensor
    candidates: Tensor
    sizes: Tensor

    def best(self, falls: Tensor, importance: Tensor) -> Tensor:
        """``[P]`` the best candidates; the first among equals.

        Args:
            falls: ``[P, C, T]`` relative falls of the losses, 1 − L_j(θ_c) / L_j(θ).
            importance: ``[P, T]`` the members' own weights of the tasks.
        """
        counted = (self.own != 0).unsqueeze(1)
        score = (importance.unsqueeze(1) * torch.where(counted, falls, 0.0)).sum(dim=2)
        offered = (self.candidates != 0).any(dim=2) & score.isfinite()
        return score.masked_fill(~offered, -torch.inf).argmax(dim=1)


class Score(ABC):
    """How candidates are compared."""

    @abstractmethod
    def gradients(self, possible: StepGradients, choice: Choice) -> Tensors:
        """Gradients like ``state.params`` with the best candidate's for the shared part."""


@dataclass(frozen=True, kw_only=True)
class FirstOrder(Score):
    """To first order the loss falls by η Σ_t v_ct ⟨g_t, g_j⟩: inner products, no forward pass."""

    def gradients(self, possible: StepGradients, choice: Choice) -> Tensors:
        """See :class:`Score`; likewise below."""
        falls = choice.sizes.view(-1, 1, 1) * (choice.candidates @ possible.gram)
        falls = falls / _least(possible.step).unsqueeze(1)
        best = choice.best(falls, possible.step.weights)
        shared = choice.candidates[torch.arange(len(best)), best]
        return possible.mixed(choice.own, shared)


@dataclass(frozen=True, kw_only=True)
class Exact(Score):
    """A forward pass for every candidate, all of a member at once. Holds the directions of all members."""

    def gradients(self, possible: StepGradients, choice: Choice) -> Tensors:
        """Everything that goes back from the training pass comes before the first look ahead."""
        plain = {name: g.clone() for name, g in possible.weighted(choice.own).items()}
        directions = [  # [P] of [C, D]
            candidates @ matrix(gradients)
            for candidates, gradients in zip(choice.candidates, possible.of_tasks(), strict=True)
        ]
        heads = _updated_heads(possible, plain)
        after = torch.stack(
            [
                _losses_after(possible, heads, member, -size * direction)
                for member, (size, direction) in enumerate(
                    zip(choice.sizes, directions, strict=True)
                )
            ]
        )
        falls = 1 - after / _least(possible.step).unsqueeze(1)
        best = choice.best(falls, possible.step.weights)
        chosen = torch.stack([d[c] for d, c in zip(directions, best.tolist(), strict=True)])
        return plain | shared_parts(plain, chosen)


@dataclass(frozen=True, kw_only=True)
class ITMTL:
    """See the module's text.

    Args:
        candidates: Where they come from; the first of equally good ones is taken, so begin with the
            ordinary step.
        score: Exact, or to first order.
        reach: Length η of the lookahead, in learning rates of the step.
        weighting: Weighs the losses first; the heads follow these weights alone.

    Raises:
        InputError: If there is no candidate, or nowhere to look.

    >>> ITMTL(score=FirstOrder()).candidates
    (Together(), Singles(), LeaveOneOut())
    """

    candidates: tuple[Candidates, ...] = (Together(), Singles(), LeaveOneOut())
    score: Score = Exact()
    reach: float = 1.0
    weighting: LossWeighting = FIXED

    def __post_init__(self) -> None:
        """Refuse what leaves no choice."""
        if not self.candidates:
            raise InputError("candidates is empty: give at least (Together(),)")
        if not 0 < self.reach < float("inf"):
            raise InputError(f"reach must be positive and finite, got {self.reach}")

    def start(self, members: int, tasks: int) -> Tensors:
        """What the weighting of the losses remembers; likewise below."""
        return self.weighting.start(members, tasks)

    def weigh(self, step: TrainingStep) -> Tensor:
        """Weights of the losses, for the heads."""
        return self.weighting.weigh(step)

    def learn(self, step: TrainingStep, losses_after: Callable[[], Tensor]) -> None:
        """See :class:`~cotrain.population.weighting.LossWeighting`."""
        self.weighting.learn(step, losses_after)

    def end_round(self, state: State) -> None:
        """See :class:`~cotrain.population.weighting.LossWeighting`."""
        self.weighting.end_round(state)

    def gradients(self, possible: StepGradients) -> Tensors:
        """The heads by their own weights, the shared part by the best candidate's."""
        own = self.weigh(possible.step)
        own = torch.where(counting(possible.step, own), own, 0.0)
        parts = [part.weights(possible, own) for part in self.candidates]
        choice = Choice(
            own=own,
            candidates=torch.cat(parts, dim=1),
            sizes=self.reach * torch.tensor(possible.step.learning_rates),
        )
        return self.score.gradients(possible, choice)


def _least(step: TrainingStep) -> Tensor:
    return step.losses.clamp_min(_LEAST)


def _updated_heads(possible: StepGradients, gradients: Tensors) -> Tensors:
    """The heads as the optimiser's step will leave them."""
    state = possible.step.state
    params, momentum, variance = (
        {name: tensor.clone() for name, tensor in tensors.items() if not is_shared(name)}
        for tensors in (state.params, state.momentum, state.variance)
    )
    twin = State(params=params, buffers={}, momentum=momentum, variance=variance, step=state.step)
    adamw_step(
        twin,
        gradients,
        learning_rates=possible.step.learning_rates,
        weight_decays=possible.weight_decays,
        untouched=~possible.step.batch.present[possible.step.task_losses.task_of_output],
    )
    return params


def _losses_after(possible: StepGradients, heads: Tensors, member: int, moves: Tensor) -> Tensor:
    """``[C, T]`` losses of a member's batch with its dropout, after each of ``[C, D]`` moves."""
    step, count = possible.step, len(moves)

    def copies(tensor: Tensor) -> Tensor:
        return tensor[member].expand(count, *tensor.shape[1:])

    params = {name: copies(tensor) for name, tensor in (step.state.params | heads).items()}
    moved = {name: params[name] + move for name, move in shared_parts(params, moves).items()}
    there = State(
        params=params | moved,
        buffers={name: copies(tensor).clone() for name, tensor in step.state.buffers.items()},
        momentum={},
        variance={},
        step=step.state.step,
        keys=copies(step.state.keys),
    )
    outputs = possible.executor.forward(there, step.batch).outputs
    return step.task_losses.means(outputs, step.batch.targets, step.batch.shares)

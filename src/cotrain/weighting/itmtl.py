"""IT-MTL: in every step the shared part follows the set of tasks that would help all most.

Fifty et al. 2020, arXiv 2010.15413, the micro level. Of a step with gradients g_t: the heads take their own
update; for each candidate c, weights v_c over the tasks, look ahead by plain SGD to
θ_c = θ − η Σ_t v_ct g_t and score Σ_j w_j (1 − L_j(θ_c, ψ') / L_j(θ, ψ)) on the same batch with the same
dropout, ψ' the updated heads; the best candidate's direction is the shared part's gradient.

Where the optimizer is not plain SGD: the heads' update in the score is the optimizer's own, as it will be
taken; the lookahead of the shared part is plain SGD, as in the paper, so that candidates are compared by
their direction and size; and the optimizer is then given the best candidate's gradient.
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

from cotrain.engine.state import State, Tensors, is_shared
from cotrain.engine.step import TrainingStep
from cotrain.engine.task_gradients import StepGradients, TaskGradients, shared_parts
from cotrain.errors import InputError
from cotrain.weighting.aggregated import Aggregated
from cotrain.weighting.directed import Directed

_LEAST = 1e-8  # keeps divisions by losses finite

Listing = Callable[[TaskGradients, Tensor], Tensor]  # a member's ``[C, T]`` candidates


class Candidates(ABC):
    """Weight vectors over the tasks that the shared part may follow."""

    @abstractmethod
    def weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """``[C, T]``, 0 where a task does not count; a candidate of zeros is left out.

        Args:
            tasks: The gradients of one member.
            own: ``[T]`` weights of its losses, 0 where a task does not count.
        """


@dataclass(frozen=True, kw_only=True)
class Together(Candidates):
    """All tasks at once: the ordinary step."""

    def weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """One candidate: the losses' own weights."""
        return own.unsqueeze(0)


@dataclass(frozen=True, kw_only=True)
class Singles(Candidates):
    """Each task alone, T candidates."""

    def weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """``[T, T]``, a candidate for each task with its weight alone."""
        return own * torch.eye(len(own))


@dataclass(frozen=True, kw_only=True)
class LeaveOneOut(Candidates):
    """All tasks but one, T candidates."""

    def weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """``[T, T]``, a candidate for each task with all weights but its own."""
        return own * (1 - torch.eye(len(own)))


@dataclass(frozen=True, kw_only=True)
class Sets(Candidates):
    """Given sets of tasks, a candidate for each.

    Args:
        sets: Numbers of the tasks in each.
    """

    sets: tuple[tuple[int, ...], ...]

    def weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """``[C, T]``, the weights of the tasks in each set."""
        inside = torch.zeros(len(self.sets), len(own))
        for row, members in enumerate(self.sets):
            if not all(0 <= task < len(own) for task in members):
                raise InputError(f"set {members} names a task beyond the {len(own)} that there are")
            inside[row, list(members)] = 1.0
        return own * inside


@dataclass(frozen=True, kw_only=True)
class Combined(Candidates):
    """What an aggregator makes of all tasks, PCGrad's direction for instance.

    Args:
        by: Its own weighting of the losses is not used; :class:`ITMTL` weighs them.
    """

    by: Aggregated

    def weights(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """One candidate: the aggregator's weights of the tasks."""
        return self.by.shared_weights(tasks, own).unsqueeze(0)


def best_candidate(candidates: Tensor, falls: Tensor, importance: Tensor) -> int:
    """The candidate with the best score; the first among equals.

    Args:
        candidates: ``[C, T]`` weights of the shared part; of zeros where there is nothing to follow.
        falls: ``[C, T]`` relative falls of the losses, 1 − L_j(θ_c) / L_j(θ).
        importance: ``[T]`` of each task in the score; 0 where it does not count.
    """
    score = importance @ torch.where(importance > 0, falls, 0.0).T
    offered = (candidates != 0).any(dim=1) & score.isfinite()
    return int(score.masked_fill(~offered, -torch.inf).argmax())


class Score(ABC):
    """How the candidates of a step are compared, to choose the best."""

    @abstractmethod
    def gradients(
        self, step_gradients: StepGradients, own: Tensor, candidates: Listing, sizes: Tensor
    ) -> Tensors:
        """Gradients like ``state.params`` with the best candidate's for the shared part.

        Args:
            step_gradients: The step.
            own: ``[P, T]`` weights of the losses, 0 where a task does not count.
            candidates: Lists a member's candidates.
            sizes: ``[P]`` lengths η of the lookahead.
        """


@dataclass(frozen=True, kw_only=True)
class FirstOrderScore(Score):
    """Compares candidates to first order: the loss falls by η Σ_t v_ct ⟨g_t, g_j⟩; no forward pass."""

    def gradients(
        self, step_gradients: StepGradients, own: Tensor, candidates: Listing, sizes: Tensor
    ) -> Tensors:
        """The heads' gradients, and the best candidate's direction from inner products."""
        before, importance = _before(step_gradients.step), _importance(step_gradients.step, own)
        directions = []
        for tasks in step_gradients.of_tasks():
            at = tasks.member
            offered = candidates(tasks, own[at])
            falls = sizes[at] * (offered @ tasks.gram) / before[at]
            best = best_candidate(offered, falls, importance[at])
            directions.append(step_gradients.toward(tasks, offered[best]))
        return step_gradients.steered(step_gradients.of_heads(own), directions)


@dataclass(frozen=True, kw_only=True)
class ExactScore(Score):
    """Compares candidates by a forward pass for each, a member's at once; holds all members' gradients."""

    def gradients(
        self, step_gradients: StepGradients, own: Tensor, candidates: Listing, sizes: Tensor
    ) -> Tensors:
        """The heads' gradients, and the best candidate's direction from a look ahead along each."""
        # all that goes back from the training pass comes before the first look ahead
        before, importance = _before(step_gradients.step), _importance(step_gradients.step, own)
        heads = {name: gradient.clone() for name, gradient in step_gradients.of_heads(own).items()}
        kept = list(step_gradients.of_tasks())
        updated = _updated_heads(step_gradients, heads)
        directions = []
        for at, tasks in enumerate(kept):
            offered = candidates(tasks, own[at])
            moves = -sizes[at] * tasks.flat_mix(offered)
            falls = 1 - _losses_after(step_gradients, updated, at, moves) / before[at]
            best = best_candidate(offered, falls, importance[at])
            directions.append(step_gradients.toward(tasks, offered[best]))
        return step_gradients.steered(heads, directions)


@dataclass(frozen=True, kw_only=True)
class ITMTL(Directed):
    """In every step the shared part follows the set of tasks that would help all most.

    Args:
        candidates: Where they come from; the first of equally good ones is taken, so begin with the
            ordinary step.
        score: How candidates are compared: exactly, or to first order.
        step_scale: Length η of the lookahead, in learning rates of the training step.
        weighting: Weighs the losses first; only its weights are used.

    Raises:
        InputError: If there is no candidate, or nowhere to look.

    >>> ITMTL(score=FirstOrderScore()).candidates
    (Together(), Singles(), LeaveOneOut())
    """

    candidates: tuple[Candidates, ...] = (Together(), Singles(), LeaveOneOut())
    score: Score = ExactScore()
    step_scale: float = 1.0

    def __post_init__(self) -> None:
        """Refuse settings that leave no candidate, or nowhere to look."""
        super().__post_init__()
        if not self.candidates:
            raise InputError("candidates is empty: give at least (Together(),)")
        if not 0 < self.step_scale < float("inf"):
            raise InputError(f"step_scale must be positive and finite, got {self.step_scale}")

    def gradients(self, step_gradients: StepGradients) -> Tensors:
        """The heads by their own weights, the shared part by the best candidate's."""
        own = self.weigh(step_gradients.step)
        own = torch.where(step_gradients.step.counted, own, 0.0)
        sizes = self.step_scale * torch.tensor(step_gradients.step.learning_rates)
        return self.score.gradients(step_gradients, own, self._listed, sizes)

    def _listed(self, tasks: TaskGradients, own: Tensor) -> Tensor:
        """``[C, T]`` candidates of a member, from all sources."""
        return torch.cat([part.weights(tasks, own) for part in self.candidates])


def _before(step: TrainingStep) -> Tensor:
    return step.losses.clamp_min(_LEAST)


def _importance(step: TrainingStep, own: Tensor) -> Tensor:
    """``[P, T]`` the members' own weights of the tasks that count."""
    return torch.where(own != 0, step.weights, 0.0)


def _updated_heads(step_gradients: StepGradients, gradients: Tensors) -> Tensors:
    """The heads as the optimizer's step will leave them."""
    state = step_gradients.step.state
    params, momentum, variance = (
        {name: tensor.clone() for name, tensor in tensors.items() if not is_shared(name)}
        for tensors in (state.params, state.momentum, state.variance)
    )
    twin = State(params=params, buffers={}, momentum=momentum, variance=variance, step=state.step)
    step_gradients.step.optimizer.step(
        twin,
        gradients,
        learning_rates=step_gradients.step.learning_rates,
        weight_decays=step_gradients.weight_decays,
        untouched=step_gradients.step.task_losses.untouched(step_gradients.step.batch.present),
    )
    return params


def _losses_after(
    step_gradients: StepGradients, heads: Tensors, member: int, moves: Tensor
) -> Tensor:
    """``[C, T]`` losses of a member's batch with its dropout, after each of ``[C, D]`` moves."""
    step, count = step_gradients.step, len(moves)

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
    batch = step.batch.of(member)
    with torch.no_grad():  # nobody goes back from here
        outputs = step_gradients.executor.forward(there, batch).outputs
    return step.task_losses.means(outputs, batch.targets, batch.shares)

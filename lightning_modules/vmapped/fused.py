"""Train several networks of one shape in lockstep, with their steps computed as one program."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.training.classifier import Classifier
from lightning_modules.training.history import Curve
from lightning_modules.training.micro_batch import free_memory
from lightning_modules.training.recipe import Recipe
from lightning_modules.training.torch_private import has_hooks, is_compiled
from lightning_modules.vmapped.fusible import FASTER_BY, speedup, why_not_fusible
from lightning_modules.vmapped.lockstep import Body, Member, Snapshot, run_in_lockstep
from lightning_modules.vmapped.stack import Stack

EVALUATION, TRAINING = "evaluation", "training"
SLOWER = "it is not faster"


class Fused(Classifier):
    """A classifier whose steps are computed together with those of others, or by itself where that is not possible.

    It has its own weights, optimiser, schedule, data, epochs and checkpoints.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int, member: Member) -> None:
        super().__init__(network, recipe, seed=seed)
        self.member = member
        self.stack: Stack | None = None

    def setup(self, stage: str) -> None:
        super().setup(stage)
        self.stack = None  # Lightning will move the weights to its device, and out of the stack

    def step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        done = None if self.watched else self.member.ask((TRAINING, self, *batch))
        if done is None:
            return super().step(batch)
        loss, outputs, gradients = done
        self._add(loss, outputs, batch[1])
        return _KnownGradients.apply(torch.zeros((), requires_grad=True), loss, partial(self._take, gradients))  # pyright: ignore[reportReturnType]

    def _take(self, gradients: list[Tensor | None]) -> None:
        for weight, gradient in zip(self.network.parameters(), gradients, strict=True):
            weight.grad = gradient

    def forward(self, images: Tensor) -> Tensor:
        logits = None if self.training or self.watched else self.member.ask((EVALUATION, self, images, None))
        return super().forward(images) if logits is None else logits

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Copy the weights: a view would be saved with the tensor it is a view of, which holds all networks."""
        checkpoint["state_dict"] = {name: value.clone() for name, value in checkpoint["state_dict"].items()}

    @property
    def watched(self) -> bool:
        """Whether hooks look inside the network, which they must see alone."""
        return has_hooks(self.network)


class _KnownGradients(torch.autograd.Function):
    """A loss whose gradients were computed earlier: `backward` only copies them to the weights."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, loss: Tensor, take: Callable[[], None]) -> Tensor:
        ctx.take = take
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.take()
        return None, None, None


def fused(learner: Classifier, member: Member, curve: Curve) -> Classifier:
    """Make a `Fused` of a classifier, unless it has micro-batches; its curve then counts its share of the time."""
    curve.clock = member.clock
    if type(learner) is not Classifier:
        return learner
    return Fused(learner.network, learner.recipe, seed=learner.seed, member=member)


def train_in_lockstep(
    bodies: Sequence[Body], *, known: bool, faster: bool, snapshot: Snapshot | None = None
) -> str | None:
    """Train in lockstep; return the reason for a fallback to one by one, or None.

    Args:
        known, faster: as `SharedSteps` has them.
        snapshot: as `run_in_lockstep` has it.

    Raises:
        KeyboardInterrupt: and whatever else ends one of them, after the others have been ended too.
    """
    shared = SharedSteps(known=known, faster=faster)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")  # of a view, in the average pool
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # each training's end resets the filters
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler")
        run_in_lockstep([Member(body) for body in bodies], shared, snapshot)
    return shared.trouble


class SharedSteps:
    """Computes the steps that several `Fused` request; requests of the same kind run as one program.

    Where that fails, because memory runs out or an operation cannot be computed for several networks, each network does
    this step and the rest of its training by itself, one after the other.

    Args:
        known: whether it is known that these networks can be computed together; if not, a test precedes the first step.
        faster: whether that must also be faster; tested likewise.

    Attributes:
        trouble: why nothing is computed together any more.
    """

    def __init__(self, *, known: bool = False, faster: bool = False) -> None:
        self.known, self.faster = known, faster
        self.trouble: str | None = None

    def __call__(self, members: Sequence[Member]) -> None:
        for _, alike in groupby(sorted(members, key=_kind), key=_kind):
            self.answer(list(alike))

    def answer(self, members: Sequence[Member]) -> None:
        begun = time.perf_counter()
        answers = None
        if len(members) > 1 and self.trouble is None:
            requests = [member.request for member in members]
            try:
                self.trouble = None if self.known else why_not(requests, faster=self.faster)
                self.known, begun = True, time.perf_counter()
                answers = None if self.trouble else computed(requests)
            except Exception as error:
                self.trouble = str(error).partition("\n")[0] or type(error).__name__
            if answers is None:
                free_memory()
        share = (time.perf_counter() - begun) / len(members)
        for member, answer in zip(members, answers or [None] * len(members), strict=True):
            member.answer, member.free = answer, self.trouble is not None
            member.seconds += share


def why_not(requests: Sequence[Any], *, faster: bool) -> str | None:
    """Return why the requested steps should not be computed together, or None."""
    first = requests[0][1]
    if str(first.recipe.precision) == "16-mixed":
        return "recipe.precision=16-mixed scales the loss of each network by itself"
    if not all(first.task.same_as(learner.task) for _, learner, *_ in requests):
        return "they standardise their targets differently"
    networks = [learner.network for _, learner, *_ in requests]
    if is_compiled(networks[0]):
        return "trainer.compile compiles each network by itself"
    batches = [(first.ready(images), labels) for *_, images, labels in requests]
    if reason := why_not_fusible(networks, batches, first.loss):
        return reason
    if faster and speedup(networks, batches, first.loss, first.trainer.precision_plugin.forward_context) < FASTER_BY:
        return SLOWER
    return None


def computed(requests: Sequence[Any]) -> list[Any]:
    """Compute the answers to requests of one kind."""
    (kind, first, *_), learners = requests[0], [learner for _, learner, *_ in requests]
    stack = first.stack
    if stack is None or stack.count != len(learners) or any(learner.stack is not stack for learner in learners):
        stack = Stack([learner.network for learner in learners])
        for learner in learners:
            learner.stack = stack
    with first.trainer.precision_plugin.forward_context():
        if kind == TRAINING:
            return stack.step([(first.ready(images), labels) for *_, images, labels in requests], first.loss)
        with torch.no_grad():
            return list(stack.logits([first.ready(images) for *_, images, _ in requests]).unbind())


def _kind(member: Member) -> tuple[Any, ...]:
    """Equal for requests that one program can answer; a network may change between epochs."""
    kind, learner, images, _ = member.request
    return kind, learner.current_epoch, tuple(images.shape)

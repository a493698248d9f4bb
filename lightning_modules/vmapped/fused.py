"""Several networks of one shape, each with a training of its own, whose steps are computed as one program."""

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
from lightning_modules.vmapped.fusible import PAYS, gain, refusal
from lightning_modules.vmapped.lockstep import Body, Member, Own, in_turn
from lightning_modules.vmapped.stack import Stack

EVALUATION, TRAINING = "evaluation", "training"
SLOWER = "it is not faster"


class Fused(Classifier):
    """A classifier that asks for its steps, and gets them computed together with others', or is left to do them itself.

    Its weights, optimiser, schedule, data, epochs and checkpoints are its own.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, *, seed: int, turn: Member) -> None:
        super().__init__(network, recipe, seed=seed)
        self.turn = turn
        self.stack: Stack | None = None

    def setup(self, stage: str) -> None:
        self.stack = None  # Lightning will move the weights to its device, and out of the stack

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        done = None if self.watched else self.turn.ask((TRAINING, self, *batch))
        if done is None:
            return super().training_step(batch, batch_idx)
        loss, logits, gradients = done
        self._add(loss, logits, batch[1])
        return _Known.apply(torch.zeros((), requires_grad=True), loss, partial(self._take, gradients))  # pyright: ignore[reportReturnType]

    def _take(self, gradients: list[Tensor | None]) -> None:
        for weight, gradient in zip(self.network.parameters(), gradients, strict=True):
            weight.grad = gradient

    def forward(self, images: Tensor) -> Tensor:
        logits = None if self.training or self.watched else self.turn.ask((EVALUATION, self, images, None))
        return super().forward(images) if logits is None else logits

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A view is saved with all of what it is a view of: the other networks."""
        checkpoint["state_dict"] = {name: value.clone() for name, value in checkpoint["state_dict"].items()}

    @property
    def watched(self) -> bool:
        """Whether someone looks inside the network, and must see it alone."""
        return has_hooks(self.network)


class _Known(torch.autograd.Function):
    """A loss whose gradients are known already: to go backward is to take them."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, loss: Tensor, take: Callable[[], None]) -> Tensor:
        ctx.take = take
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> tuple[None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.take()
        return None, None, None


def fused(learner: Classifier, turn: Member, curve: Curve) -> Classifier:
    """The same, asking for its steps, its curve with its share of the time; as it is, if it takes parts of batches."""
    curve.clock = turn.clock
    if type(learner) is not Classifier:
        return learner
    return Fused(learner.network, learner.recipe, seed=learner.seed, turn=turn)


def at_once(bodies: Sequence[Body], *, known: bool, faster: bool, own: Own | None = None) -> str | None:
    """Run trainings, each of which is given a turn; why they were done one by one, if they were, else None.

    Args:
        known, faster: as `Together` has them.
        own: as `in_turn` has it.

    Raises:
        KeyboardInterrupt: and whatever else ends one of them, after the others have been ended too.
    """
    together = Together(known=known, faster=faster)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")  # of a view, in the average pool
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # each turn's end forgets what the others filter
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler")
        in_turn([Member(body) for body in bodies], together, own)
    return together.trouble


class Together:
    """Answers the requests of several `Fused`: those for the same are computed at once.

    Where that fails, for want of memory or because an operation cannot be done for several networks at once, all are
    left to do the step and the rest of their training themselves, one after the other.

    Args:
        known: that these networks can be computed at once; otherwise it is tried before the first step.
        faster: whether that must also be faster; tried likewise.

    Attributes:
        trouble: why nothing is computed together any more.
    """

    def __init__(self, *, known: bool = False, faster: bool = False) -> None:
        self.known, self.faster = known, faster
        self.trouble: str | None = None

    def __call__(self, turns: Sequence[Member]) -> None:
        for _, alike in groupby(sorted(turns, key=_kind), key=_kind):
            self.answer(list(alike))

    def answer(self, turns: Sequence[Member]) -> None:
        begun = time.perf_counter()
        answers = None
        if len(turns) > 1 and self.trouble is None:
            requests = [turn.request for turn in turns]
            try:
                self.trouble = None if self.known else unfit(requests, faster=self.faster)
                self.known, begun = True, time.perf_counter()
                answers = None if self.trouble else computed(requests)
            except Exception as error:
                self.trouble = str(error).partition("\n")[0] or type(error).__name__
            if answers is None:
                free_memory()
        share = (time.perf_counter() - begun) / len(turns)
        for turn, answer in zip(turns, answers or [None] * len(turns), strict=True):
            turn.answer, turn.free = answer, self.trouble is not None
            turn.seconds += share


def unfit(requests: Sequence[Any], *, faster: bool) -> str | None:
    """Why the steps that are asked for should not be computed at once."""
    first = requests[0][1]
    if str(first.recipe.precision) == "16-mixed":
        return "recipe.precision=16-mixed scales the loss of each network by itself"
    networks = [learner.network for _, learner, *_ in requests]
    if is_compiled(networks[0]):
        return "trainer.compile compiles each network by itself"
    batches = [(first.ready(images), labels) for *_, images, labels in requests]
    if reason := refusal(networks, batches, first.loss):
        return reason
    if faster and gain(networks, batches, first.loss, first.trainer.precision_plugin.forward_context) < PAYS:
        return SLOWER
    return None


def computed(requests: Sequence[Any]) -> list[Any]:
    """The answers to requests of one kind."""
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


def _kind(turn: Member) -> tuple[Any, ...]:
    """Those who ask for the same; in different epochs a network may be another."""
    kind, learner, images, _ = turn.request
    return kind, learner.current_epoch, tuple(images.shape)

"""Describe how a network is trained: everything that changes its numbers, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Any

from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lightning_modules.networks.growth import init_from_shallow
from lightning_modules.tasks.classification import Classification
from lightning_modules.tasks.losses import cross_entropy
from lightning_modules.tasks.task import Task
from lightning_modules.training.parameter_groups import KINDS, parameter_groups
from lightning_modules.training.schedules import with_total_steps

PRECISIONS = ("32", "tf32", "bf16-mixed", "16-mixed", "64-true")
MEANT = {
    **dict.fromkeys(("float32", "fp32", "32-true"), "32"),
    **dict.fromkeys(("bf16", "bfloat16", "bf16-true"), "bf16-mixed"),
    **dict.fromkeys(("16", "16-true", "float16", "fp16"), "16-mixed"),
    **dict.fromkeys(("64", "float64", "fp64", "double"), "64-true"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training recipe.

    Attributes:
        optimizer: factory `optimizer(parameters)`.
        schedule: factory `schedule(optimizer)` or `schedule(optimizer, total_steps=…)`, stepped once a batch.
        augment: what `ImageData` does to a batch of images.
        task: what is learnt; null: a classification by cross-entropy.
        lr: peak learning rate; `optimizer` takes it from here.
        weight_decay: L2 penalty; `optimizer` takes it from here.
        no_decay: kinds of parameters without weight decay, of "norm" and "bias".
        layer_decay: the factor between the learning rates of a block and the next, or null: all learn at `lr`.
        epochs, steps: how long; exactly one is given, the other null.
        clip_norm: largest norm of the whole gradient, or null.
        precision: "32" (float32 on every device), "tf32" (the factors of products rounded to 10 bits, on a GPU),
            "bf16-mixed", "16-mixed" or "64-true".
        channels_last: memory format of images and weights.
        grow_from, grow_at: the depth with which the training begins, and the number of epochs after which the blocks
            that are missing are put in; null where it is trained as it is.
        lesions: whether the trained network is validated again with each of its blocks removed.
    """

    optimizer: Callable[..., Any]
    schedule: Callable[..., Any]
    augment: Any
    lr: float
    weight_decay: float
    batch_size: int
    epochs: int | None = None
    steps: int | None = None
    clip_norm: float | None = None
    no_decay: Sequence[str] = ()
    layer_decay: float | None = None
    label_smoothing: float = 0.0
    task: Task | None = None
    precision: str | int = "32"
    channels_last: bool = True
    grow_from: int | None = None
    grow_at: int | None = None
    lesions: bool = False

    def __post_init__(self) -> None:
        _number("lr", self.lr, above=0)
        _number("weight_decay", self.weight_decay, least=0)
        _number("label_smoothing", self.label_smoothing, least=0, below=1)
        if self.label_smoothing and "label_smoothing" not in getattr(self.learnt.criterion, "keywords", {}):
            raise ValueError(f"recipe.label_smoothing={self.label_smoothing} is for loss=cross_entropy alone")
        _whole("batch_size", self.batch_size)
        for kind in [self.no_decay] if isinstance(self.no_decay, str) else self.no_decay:
            if kind not in KINDS or isinstance(self.no_decay, str):
                raise ValueError(f"recipe.no_decay={kind} is no list of {' and '.join(KINDS)}: write [norm,bias]")
        if self.layer_decay is not None:
            _number("layer_decay", self.layer_decay, above=0, most=1)
        if (self.epochs is None) == (self.steps is None):
            raise ValueError("a recipe has either recipe.epochs or recipe.steps; set one and the other to null")
        name = "epochs" if self.steps is None else "steps"
        _whole(name, getattr(self, name))
        if self.clip_norm is not None:
            _number("clip_norm", self.clip_norm, above=0)
        if str(self.precision) not in PRECISIONS:
            raise ValueError(
                f"recipe.precision={self.precision} is none of {', '.join(PRECISIONS)}{_meant(self.precision)}"
            )
        if (self.grow_from is None) != (self.grow_at is None):
            raise ValueError("recipe.grow_from (a depth) and recipe.grow_at (epochs) go together; set both, or none")
        if self.grow_at is not None:
            _whole("grow_from", self.grow_from)
            _whole("grow_at", self.grow_at)
            if self.epochs is not None and self.grow_at >= self.epochs:
                raise ValueError(f"recipe.grow_at={self.grow_at} must be less than recipe.epochs={self.epochs}")

    @cached_property
    def learnt(self) -> Task:
        """The task, where none is given a classification by cross-entropy."""
        return self.task or Classification(loss=partial(cross_entropy, label_smoothing=self.label_smoothing))

    def groups(self, network: nn.Module) -> Iterable[Any]:
        """Return the parameters of a network as the optimiser takes them, see `parameter_groups`."""
        return parameter_groups(network, lr=self.lr, no_decay=self.no_decay, layer_decay=self.layer_decay)

    def total_steps(self, batches: int) -> int:
        """Optimiser steps of the whole training, with `batches` batches an epoch."""
        return self.steps if self.steps is not None else (self.epochs or 0) * batches

    def begin(self, network: nn.Module, shallow: Callable[[int], nn.Module], shape: tuple[int, ...]) -> None:
        """For `grow_from`: copy the weights of `shallow(grow_from)` into this network; `shape` is that of an image.

        Raises:
            ValueError: there is no such depth, or the network cannot grow from it.
        """
        if self.grow_from is None:
            return
        try:
            init_from_shallow(network, shallow(self.grow_from), shape)
        except ValueError as error:
            raise ValueError(f"recipe.grow_from={self.grow_from}: {error}") from error

    def optimization(self, parameters: Iterable[Any], total_steps: int) -> tuple[Any, Any]:
        """Build the optimiser and its schedule; pass `total_steps` if the schedule has that parameter.

        Raises:
            ValueError: one of them cannot be made, or the schedule waits for a metric, and a step has none.
        """
        try:
            optimizer = self.optimizer(parameters)
            schedule = with_total_steps(self.schedule, total_steps)(optimizer)
        except TypeError as error:
            raise ValueError(f"recipe: {error}") from error
        if isinstance(schedule, ReduceLROnPlateau):
            raise ValueError("schedule=ReduceLROnPlateau waits for a metric: choose one that only counts steps")
        return optimizer, schedule


def _meant(precision: Any) -> str:
    """`: did you mean …?`, or nothing where no precision is near."""
    word = str(precision).lower()
    near = MEANT.get(word) or next(iter(get_close_matches(word, PRECISIONS, 1)), None)
    return f": did you mean {near}?" if near else ""


def _number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"recipe.{name}={value} is not a number")
    words = [f"> {above}" if above is not None else f"≥ {least}"]
    words += [f"< {below}"] * (below is not None) + [f"≤ {most}"] * (most is not None)
    low = value > above if above is not None else value >= (least or 0)
    if not low or (below is not None and value >= below) or (most is not None and value > most):
        raise ValueError(f"recipe.{name}={value} must be {' and '.join(words)}")


def _whole(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"recipe.{name}={value} must be a whole number ≥ 1")

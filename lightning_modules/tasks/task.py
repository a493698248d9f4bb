"""Define what is learnt: the loss that training minimises, the metrics that are reported, the form of the targets."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]
SIDES = ("higher", "lower", "none")
THEN: dict[str | None, Callable[[float], float]] = {None: float, "exp": math.exp, "sqrt": math.sqrt}
PERCENT = "percent"


class Metric:
    """A number of an epoch, computed from a network's outputs and the targets.

    Args:
        function: `function(outputs, targets)` gives a tensor of values, whose mean over all examples is reported; with
            `whole` it is called once, with all outputs and targets of an evaluation, and gives the number itself.
        better: higher, lower or none.
        unit: "percent" where the function gives a fraction; or any other text, for tables.
        then: "exp" or "sqrt": what is done to the mean.
        low, high: between which it lies, where it does; claims use them.

    Raises:
        ValueError: `better` or `then` is another word.
    """

    def __init__(
        self,
        function: Loss,
        *,
        better: str,
        unit: str = "",
        then: str | None = None,
        whole: bool = False,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        if better not in SIDES:
            raise ValueError(f"metric: better={better} is none of {', '.join(SIDES)}")
        if then not in THEN:
            raise ValueError(f"metric: then={then} is neither exp nor sqrt")
        self.function, self.better, self.unit, self.then, self.whole = function, better, unit, then, whole
        self.low, self.high = low, high

    def of(self, total: float, count: float) -> float:
        """The number for `count` values that sum to `total`; infinite where it is too large for a float."""
        try:
            return THEN[self.then]((100 * total if self.unit == PERCENT else total) / count)
        except OverflowError:
            return math.inf


class Task(ABC):
    """What a network learns from pairs of inputs and targets.

    Args:
        loss: `loss(outputs, targets)`, the mean over a batch; what training minimises.
        metrics: the task's own, by name.
        judged: the name of the metric by which cells, trials and checkpoints are chosen, on the validation set.
        further: metrics that the user adds.

    Raises:
        ValueError: `judged` is none of the metrics, or a name is taken.
    """

    def __init__(
        self, *, loss: Loss, metrics: Mapping[str, Metric], judged: str, further: Mapping[str, Metric] | None = None
    ) -> None:
        if twice := {"loss", *metrics} & set(further or {}):
            raise ValueError(f"metric: the task has a {min(twice)} already; give yours another name")
        self.criterion = loss
        self.metrics = {**metrics, **(further or {})}
        if judged not in self.metrics:
            raise ValueError(f"task.judged={judged} is none of its metrics: {', '.join(self.metrics)}")
        if self.metrics[judged].better == "none":
            raise ValueError(f"task.judged={judged}: neither side of it is better, so nothing can be chosen by it")
        self.judged = judged
        self.means = {name: metric for name, metric in self.metrics.items() if not metric.whole}
        self.wholes = {name: metric for name, metric in self.metrics.items() if metric.whole}

    @property
    def worse(self) -> int:
        """+1 if larger values of the judged metric are worse, −1 if smaller ones are."""
        return -1 if self.metrics[self.judged].better == "higher" else 1

    @abstractmethod
    def check(self, targets: np.ndarray, outputs: int) -> None:
        """Raise ValueError unless these are targets (N, …) of this task for a network with so many outputs."""

    def begin(self, targets: Callable[[], np.ndarray]) -> None:  # noqa: B027 most tasks need nothing
        """Prepare for training and evaluation; `targets()` gives those that are trained on. By default do nothing."""

    def state(self) -> dict[str, list[float]]:
        """What `begin` has prepared, as lists of numbers: kept with the weights for `predicted`. By default nothing."""
        return {}

    def restore(self, state: Mapping[str, list[float]]) -> None:  # noqa: B027 most tasks need nothing
        """Take over what `state` returned. By default do nothing."""

    def predicted(self, outputs: Tensor) -> Tensor:
        """What a trained network's outputs mean, in the units of the data: by default the outputs themselves."""
        return outputs

    def same_as(self, other: Task) -> bool:
        """Whether the loss of another run's task is the same function, so that one program may compute both."""
        return type(self) is type(other)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What training minimises."""
        return self.criterion(outputs, targets)

    def evaluation_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss that is reported of the validation and the test set: by default the same."""
        return self.loss(outputs, targets)

    def compared(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs and targets that metrics compare: by default as they are."""
        return outputs, targets

    def soft(self, targets: Tensor, outputs: int) -> Tensor:
        """Targets as numbers that can be averaged, for augmentations that mix images: by default as they are."""
        return targets

    def count(self, targets: Tensor) -> int:
        """How many examples a batch has, for the mean of its loss: by default its length."""
        return len(targets)

    def sums(self, loss: Tensor, outputs: Tensor, targets: Tensor) -> tuple[Tensor, list[int]]:
        """Sum the loss and each of `means` over a batch; return (1 + metrics,) and the number of summands of each."""
        pair = self.compared(outputs, targets)
        values = [metric.function(*pair) for metric in self.means.values()]
        count = self.count(targets)
        sums = torch.stack([loss.float() * count, *(value.sum().float() for value in values)])
        return sums, [count, *(value.numel() for value in values)]

    def named(self, sums: list[float], counts: list[float]) -> dict[str, float]:
        """`{"loss": …, "error": …}` from the sums of an epoch."""
        found = {"loss": sums[0] / counts[0]}
        for k, (name, metric) in enumerate(self.means.items(), start=1):
            found[name] = metric.of(sums[k], counts[k])
        return found

    def of_all(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Each of `wholes`, from all outputs and targets of an evaluation."""
        pair = self.compared(outputs, targets)
        return {name: metric.of(metric.function(*pair).item(), 1) for name, metric in self.wholes.items()}


def refuse_targets(task: str, wanted: str, targets: np.ndarray, hint: str = "") -> None:
    """Raise ValueError with what a task wants and what the data has."""
    shape = " × ".join(map(str, targets.shape))
    raise ValueError(f"task={task} wants {wanted}; the data has {targets.dtype} of {shape}{hint and f': {hint}'}")


def refuse_one(task: str, what: str, outputs: int) -> None:
    """Raise ValueError where there is one class or token, which a network knows without training."""
    if outputs < 2:
        raise ValueError(f"task={task}: the data has one {what} alone, and nothing to learn: it needs two or more")

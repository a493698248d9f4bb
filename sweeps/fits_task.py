"""Check that a loss, metrics and a network of one's own fit the task and the data, before anything is trained."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sweeps.cli.errors import with_tensor
from sweeps.instantiate import Node, instantiate, once_a_node

OURS = "lightning_modules."
KINDS = {1: "vectors", 2: "series"}  # by the number of axes of an input


def check_targets(task: Any, images: Any, outputs: int) -> None:
    """Raise ValueError where the targets of the data are not for a task."""
    targets = images.train_labels
    try:
        task.check(targets, outputs)
    except ValueError as error:
        if not images.tokens or type(task).__name__ == "NextToken" or targets.shape != images.train_images.shape:
            raise
        raise ValueError(f"{error}, the next token of each by task=next_token") from error


def try_task(task: Any, targets: Any, outputs: int) -> None:
    """Call the loss and the metrics of a task on some targets and outputs of zeros; of a task of one's own do nothing.

    Raises:
        ValueError: one of them raises, the loss is no number to minimise, or a metric gives no value an example.
    """
    import torch

    if not type(task).__module__.startswith(OURS):
        return  # what its network gives is unknown
    tokens = type(task).__name__ == "NextToken"
    true = torch.from_numpy(targets[:, :3].copy() if tokens else targets.copy())
    made = torch.zeros(*(true.shape if tokens else (len(true),)), outputs)
    with failing("loss", _weights(task.criterion, outputs)):
        loss = task.loss(made.requires_grad_(), true)
    if loss.ndim or not loss.requires_grad:
        raise ValueError("loss: its function gives no mean over the batch that depends on the outputs")
    if isinstance(task.criterion, torch.nn.Module) and any(True for _ in task.criterion.parameters()):
        raise ValueError("loss: it has parameters of its own, which no optimiser of a network trains: fix them")
    if type(task).__name__ == "Classification" and "ece" in task.metrics:
        raise ValueError("metric: a classification has an ece already; give yours another name")
    pair = task.compared(made.detach(), true)
    for name, metric in task.metrics.items():
        with failing(f"metric {name}"):
            found = metric.function(*pair)
        if not isinstance(found, torch.Tensor) or (found.ndim == 0) != metric.whole:
            wanted = "one number, as a tensor, since whole is true" if metric.whole else "a value an example"
            raise ValueError(f"metric {name} gives {found!r} for {len(true)} examples: it should give {wanted}")


@contextmanager
def failing(what: str, known: str = "") -> Iterator[None]:
    """Raise ValueError that names a loss or a metric for whatever it raises.

    Args:
        known: what is wrong with it, where that is known.
    """
    try:
        yield
    except Exception as error:
        said = f"{what} does not take the outputs and targets of this task: {with_tensor(str(error))}"
        raise ValueError(known or said) from error


def _weights(loss: Any, outputs: int) -> str:
    """Say that a loss has weights for another number of classes than there are; nothing where it has not."""
    weight: Any = getattr(loss, "keywords", {}).get("weight", getattr(loss, "weight", None))
    wrong = hasattr(weight, "__len__") and len(weight) != outputs
    return (
        f"loss.weight has {len(weight)} numbers, and there are {outputs} classes: give each a weight" if wrong else ""
    )


@once_a_node
def check_outputs(network: Node, shape: tuple[int, ...], outputs: int, task: str, *, tokens: bool) -> None:
    """Check that a network of one's own can learn one of the tasks that are included; leave other tasks alone.

    Raises:
        ValueError: it has nothing to train, or what it gives is no tensor of `outputs` numbers an example.
    """
    from torch import Tensor

    from lightning_modules.networks.counting import measure, multiply_adds, parameters

    flat = (2, outputs)
    wanted = {"Classification": flat, "Regression": flat, "Multilabel": flat, "NextToken": (2, *shape, outputs)}
    if task not in wanted:
        return
    name = network["_target_"].rpartition(".")[2]

    def given(made: Any, device: str) -> Any:
        if not parameters(made):
            raise ValueError(f"{name} has no parameters that are trained")
        found: list[Any] = []
        take_real_inputs(made, device)
        made.register_forward_hook(lambda module, inputs, output: found.append(output))
        multiply_adds(made, shape, device, tokens=tokens)
        return found[-1]

    found = measure(lambda: instantiate(network), given)
    if not isinstance(found, Tensor):
        raise ValueError(f"{name} returns a {type(found).__name__}: let its forward return the outputs alone, a tensor")
    if found.is_complex():
        raise ValueError(f"{name} gives complex outputs, and a loss wants real ones: return their abs() or .real")
    same = found.numel() == 2 * outputs if task == "Regression" else tuple(found.shape) == wanted[task]
    if not same:
        shapes = " × ".join(["N", *map(str, found.shape[1:])]), " × ".join(["N", *map(str, wanted[task][1:])])
        raise ValueError(f"{name} gives outputs of {shapes[0]}, and the task and its data want {shapes[1]}")


def unfit(network: Node, shape: tuple[int, ...], *, tokens: bool) -> ValueError:
    """Return the error that a network does not take inputs of another kind than images."""
    name = str(network.get("_target_", "this network")).rpartition(".")[2]
    if tokens:
        says = f"{name} does not take tokens, and the data has {shape[0]} an example: choose a network that embeds them"
        return ValueError(f"{says}, as network=transformer with task=next_token")
    kind, by = KINDS[len(shape)], " × ".join(map(str, shape))
    return ValueError(f"{name} takes images, and the data has {kind} of {by}: choose network=dense")


@once_a_node
def warn_of_scaled_input(block: Node) -> None:
    """Warn where a block scales what its body sees, and the body makes the same of it, since a norm comes first."""
    import torch

    from lightning_modules.networks.handing_over import alone
    from lightning_modules.networks.stages import trait

    factory = instantiate(block)
    if not trait(factory, "begins_with_norm", False):
        return
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            made, x = factory(64, 64, 1).eval(), torch.randn(2, 64, 4, 1)
            if hasattr(made, "set_position"):
                made.set_position(3, 4)
            seen: list[Any] = []
            made.body.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
            alone(made, x)
            scaled = (seen[0] * x).sum() / x.square().sum() * x
            same = torch.allclose(made.body(seen[0]), made.body(x), rtol=1e-3, atol=1e-4)
        except Exception:  # whatever the block's code raises: to build the network says why
            return
    if same and torch.allclose(seen[0], scaled, rtol=1e-4) and not torch.allclose(seen[0], x, rtol=1e-4):
        name, body = type(made).__name__, type(made.body).__name__
        says = (
            "%s scales what %s sees, which the norm that this body begins with undoes: scale what self.body.norm gives"
        )
        logging.getLogger(__name__).warning(says, name, body)


def has_complex_weights(network: Any) -> bool:
    return any(weight.is_complex() for weight in network.parameters())


def take_real_inputs(network: Any, device: str) -> None:
    """Let a network with complex weights see real inputs, as the data is, although they are made like its weights.

    Raises:
        TypeError: on the meta device, which takes real numbers and complex ones together, and others do not.
    """
    if has_complex_weights(network):
        if device == "meta":
            raise TypeError("complex weights are tried on the CPU")
        network.register_forward_pre_hook(lambda module, inputs: tuple(one.real for one in inputs))

"""Name the block in which a network fails when it is tried: it raises, or returns another shape than asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sweeps.cli.errors import WHERE
from sweeps.instantiate import Node, instantiate

LAWS = "the laws of a block are tests that show such things: lightning_modules.networks.testing.BlockContract"
Sizes = tuple[int, int, int]  # c_in, c_out, stride


class Remembering(partial[Any]):
    """A block's factory that remembers what it made, and of which sizes."""

    made: list[tuple[Any, Sizes]]

    def __call__(self, c_in: int, c_out: int, stride: int, **parts: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        block = super().__call__(c_in, c_out, stride, **parts)
        self.made.append((block, (c_in, c_out, stride)))
        return block


class WrongShapeError(Exception):
    """A block returned another shape than it was asked for."""


def failing_block(network: Node, tried: Callable[[Any], object]) -> str | None:
    """Build a network that fails again, and try it; return what its first wrong block does, None where none is wrong.

    Args:
        tried: calls the network.
    """
    within: list[str] = []
    try:
        build = instantiate({**network, "_partial_": True})
        factory = Remembering(build.keywords["block"])
        factory.made = []
        made = build(block=factory)
        for number, (block, sizes) in enumerate(factory.made, start=1):
            kind, (c_in, c_out, stride) = type(block).__name__, sizes
            watch(block, sizes, f"block {number} ({kind}, {c_in} to {c_out} channels, stride {stride})", within)
        tried(made)
    except WrongShapeError as error:
        return f"{error}; {LAWS}"
    except Exception as error:  # whatever the network's code raises
        says = f"{type(error).__name__}: {error}".splitlines()[0]
        return f"{within[-1]} fails: {says}{WHERE}; {LAWS}" if within else None
    return None


def watch(block: Any, sizes: Sizes, name: str, within: list[str]) -> None:
    """Let `within` end with the block's name while it runs, and raise WrongShapeError for another shape than its own.

    Inputs that are not (B, c_in, …), nor with streams (B, n, c_in, …), are of a network with an order of its own.
    """
    from lightning_modules.networks.handing_over import asked_by

    c_in, c_out, stride = sizes
    axes = ["B", "n", "c"] if asked_by(block) == "streams" else ["B", "c"]

    def leave(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        within.pop()
        given = tuple(inputs[0].shape) if inputs else ()
        if given[len(axes) - 1 : len(axes)] != (c_in,):
            return
        right = (*given[: len(axes) - 1], c_out, *(-(-side // stride) for side in given[len(axes) :]))
        found = tuple(output.shape) if hasattr(output, "shape") else f"a {type(output).__name__}"
        if found != right:
            letters = ", ".join([*axes, *"HW"[: len(given) - len(axes)]])
            raise WrongShapeError(f"{name} returns {found}, and ({letters}) = {right} is right")

    block.register_forward_pre_hook(lambda module, inputs: within.append(name))
    block.register_forward_hook(leave)

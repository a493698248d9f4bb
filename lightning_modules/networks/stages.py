"""Read a block's factory, and stack blocks into stages: what all families share."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

from torch import nn

from lightning_modules.networks.layers import BlockFactory


def trait(block: Any, name: str, default: Any) -> Any:
    """What a block's class says about itself (`layers`, `expansion`, `vectors`), or else its body's class.

    Both may be wrapped in `functools.partial`. A block of another package that says nothing gets the default.
    """
    while block is not None:
        kind, keywords = (block.func, block.keywords) if isinstance(block, partial) else (block, {})
        if hasattr(kind, name):
            return getattr(kind, name)
        block = keywords.get("body")
    return default


def layers(block: BlockFactory) -> int:
    """How many weight layers a block adds to the depth: 2 if it does not say."""
    return trait(block, "layers", 2)


def require_images(block: BlockFactory) -> None:
    """Raise ValueError if the block takes vectors."""
    if trait(block, "vectors", False):
        raise ValueError("body=dense takes vectors, and this network passes images: use body=basic, or network=dense")


def require_vectors(block: BlockFactory) -> None:
    """Raise ValueError if the block takes images."""
    if not trait(block, "vectors", False):
        raise ValueError("network=dense needs body=dense: it passes vectors, and this block takes images")


def channels(base: int, width: float, block: BlockFactory | None = None) -> int:
    """`base` channels times the width (rounded, at least one) times the block's expansion.

    Raises ValueError unless there is a channel and the width is positive.
    """
    if base < 1:
        raise ValueError(f"{base} is no number of channels, as network.units, widths and growth are; the smallest is 1")
    if not width > 0:
        raise ValueError(f"width={width} must be > 0; 1 is the family's own")
    return max(1, round(base * width)) * trait(block, "expansion", 1)


def blocks_for(depth: int, per_block: int, extra: int) -> int:
    """The n ≥ 1 of depth = per_block · n + extra.   Raises ValueError naming the nearest depths if there is none."""
    n, rest = divmod(depth - extra, per_block)
    if n >= 1 and rest == 0:
        return n
    near = [per_block * k + extra for k in (n, n + 1) if k >= 1] or [per_block + extra]
    nearest = f"the nearest are {near[0]} and {near[1]}" if len(near) == 2 else f"the smallest is {near[0]}"
    raise ValueError(f"depth={depth} is not {per_block}n+{extra}; {nearest}")


def require_depth(depth: int, depths: Collection[int]) -> None:
    """Raise ValueError naming the nearest of `depths` if `depth` is none of them."""
    if depth not in depths:
        *most, last = map(str, sorted(depths))
        nearest = min(depths, key=lambda d: abs(d - depth))
        raise ValueError(f"depth={depth} is not {', '.join(most)} or {last}; the nearest is {nearest}")


def stage(block: BlockFactory, count: int, c_in: int, c_out: int, stride: int) -> nn.Sequential:
    """`count` blocks; the first changes the size."""
    return nn.Sequential(block(c_in, c_out, stride), *(block(c_out, c_out, 1) for _ in range(count - 1)))


def place(stages: Iterable[nn.Module], *, before: int = 0) -> None:
    """Call `set_position(index, count)` of each block that has it: `set_position(1, L)`, …

    `before` blocks are counted in front of the first.
    """
    blocks: list[Any] = [block for stage in stages for block in stage.children()]
    for index, block in enumerate(blocks, start=1 + before):
        if hasattr(block, "set_position"):
            block.set_position(index, len(blocks) + before)

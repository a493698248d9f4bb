"""Hand a block more than its input, where its `forward` asks: the history, or several streams."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from inspect import signature
from typing import Any, Literal, cast

from torch import Tensor, nn

from lightning_modules.networks.layers import BlockFactory

Asked = Literal["history", "streams"]


def asked_by(block: BlockFactory | nn.Module) -> Asked | None:
    """What the `forward` of a block or of its factory names beside its input.

    `forward(x, history=())`: the outputs before x, oldest first, all shaped like x. A block that changes the size is
    handed those in front of it, and they end with it, unless it says what becomes of them, `carried(earlier)`.
    `forward(streams)`: n versions of the input, (B, n, c, H, W) → (B, n, c', H', W'); the block says n, `streams`, and
    how one is made of them at the end of a network, `merged`.
    """
    kind: Any = block
    while isinstance(kind, partial):
        kind = kind.func
    if isinstance(kind, nn.Module):
        kind = type(kind)
    names = signature(kind.forward).parameters if isinstance(kind, type) and issubclass(kind, nn.Module) else ()
    return next((asked for asked in ("history", "streams") if asked in names), None)


def one_after_another(stages: Iterable[nn.Sequential]) -> nn.Sequential:
    """Stages of blocks as one module, which hands its blocks what they ask for."""
    stages = list(stages)
    match asked_by(stages[0][0]):
        case "history":
            return WithHistory(*stages)
        case "streams":
            return WithStreams(*stages)
        case None:
            return nn.Sequential(*stages)


def require_input_alone(block: BlockFactory, where: str) -> None:
    """Raise ValueError if the block asks for more than its input; `where` is what cannot hand it over."""
    if asked := asked_by(block):
        raise ValueError(f"{where} hands a block its input alone, and this one asks for {asked}: use block=residual")


class WithHistory(nn.Sequential):
    """Stages whose blocks are handed the outputs before their input, too, if these have its size."""

    def forward(self, input: Tensor) -> Tensor:
        x, history = input, ()
        *blocks, last = _blocks(self)
        for block in blocks:
            y = block(x, history)
            x, history = y, _carried(block, (*history, x), y)
        return last(x, history)


class WithStreams(nn.Sequential):
    """Stages whose blocks pass several streams: copies of the input at first, merged by the last block."""

    def forward(self, input: Tensor) -> Tensor:
        blocks = _blocks(self)
        streams = copied(input, blocks[0])
        for block in blocks:
            streams = block(streams)
        return cast(Any, blocks[-1]).merged(streams)


def copied(x: Tensor, block: nn.Module) -> Tensor:
    """(B, …) → (B, n, …), n the block's `streams`."""
    return x.unsqueeze(1).expand(-1, cast(int, block.streams), *x.shape[1:])


def alone(block: nn.Module, x: Tensor) -> Tensor:
    """What a block makes of x that is the only one of its network."""
    if asked_by(block) != "streams":
        return block(x)
    return cast(Any, block).merged(block(copied(x, block)))


def _carried(block: nn.Module, earlier: tuple[Tensor, ...], y: Tensor) -> tuple[Tensor, ...]:
    """What the block after `block` has for a history."""
    if hasattr(block, "carried"):
        return cast(Any, block).carried(earlier)
    return earlier if y.shape == earlier[-1].shape else ()


def _blocks(stages: nn.Sequential) -> list[nn.Module]:
    return [block for stage in stages for block in cast(nn.Sequential, stage)]

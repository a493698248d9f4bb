"""How large a network is: its parameters and its multiply-adds, which is what the papers call FLOPs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """`build()` without memory or arithmetic, to count with."""
    with torch.device("meta"):
        return build()


def parameters(network: nn.Module) -> int:
    """The number of trainable values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def multiply_adds(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-adds of the convolutions and linear layers in one forward pass of one image of `shape` (C, H, W).

    Nothing is computed, and the network is left as it was: it runs on the meta device, with stand-ins for its
    parameters and buffers. The batch has two images, since no norm over a batch takes a single one.
    """
    stand_ins = {name: t.detach().to("meta") for name, t in (*network.named_parameters(), *network.named_buffers())}
    dtype = next((t.dtype for t in network.parameters()), torch.float32)
    images = torch.empty(2, *shape, dtype=dtype, device="meta")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, WithoutBatchNorm():
        functional_call(network, stand_ins, (images,))
    return counter.get_total_flops() // 4


class WithoutBatchNorm(TorchFunctionMode):
    """Leaves batch norms out, which have none to count: torch does them in Python there, slower than all the rest."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        return args[0] if func is F.batch_norm else func(*args, **(kwargs or {}))

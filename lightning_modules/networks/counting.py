"""How large a network is: its parameters and its multiply-adds, which is what the papers call FLOPs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.func import functional_call
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
    parameters and buffers. The batch has two images, since batch norm in training mode takes no single one.
    """
    stand_ins = {name: t.detach().to("meta") for name, t in (*network.named_parameters(), *network.named_buffers())}
    dtype = next((t.dtype for t in network.parameters()), torch.float32)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        functional_call(network, stand_ins, (torch.empty(2, *shape, dtype=dtype, device="meta"),))
    return counter.get_total_flops() // 4

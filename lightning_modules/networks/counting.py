"""Count the parameters of a network, and its multiply-adds, which the papers call FLOPs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

T = TypeVar("T")


def measure(build: Callable[[], nn.Module], measured: Callable[[nn.Module, str], T]) -> T:
    """Call `measured(network, device)` with the network that `build` makes on the meta device, or else on the CPU.

    A network that looks at values (`.item()`, an `if` on a tensor) cannot run on the meta device, which has none. Its
    weights on the CPU are random, and the random state is left as it was.
    """
    try:
        return measured(on_meta(build), "meta")
    except Exception:  # whatever the network's code raises; if it cannot run at all, it raises again
        with torch.random.fork_rng(devices=[]):
            return measured(build(), "cpu")


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network on the meta device, which takes no memory and computes nothing."""
    with torch.device("meta"):
        return build()


def parameters(network: nn.Module) -> int:
    """The number of trainable values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def multiply_adds(network: nn.Module, shape: tuple[int, ...], device: str = "meta", *, tokens: bool = False) -> int:
    """Count the multiply-adds of convolutions, linear layers and attention in the forward pass of one input of `shape`.

    The network is left as it was: it runs with copies of its parameters and buffers on `device`. On the meta device
    nothing is computed. The batch has two images, because no norm over a batch takes a single one. Attention runs as
    two products, since torch does not count the fused one of the CPU.
    """
    copies = {
        name: t.detach().to(device, copy=True) for name, t in (*network.named_parameters(), *network.named_buffers())
    }
    dtype = next((t.dtype for t in network.parameters()), torch.float32)
    images = torch.zeros(2, *shape, dtype=torch.int64 if tokens else dtype, device=device)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter, WithoutBatchNorm():
        functional_call(network, copies, (images,))
    return counter.get_total_flops() // 4


class WithoutBatchNorm(TorchFunctionMode):
    """Skips batch norms, which have no multiply-adds: on the meta device torch computes them in Python, slowly."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        return args[0] if func is F.batch_norm else func(*args, **(kwargs or {}))

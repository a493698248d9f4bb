"""What torch itself does slowly, or in another precision, of several networks at once under `vmap`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)


class Merging(TorchFunctionMode):
    """Inside, a batch norm is one of all channels, where torch would take three steps, and convolutions heed autocast.

    On a CPU autocast knows `conv2d`, but not the `convolution` that `vmap` makes of it.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return merged(*args, **kwargs)
        if func in CONVOLUTIONS and torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            args = tuple(arg.to(dtype) if isinstance(arg, Tensor) else arg for arg in args)
        return func(*args, **kwargs)


def merged(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """As `torch.nn.functional.batch_norm`."""
    return _Merged.apply(input, running_mean, running_var, weight, bias, training, momentum, eps)  # pyright: ignore[reportReturnType]


class _Merged(torch.autograd.Function):
    """Only a rule for `vmap`: what it does is recorded, and differentiated, as any other operation."""

    @staticmethod
    def forward(*args: Any) -> Tensor:
        return F.batch_norm(*args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], input: Tensor, *rest: Any) -> tuple[Tensor, int]:
        """(B, K, C, …) as (B, K·C, …), and (K, C) as (K·C,), a view, so that statistics move in their place."""
        stacked, numbers = rest[:4], rest[4:]
        if in_dims[0] is None or any(t is not None and d != 0 for t, d in zip(stacked, in_dims[1:5], strict=True)):
            raise ValueError("a batch norm is shared by several networks")
        whole = input.movedim(in_dims[0], 1)
        every: list[Any] = [None if tensor is None else tensor.flatten() for tensor in stacked]
        one = F.batch_norm(whole.flatten(1, 2), *every, *numbers)
        return one.unflatten(1, whole.shape[1:3]), 1

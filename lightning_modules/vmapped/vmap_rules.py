"""Replace what torch does slowly, or in another precision, when `vmap` computes several networks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

CONVOLUTIONS = (F.conv1d, F.conv2d, F.conv3d)


class VmapRules(TorchFunctionMode):
    """Inside, batch norms of K networks are computed as one over all K·C channels, and convolutions follow autocast.

    Torch would take three operations for such a batch norm. On a CPU its autocast knows `conv2d`, but not the
    `convolution` that `vmap` makes of it.
    """

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.batch_norm:
            return batch_norm(*args, **kwargs)
        if func in CONVOLUTIONS and torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            args = tuple(arg.to(dtype) if isinstance(arg, Tensor) else arg for arg in args)
        return func(*args, **kwargs)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm` with a rule for `vmap`."""
    return _BatchNorm.apply(input, running_mean, running_var, weight, bias, training, momentum, eps)  # pyright: ignore[reportReturnType]


class _BatchNorm(torch.autograd.Function):
    """Adds the rule for `vmap`; the gradient is that of the operations inside."""

    @staticmethod
    def forward(*args: Any) -> Tensor:
        return F.batch_norm(*args)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Nothing is kept."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], input: Tensor, *rest: Any) -> tuple[Tensor, int]:
        """View (B, K, C, …) as (B, K·C, …) and (K, C) as (K·C,), so that running statistics are updated in place."""
        stacked, numbers = rest[:4], rest[4:]
        if in_dims[0] is None or any(t is not None and d != 0 for t, d in zip(stacked, in_dims[1:5], strict=True)):
            raise ValueError("a batch norm is shared by several networks")
        whole = input.movedim(in_dims[0], 1)
        every: list[Any] = [None if tensor is None else tensor.flatten() for tensor in stacked]
        one = F.batch_norm(whole.flatten(1, 2), *every, *numbers)
        return one.unflatten(1, whole.shape[1:3]), 1

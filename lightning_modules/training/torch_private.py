"""Use the private names of torch that this project needs; where a release lacks one, do the same with public names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def tensor_norms(tensors: Sequence[Tensor], dtype: torch.dtype | None = None) -> list[Tensor]:
    """The Euclidean norm of each tensor. `_foreach_norm` takes one kernel on a GPU, where a loop takes one a tensor."""
    together = getattr(torch, "_foreach_norm", None)
    if together is None:
        return [torch.linalg.vector_norm(tensor, dtype=dtype) for tensor in tensors]
    return list(together(tensors, 2, dtype))


def is_compiled(network: nn.Module) -> bool:
    """Whether the network or a part of it was compiled in place: torch has no public name for that."""
    return any(getattr(module, "_compiled_call_impl", None) is not None for module in network.modules())


def has_hooks(network: nn.Module) -> bool:
    """Whether a forward hook is registered in the network: torch can add and remove hooks, but not list them."""
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    return any(getattr(module, name, None) for module in network.modules() for name in hooks)


def allow_recompiling(times: int) -> None:
    """Let torch.compile write so many programs of one function before it gives up on it."""
    import torch._dynamo.config as settings  # torch.compiler.config has the same switch, but not in every release

    if hasattr(settings, "recompile_limit"):
        settings.recompile_limit = max(settings.recompile_limit, times)

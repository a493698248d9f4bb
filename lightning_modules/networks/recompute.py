"""Activation checkpointing: less memory for very deep networks, at the price of a second forward pass.

The result is the same to the last bit, running statistics included.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from math import isqrt

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def run(stage: nn.Sequential, x: Tensor) -> Tensor:
    """`stage(x)`, of whose n blocks only what enters each of about √n segments is kept until the backward pass."""
    length = isqrt(len(stage) - 1) + 1
    for start in range(0, len(stage), length):
        segment = stage[start : start + length]
        x = checkpoint(segment, x, use_reentrant=False, context_fn=partial(_contexts, segment))
    return x


def _contexts(segment: nn.Module) -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), Rewound(segment)


class Rewound(AbstractContextManager):
    """Inside, the module has copies of the buffers that it had when this was made.

    So a recomputation starts from what the first pass saw, and does not update batch norm's statistics again.
    """

    def __init__(self, module: nn.Module) -> None:
        self.before = {(m, name): b.clone() for m in module.modules() for name, b in m.named_buffers(recurse=False)}

    def __enter__(self) -> None:
        self.now = {(m, name): getattr(m, name) for m, name in self.before}
        for (module, name), buffer in self.before.items():
            setattr(module, name, buffer.clone())

    def __exit__(self, *exception: object) -> None:
        for (module, name), buffer in self.now.items():
            setattr(module, name, buffer)

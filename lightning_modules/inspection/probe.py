"""Measure a network in one training step, block by block, without changing what the step does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.training.compiled import uncompiled
from lightning_modules.training.torch_private import tensor_norms

RESPONSE, DEAD, OPEN = "response", "dead_units", "gate_openness"


class Probe:
    """Measures one training step: call `watch` and `unwatch` around the forward pass, the other two around the step.

    All numbers stay on the device until `values` copies them, at once.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.parts = find_blocks(network)
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        position = {id(parameter): i for i, parameter in enumerate(self.parameters)}
        self.owned = [[position[id(p)] for p in part.parameters() if id(p) in position] for part in self.parts]
        self.watching = ExitStack()
        self.seen: list[tuple[str, int, Tensor]] = []
        self.units: list[int] = []
        self.norms: list[Tensor] = []
        self.before: list[Tensor] = []

    def watch(self) -> None:
        """Measure the next forward pass, which is done uncompiled."""
        self.watching.enter_context(uncompiled(self.network))
        self.seen, self.units = [], [0] * len(self.parts)
        for i, part in enumerate(self.parts):
            self._hook(part.response, partial(self._response, i))
            for activation in part.activations:
                self._hook(activation, partial(self._dead, i))
            if part.gate is not None:
                self._hook(part.gate, partial(self._open, i))

    def unwatch(self) -> None:
        self.watching.close()

    @torch.no_grad()
    def before_step(self) -> None:
        """Measure the gradients, as they are before they are clipped, and the weights."""
        zero = torch.zeros((), device=self.parameters[0].device)
        gradients = [zero if parameter.grad is None else parameter.grad for parameter in self.parameters]
        self.norms = [_norms(gradients, wide=True), _norms(self.parameters)]
        self.before = [parameter.detach().clone() for parameter in self.parameters]

    @torch.no_grad()
    def after_step(self) -> None:
        """Measure how far the step moved the weights."""
        moved = [parameter - before for parameter, before in zip(self.parameters, self.before, strict=True)]
        self.norms.append(_norms(moved))
        self.before = []

    def values(self) -> dict[str, float]:
        """What was measured: of the whole network by the quantity's name, of its blocks by `name.block_01` and so on.

        Of the whole network: the norm of all gradients, weights and updates; the means over the blocks of the others.
        """
        numbers = torch.cat([*(value[None] for *_, value in self.seen), *self.norms]).tolist()
        found: dict[tuple[str, int], list[float]] = {}
        for (name, i, _), number in zip(self.seen, numbers, strict=False):
            found.setdefault((name, i), []).append(number)
        count = len(self.parameters)
        norms = [numbers[len(self.seen) + k * count :][:count] for k in range(len(self.norms))]
        blocks = [self._of_block(i, found, norms) for i in range(len(self.parts))]
        total = _sizes(norms, range(count))
        ratio = {"gradient_ratio": _over(*(blocks[end]["gradient_norm"] for end in (0, -1)))} if blocks else {}
        names = dict.fromkeys(name for block in blocks for name in block)
        means = {name: _mean([block[name] for block in blocks if name in block]) for name in names if name not in total}
        columns = {f"{name}.block_{i:02d}": b[name] for name in names for i, b in enumerate(blocks, 1) if name in b}
        return ratio | total | means | columns

    def _of_block(
        self, i: int, found: dict[tuple[str, int], list[float]], norms: list[list[float]]
    ) -> dict[str, float]:
        block = _sizes(norms, self.owned[i])
        block |= {name: _mean(found[name, i]) for name in (RESPONSE, OPEN) if (name, i) in found}
        if (DEAD, i) in found:
            block[DEAD] = 1 - sum(found[DEAD, i]) / self.units[i]  # those alive were counted
        return block

    def _hook(self, module: nn.Module, look: Callable[[Tensor], None]) -> None:
        @torch.no_grad()
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.dim() >= 2 and output.is_floating_point():
                look(output.detach())

        self.watching.callback(module.register_forward_hook(hook).remove)

    def _response(self, i: int, output: Tensor) -> None:
        self.seen.append((RESPONSE, i, output.float().std(correction=0)))

    def _dead(self, i: int, output: Tensor) -> None:
        """Units (channels, or a vector's numbers) that are zero for every example and at every place."""
        sizes = output.abs().sum(dim=[d for d in range(output.dim()) if d != 1], dtype=torch.float32)
        self.seen.append((DEAD, i, sizes.count_nonzero()))
        self.units[i] += len(sizes)

    def _open(self, i: int, output: Tensor) -> None:
        self.seen.append((OPEN, i, output.float().mean()))


def _norms(tensors: Sequence[Tensor], *, wide: bool = False) -> Tensor:
    """The norm of each; wide where the squares of what vanishes or explodes would leave the range of a float."""
    tensors = [torch.view_as_real(tensor) if tensor.is_complex() else tensor for tensor in tensors]
    wide = wide or tensors[0].dtype == torch.float64  # whose norms cannot be narrower
    dtype = torch.float64 if wide and tensors[0].device.type != "mps" else torch.float32  # MPS has no other
    return torch.stack(tensor_norms(tensors, dtype))


def _sizes(norms: list[list[float]], which: Sequence[int]) -> dict[str, float]:
    gradient, weight, update = (math.hypot(*(norm[k] for k in which)) for norm in norms)
    return {"gradient_norm": gradient, "weight_norm": weight, "update_ratio": _over(update, weight)}


def _over(one: float, other: float) -> float:
    return one / other if other else math.nan if one == 0 else math.inf


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

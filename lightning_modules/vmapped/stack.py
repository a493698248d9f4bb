"""Stack the weights of several networks into common tensors, so that one program computes all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from lightning_modules.vmapped.vmap_rules import VmapRules

Batch = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


class Stack:
    """Hold the weights and statistics of K networks of one shape in tensors (K, …), of which each network has views.

    Each network stays an ordinary module that an optimiser updates and a checkpoint saves, and all can be computed by
    one program: a convolution of K networks is a convolution with K groups.

    Raises:
        ValueError: the networks are not of one shape.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.skeleton, self.count = networks[0], len(networks)
        self.format = torch.contiguous_format if _refuses_channels_last(self.skeleton) else torch.preserve_format
        self.weights = _stacked([dict(network.named_parameters()) for network in networks], self.format)
        self.buffers = _stacked([dict(network.named_buffers()) for network in networks], self.format)

    def logits(self, images: Sequence[Tensor]) -> Tensor:
        """Compute (K, B, classes) from each network's own images (B, C, H, W)."""

        def one(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(self.skeleton, tensors, (images,))

        whole = _side_by_side(images, self.format)
        with VmapRules():
            return vmap(one, in_dims=(0, 1), randomness="error")({**self.weights, **self.buffers}, whole)

    def step(self, batches: Sequence[Batch], loss: Loss) -> list[tuple[Tensor, Tensor, list[Tensor | None]]]:
        """Compute the loss, logits and gradients of each network on its own batch. A failure changes nothing."""
        before = [buffer.clone() for buffer in self.buffers.values()]
        try:
            logits = self.logits([images for images, _ in batches])
            losses = vmap(loss)(logits, torch.stack([labels for _, labels in batches]))
            losses.backward(torch.ones_like(losses))
        except BaseException:
            for buffer, value in zip(self.buffers.values(), before, strict=True):
                buffer.copy_(value)
            raise
        finally:
            gradients = [weight.grad for weight in self.weights.values()]
            for weight in self.weights.values():
                weight.grad = None  # the next step's are other tensors: someone may still look at these
        each = zip(*([None] * self.count if g is None else g.unbind() for g in gradients), strict=True)
        return list(zip(losses.detach().unbind(), logits.detach().unbind(), map(list, each), strict=True))


def _refuses_channels_last(network: nn.Module) -> bool:
    """Whether the networks have group norms on a CPU, where torch's code fails under `vmap` with channels_last."""
    parameter = next(network.parameters(), None)
    on_cpu = parameter is not None and parameter.device.type == "cpu"
    return on_cpu and any(isinstance(module, nn.GroupNorm) for module in network.modules())


def _side_by_side(images: Sequence[Tensor], format: torch.memory_format) -> Tensor:
    """Stack K times (B, C, H, W) to (B, K, C, H, W), laid out in memory as images of K·C channels."""
    if format == torch.preserve_format and images[0].is_contiguous(memory_format=torch.channels_last):
        return torch.stack([one.permute(0, 2, 3, 1) for one in images], dim=3).permute(0, 3, 4, 1, 2)
    return torch.stack(list(images), dim=1).contiguous()


def _stacked(networks: Sequence[dict[str, Tensor]], format: torch.memory_format) -> dict[str, Tensor]:
    """Copy the tensors of each name into one, and make the networks' tensors views of it."""
    if any(network.keys() != networks[0].keys() for network in networks):
        raise ValueError("the networks have different layers")
    return {name: _joined([network[name] for network in networks], format) for name in networks[0]}


@torch.no_grad()
def _joined(tensors: Sequence[Tensor], format: torch.memory_format) -> Tensor:
    first = torch.empty_like(tensors[0], memory_format=format)
    if any(tensor.shape != first.shape for tensor in tensors):
        raise ValueError("the networks have layers of different sizes")
    size, strides = (len(tensors), *first.shape), (first.numel(), *first.stride())
    whole = torch.empty_strided(size, strides, dtype=first.dtype, device=first.device)
    for part, tensor in zip(whole, tensors, strict=True):
        tensor.data = part.copy_(tensor)
    return whole.requires_grad_(tensors[0].requires_grad)

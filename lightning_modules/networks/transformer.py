"""Transformers for images, series and tokens, whose activations are images of one pixel a token."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lightning_modules.networks.activation_order import ReluBeforeAddition, ReluOnlyPreActivation
from lightning_modules.networks.attention import require_causal
from lightning_modules.networks.handing_over import one_after_another
from lightning_modules.networks.layers import BlockFactory, Init, Norm, Pointwise, Readout
from lightning_modules.networks.preactivation import PreActivation
from lightning_modules.networks.signature import parameters_of
from lightning_modules.networks.stages import channels, place, require_images, trait

PATCH = 2  # pixels


class TransformerNet(nn.Module):
    """Patches, steps or tokens with learnt positions, `depth` layers of a body and an mlp, norm, mean, linear.

    Images (B, in_channels, H, W) and series (B, in_channels, L) → (B, classes); with `tokens`, whole numbers (B, L)
    below in_channels → (B, L, classes), where no output depends on a later token. A layer is two blocks, one with
    `body` and one with `mlp`, as depth is counted by Vaswani et al. 2017 (N) and Dosovitskiy et al. 2021 (Layers).
    No activation stands between blocks, and no norm before the mean where blocks end with one. `width` multiplies the
    `units` (rounded to a multiple of 8, for heads to share). An image is cut into patches of `patch` × `patch` pixels.

    Raises:
        ValueError: the depth is none, the patches do not fit, the data are vectors, tokens would see later ones, or the
            block is another name of block=residual.
    """

    def __init__(
        self,
        depth: int,
        width: float,
        in_channels: int,
        size: int | Sequence[int],
        classes: int,
        *,
        block: BlockFactory,
        body: BlockFactory,
        mlp: BlockFactory,
        norm: Norm,
        init: Init,
        tokens: bool = False,
        units: int = 64,
        patch: int = PATCH,
    ) -> None:
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth={depth} is no number of layers; the smallest is 1")
        c = 8 * max(1, round(channels(units, width) / 8))
        self.tokens = tokens
        self.stem, places = stem(in_channels, c, (size, size) if isinstance(size, int) else tuple(size), tokens, patch)
        self.position = nn.Parameter(0.02 * torch.randn(c, *places))
        pair = [handed(block, one, causal=tokens) for one in (body, mlp)]
        for one in pair:
            require_images(one)
            if tokens:
                require_causal(one)
        blocks = [one(c, c, 1) for _ in range(depth) for one in pair]
        if all(is_residual(one) for one in blocks):
            says = "this block is block=residual here, where it has neither norm nor activation to put elsewhere"
            raise ValueError(f"{says}: use block=residual")
        self.stages = one_after_another([nn.Sequential(*blocks)])
        place(self.stages)
        self.norm = nn.Identity() if trait(block, "ends_with_norm", False) else norm(c)
        self.head = Readout(c, classes)
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x.unsqueeze(-1) if x.dim() == 3 else x)
        x = self.norm(self.stages(x + self.position[:, : x.shape[2]])).flatten(2)
        return self.head(x.transpose(1, 2) if self.tokens else x.mean(dim=2))


class Embedding(nn.Embedding):
    """Tokens (B, L) → (B, c, L, 1); the start has a deviation of 0.02, as in GPT-2."""

    def __init__(self, vocabulary: int, c: int) -> None:
        super().__init__(vocabulary, c)
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).transpose(1, 2).unsqueeze(-1)


def stem(c_in: int, c: int, size: tuple[int, ...], tokens: bool, patch: int) -> tuple[nn.Module, tuple[int, int]]:
    """What makes inputs of `size` into (B, c, H, W), and (H, W)."""
    if not size:
        raise ValueError("network=transformer needs places, and the data has vectors: use network=dense")
    if patch != PATCH and (tokens or len(size) == 1):
        raise ValueError(f"network.patch={patch} is of images, and here each step or token is a place: leave it out")
    if tokens:
        return Embedding(c_in, c), (size[0], 1)
    if len(size) == 1:
        return Pointwise(c_in, c), (size[0], 1)
    if patch < 1 or size[0] % patch or size[1] % patch:
        fits = max(p for p in range(1, max(patch, 1) + 1) if size[0] % p == size[1] % p == 0)
        raise ValueError(f"network.patch={patch} does not divide {size[0]} × {size[1]} pixels; the nearest is {fits}")
    return nn.Conv2d(c_in, c, patch, patch), (size[0] // patch, size[1] // patch)


def handed(block: BlockFactory, body: BlockFactory, *, causal: bool) -> BlockFactory:
    """The block with this body and without an activation, of what its signature names."""
    if causal and "causal" in parameters_of(body):
        if isinstance(body, partial) and not body.keywords.get("causal", True):
            says = "the next token is predicted from those before it, and with body.causal=false it sees later ones"
            raise ValueError(f"{says}: leave it out")
        body = partial(body, **{"causal": True})
    parts: dict[str, Any] = {"body": body, "activation": nn.Identity}
    return partial(block, **{name: part for name, part in parts.items() if name in parameters_of(block)})


def is_residual(block: nn.Module) -> bool:
    """Whether all that tells a block without an activation from `Residual` is the place of a norm that it lacks too."""
    kinds = PreActivation, ReluOnlyPreActivation, ReluBeforeAddition
    return type(block) in kinds and isinstance(getattr(block, "norm", nn.Identity()), nn.Identity)

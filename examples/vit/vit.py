"""A small vision transformer in plain torch, without a class token.   Dosovitskiy et al. 2021."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """Each patch looks at all patches: (B, patches, width) → the same."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(width), nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        return self.attend(x, x, x, need_weights=False)[0]


class Perceptron(nn.Sequential):
    """Each patch by itself: norm, to four times the width, and back."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))


class Block(nn.Module):
    """y = x + f(x). What is called `body` and `shortcut` is measured and taken out block by block."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.body(x)


class ViT(nn.Module):
    """(B, channels, size, size) → (B, classes): attention and perceptron, `layers` times, on patches of pixels."""

    def __init__(
        self,
        channels: int,
        size: int,
        classes: int,
        *,
        patch: int = 2,
        features: int = 64,
        layers: int = 4,
        heads: int = 4,
    ) -> None:
        super().__init__()
        if size % patch:
            raise ValueError(f"patch={patch} does not divide the size of the images, {size}")
        self.patches = nn.Conv2d(channels, features, patch, patch)
        self.positions = nn.Parameter(0.02 * torch.randn((size // patch) ** 2, features))
        bodies = [body for _ in range(layers) for body in (Attention(features, heads), Perceptron(features))]
        self.blocks = nn.Sequential(*map(Block, bodies))
        self.norm, self.head = nn.LayerNorm(features), nn.Linear(features, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))

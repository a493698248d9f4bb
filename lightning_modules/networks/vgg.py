"""The networks of Simonyan & Zisserman 2015, Table 1 (A, B, D, E): the plain reference from before shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from lightning_modules.networks.layers import Activation, Init, Norm, Readout, conv_norm, pooled
from lightning_modules.networks.stages import channels, require_depth

STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
WIDTHS = (64, 128, 256, 512, 512)


class VggNet(nn.Module):
    """Five stages of 3×3 convolutions, each halved by a 2×2 max-pool, and a head.

    (B, in_channels, size, size) → (B, classes), size ≥ 32. depth is 11, 13, 16 or 19 with the published `head='fc'`:
    7×7 adaptive pool, two layers of 4096 with dropout, linear. `head='pool'` is a global average pool and one linear
    layer in its place: two layers less than `depth` says, and 15 M in place of 138 M parameters at depth 16. `width`
    multiplies all channels and the hidden layers. Raises ValueError for other depths, heads and sizes.
    """

    def __init__(
        self,
        depth: int,
        width: float,
        in_channels: int,
        size: int | Sequence[int],
        classes: int,
        *,
        norm: Norm,
        activation: Activation,
        init: Init,
        head: Literal["fc", "pool"] = "fc",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_depth(depth, STAGES)
        if (shorter := size if isinstance(size, int) else min(size, default=1)) < 32:
            raise ValueError(f"network=vgg halves the image five times, and {shorter} pixels are less than 32")
        if head not in ("fc", "pool"):
            raise ValueError(f"head={head} is neither fc nor pool")
        sizes = [in_channels, *(channels(w, width) for w in WIDTHS)]
        self.stages = nn.Sequential(
            *(_stage(count, sizes[i], sizes[i + 1], norm, activation) for i, count in enumerate(STAGES[depth]))
        )
        hidden = channels(4096, width)
        self.head = (
            pooled(sizes[-1], classes)
            if head == "pool"
            else nn.Sequential(
                *(nn.AdaptiveAvgPool2d(7), nn.Flatten()),
                *(nn.Linear(sizes[-1] * 7 * 7, hidden), activation(), nn.Dropout(dropout)),
                *(nn.Linear(hidden, hidden), activation(), nn.Dropout(dropout)),
                Readout(hidden, classes),
            )
        )
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(x))


def _stage(count: int, c_in: int, c_out: int, norm: Norm, activation: Activation) -> nn.Sequential:
    convs = [conv_norm(c_out if i else c_in, c_out, 3, 1, norm=norm) for i in range(count)]
    return nn.Sequential(*(m for c in convs for m in (c, activation())), nn.MaxPool2d(2))

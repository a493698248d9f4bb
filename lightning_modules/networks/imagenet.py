"""The ImageNet family of He et al. 2015, Table 1."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.handing_over import one_after_another
from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, conv_norm, pooled
from lightning_modules.networks.stages import channels, layers, place, require_depth, require_images, stage

STAGES = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


class ImageNetNet(nn.Module):
    """A 7×7/2 convolution, a 3×3/2 max-pool, four stages of 64 to 512 channels, global average pool, linear.

    (B, in_channels, H, W) → (B, classes). depth 18 and 34 are networks of two-layer blocks, 50, 101 and 152 of
    three-layer (bottleneck) blocks. `width` multiplies all channels. Raises ValueError for other depths and bodies.
    """

    def __init__(
        self,
        depth: int,
        width: float,
        in_channels: int,
        classes: int,
        *,
        block: BlockFactory,
        norm: Norm,
        activation: Activation,
        init: Init,
    ) -> None:
        super().__init__()
        require_images(block)
        counts = block_counts(depth, layers(block))
        stem = channels(64, width)
        sizes = [stem, *(channels(w, width, block) for w in (64, 128, 256, 512))]
        self.stem = nn.Sequential(
            conv_norm(in_channels, stem, 7, 2, norm=norm), activation(), nn.MaxPool2d(3, stride=2, padding=1)
        )
        self.stages = one_after_another(
            stage(block, count, sizes[i], sizes[i + 1], 2 if i else 1) for i, count in enumerate(counts)
        )
        place(self.stages)
        self.head = pooled(sizes[-1], classes)
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)))


def block_counts(depth: int, layers: int) -> tuple[int, ...]:
    """How many blocks each stage has.   Raises ValueError unless the depth exists and has blocks of so many layers."""
    require_depth(depth, STAGES)
    if layers != 2 and depth < 50:
        raise ValueError(f"depth={depth} is a network of two-layer blocks: use body=basic")
    if layers != 3 and depth >= 50:
        advice = "use network=imagenet_bottleneck, which chooses body=bottleneck and shortcut=B"
        raise ValueError(f"depth={depth} is a bottleneck network: {advice}")
    return STAGES[depth]

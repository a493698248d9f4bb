"""The ConvNeXt family of Liu et al. 2022, with a stem for small images."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.handing_over import require_input_alone
from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, Readout
from lightning_modules.networks.stages import channels, layers, place, require_depth, require_images, stage

STAGES = {59: (3, 3, 9, 3), 113: (3, 3, 27, 3)}
WIDTHS = (96, 192, 384, 768)


class ConvNeXtNet(nn.Module):
    """Patches, four stages of 96 to 768 channels, each halved by a norm and a 2×2/2 convolution, pool, norm, linear.

    (B, in_channels, H, W) → (B, classes). depth counts three layers a block, the stem, the three convolutions between
    and the classifier: 59 is ConvNeXt-T, 113 ConvNeXt-S. A `patch` of 4 is as published for 224×224 (28,589,128
    parameters at depth 59), 1 or 2 leaves something of 32×32. `width` multiplies all channels. Raises ValueError for
    other depths and bodies, and for a norm that takes no vectors.
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
        patch: int = 2,
    ) -> None:
        super().__init__()
        require_images(block)
        require_input_alone(block, "network=convnext")
        require_depth(depth, STAGES)
        if layers(block) != 3:
            raise ValueError(f"depth={depth} counts three layers a block, not {layers(block)}: use body=convnext")
        sizes = [channels(w, width, block) for w in WIDTHS]
        last = norm(sizes[-1])
        if not getattr(last, "vectors", True):
            raise ValueError("network=convnext norms what it has pooled, and this norm needs images: use norm=pixel")
        self.stem = nn.Sequential(nn.Conv2d(in_channels, sizes[0], patch, patch), norm(sizes[0]))
        self.stages = nn.Sequential(*(stage(block, n, c, c, 1) for n, c in zip(STAGES[depth], sizes, strict=True)))
        self.between = nn.ModuleList(
            nn.Sequential(norm(c), nn.Conv2d(c, sizes[i + 1], 2, 2)) for i, c in enumerate(sizes[:-1])
        )
        place(self.stages)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), last, Readout(sizes[-1], classes))
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for blocks, between in zip(self.stages, [*self.between, nn.Identity()], strict=True):
            x = between(blocks(x))
        return self.head(x)

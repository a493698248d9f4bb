"""The convolutional highway networks of Srivastava et al. 2015, Sec. 3.3: thin and deep, in the shape of FitNets."""

from __future__ import annotations

from torch import Tensor, nn

from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, conv_norm, pooled
from lightning_modules.networks.stages import channels, layers, place, require_depth, require_images

# of each stage, how many layers have how many channels
STAGES = {
    19: (((32, 3), (48, 2)), ((80, 6),), ((128, 6),)),
    32: (((28, 10),), ((48, 10),), ((64, 10),)),
}


class FitNet(nn.Module):
    """Three stages of 3×3 convolutions with max-pools between, 1×1 to 500 channels, global average pool, linear.

    (B, in_channels, H, W) → (B, classes). A layer that changes the channels is a convolution, every other is a block of
    one layer. depth 19 has the channels of FitNet-4 (Romero et al. 2015): 2.34 M parameters with highway blocks and 3×3
    gates, published as 2.3 M. Of depth 32 only the total of 1.25 M is published; the channels here come to 1.244 M. The
    head is our reading of both. `width` multiplies all channels. Raises ValueError for other depths, and for bodies
    that are not one layer.
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
        require_depth(depth, STAGES)
        if layers(block) != 1:
            raise ValueError(f"network=fitnet has blocks of one layer, not {layers(block)}: use body=single")
        self.stages, now = nn.Sequential(), in_channels
        self.enter = nn.ModuleList()
        for runs in STAGES[depth]:
            for base, count in runs:
                then = channels(base, width, block)
                self.enter.append(nn.Sequential(conv_norm(now, then, 3, 1, norm=norm), activation()))
                self.stages.append(nn.Sequential(*(block(then, then, 1) for _ in range(count - 1))))
                now = then
        place(self.stages)
        self.pools = frozenset(sum(len(runs) for runs in STAGES[depth][:i]) for i in (1, 2))
        hidden = channels(500, width)
        self.head = nn.Sequential(conv_norm(now, hidden, 1, 1, norm=norm), activation(), *pooled(hidden, classes))
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        for i, (enter, blocks) in enumerate(zip(self.enter, self.stages, strict=True)):
            if i in self.pools:
                x = nn.functional.max_pool2d(x, 2, ceil_mode=True)
            x = blocks(enter(x))
        return self.head(x)

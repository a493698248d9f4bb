"""The convolutional highway networks of Srivastava et al. 2015, Sec. 3.3: thin and deep, in the shape of FitNets."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.handing_over import require_input_alone
from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, Readout, conv_norm
from lightning_modules.networks.stages import channels, layers, place, require_depth, require_images

STAGES = {19: ((32, 5), (80, 6), (128, 6)), 32: ((28, 10), (48, 10), (64, 10))}  # channels and layers of each
HIDDEN = {19: 100, 32: 500}  # outputs of the 1×1 convolution


class FitNet(nn.Module):
    """Three stages of 3×3 layers with 2×2 max-pools between, a 1×1 convolution, global average pool, linear.

    (B, in_channels, H, W) → (B, classes). The first layer of a stage is a convolution, the others are blocks of one
    layer each. There is dropout before each stage and before the linear layer. depth=19 is the authors' Caffe network
    for CIFAR-10: 2,256,838 parameters with highway blocks and 3×3 gates. Of depth=32 only the total of 1.25 M is
    published; the channels here are our reading and come to 1,244,478. `width` multiplies all channels. Raises
    ValueError for other depths, and for bodies that are not one layer.
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
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        require_images(block)
        require_input_alone(block, "network=fitnet")
        require_depth(depth, STAGES)
        if layers(block) != 1:
            raise ValueError(f"network=fitnet has blocks of one layer, not {layers(block)}: use body=single")
        self.enter, self.stages, now = nn.ModuleList(), nn.Sequential(), in_channels
        for base, count in STAGES[depth]:
            then = channels(base, width, block)
            self.enter.append(nn.Sequential(nn.Dropout(dropout), conv_norm(now, then, 3, 1, norm=norm), activation()))
            self.stages.append(nn.Sequential(*(block(then, then, 1) for _ in range(count - 1))))
            now = then
        place(self.stages)
        hidden = channels(HIDDEN[depth], width)
        self.head = nn.Sequential(
            *(conv_norm(now, hidden, 1, 1, norm=norm), activation()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), Readout(hidden, classes)),
        )
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        for i, (enter, blocks) in enumerate(zip(self.enter, self.stages, strict=True)):
            x = blocks(enter(x if i == 0 else F.max_pool2d(x, 2, ceil_mode=True)))
        return self.head(x)

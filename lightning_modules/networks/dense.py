"""The fully connected family of Srivastava et al. 2015, Sec. 3 (their MNIST networks)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor, nn

from lightning_modules.networks.handing_over import one_after_another
from lightning_modules.networks.layers import Activation, BlockFactory, Init, Norm, Readout, linear_norm
from lightning_modules.networks.stages import blocks_for, channels, layers, place, require_vectors, stage


class DenseNet(nn.Module):
    """A plain layer to `units` features, depth − 1 blocks of that width, linear; images and series are flattened.

    (B, in_channels, size, size) → (B, classes); `size` may be (H, W), (L,) of series or () of vectors.

    depth counts as the paper does: the first plain layer and the blocks,
    not the output layer. The published networks of depth 10, 20, 50 and 100 have 50 units in a highway layer and 71 in
    a plain one, about 5000 parameters in each. `width` multiplies the units. Raises ValueError for a body for images.
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
        norm: Norm,
        activation: Activation,
        init: Init,
        units: int = 50,
    ) -> None:
        super().__init__()
        require_vectors(block)
        count = blocks_for(depth, layers(block), 1)
        first, then = channels(units, width), channels(units, width, block)
        places = size * size if isinstance(size, int) else prod(size)
        self.stem = nn.Sequential(nn.Flatten(), linear_norm(in_channels * places, first, norm=norm), activation())
        self.stages = one_after_another([stage(block, count, first, then, 1)])
        place(self.stages)
        self.head = Readout(then, classes)
        init(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.stages(self.stem(x)))

"""A network that fails in a block of one's own says in which, of what sizes, and what would be right."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from omegaconf import OmegaConf
from torch import Tensor, nn

from sweeps.cli.errors import WHERE
from sweeps.failing_block import LAWS
from sweeps.preflight import size_of
from tests.lightning_modules.trained import composed


class Convolved(nn.Module):
    """y = f(x)."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Conv2d(c_in, c_out, 3, stride, padding=1)

    def forward(self, x: Tensor) -> Any:
        return self.body(x)


class Pooled(Convolved):
    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).mean((2, 3))


class Listed(Convolved):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [self.body(x)]


class NoShortcut(Convolved):
    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Narrow(Convolved):
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__(c_in, c_in, stride)


class Mistyped(Convolved):
    def forward(self, x: Tensor) -> Tensor:
        return {}[self.body(x).dim()]


class OneStream(Convolved):
    streams = 2

    def forward(self, streams: Tensor) -> Tensor:
        first, _ = streams.unbind(1)
        return self.body(first)

    def merged(self, streams: Tensor) -> Tensor:
        return streams.mean(1)


def node(block: type[nn.Module], *words: str) -> dict[str, Any]:
    network: Any = OmegaConf.to_container(composed(*words).network, resolve=True)
    return {**network, "block": {"_target_": f"{__name__}.{block.__name__}", "_partial_": True}}


SAYS = {
    Pooled: "block 1 (Pooled, 8 to 8 channels, stride 1) returns (2, 8), and (B, c, H, W) = (2, 8, 8, 8) is right",
    Listed: "block 1 (Listed, 8 to 8 channels, stride 1) returns a list, and (B, c, H, W) = (2, 8, 8, 8) is right",
    Narrow: "block 2 (Narrow, 8 to 16 channels, stride 2) returns (2, 8, 4, 4), and (B, c, H, W) = (2, 16, 4, 4) is"
    " right",
    OneStream: "block 1 (OneStream, 8 to 8 channels, stride 1) returns (2, 8, 8, 8), and (B, n, c, H, W) ="
    " (2, 2, 8, 8, 8) is right",
    NoShortcut: "block 2 (NoShortcut, 8 to 16 channels, stride 2) fails: RuntimeError: The size of tensor a (8) must"
    f" match the size of tensor b (4) at non-singleton dimension 3{WHERE}",
    Mistyped: f"block 1 (Mistyped, 8 to 8 channels, stride 1) fails: KeyError: 4{WHERE}",
}


@pytest.mark.parametrize("block", SAYS)
def test_a_block_that_fails_is_named_with_its_sizes(block: type[nn.Module]) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(f'{SAYS[block]}; {LAWS}')}$"):
        size_of(node(block), (1, 8, 8))


def test_a_block_of_series_is_named_too() -> None:
    words = "network=transformer", "depth=2", "data.size=[8]", "data.channels=1"
    right = "block 1 (Pooled, 64 to 64 channels, stride 1) returns (2, 64), and (B, c, H, W) = (2, 64, 8, 1) is right"
    with pytest.raises(ValueError, match=f"^{re.escape(right)}"):
        size_of(node(Pooled, *words), (1, 8))


class Swapped(nn.Module):
    """A network that hands its blocks (B, L, c), and fails in its head or not at all."""

    def __init__(self, block: partial[nn.Module], outputs: int) -> None:
        super().__init__()
        self.blocks, self.head = nn.Sequential(block(8, 8, 1), block(8, 8, 1)), nn.Linear(outputs, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x[:, 0]).flatten(1))


class Mixed(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Linear(c_in, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def test_what_fails_outside_of_its_blocks_keeps_its_message() -> None:
    network = node(Mixed) | {"_target_": f"{__name__}.Swapped", "outputs": 40}
    network = {key: network[key] for key in ("_target_", "block", "outputs")}
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        size_of(network, (1, 4, 8))
    assert size_of(network, (1, 5, 8))[0] == 2 * 72 + 410

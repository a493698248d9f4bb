"""Every shipped block obeys the contract, and the contract finds blocks that break it."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import Tensor, nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.testing import BlockContract

HANDED = {"_target_", "_partial_", "body", "shortcut", "norm", "activation"}


class TestShipped(BlockContract):
    @pytest.fixture(autouse=True)
    def chosen(self, config, block):
        node = OmegaConf.to_container(config(f"block={block}"), resolve=True)["block"]
        kind = get_class(node["_target_"])
        self.block = partial(kind, **{name: value for name, value in node.items() if name not in HANDED})
        self.random = getattr(kind, "random", False) or "rate" in node


class Good(nn.Module):
    """A block that knows nothing of this project."""

    def __init__(self, c_in: int, c_out: int, stride: int, *, norm, ratio: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv2d(c_in, ratio * c_out, 3, stride, padding=1)
        self.norm = norm(ratio * c_out)
        self.second = nn.Conv2d(ratio * c_out, c_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.norm(self.first(x)).relu())


class TestForeign(BlockContract):
    block = Good


class TestHandsOn(BlockContract):
    class Scaled(Residual):
        def __init__(self, c_in, c_out, stride, *, alpha=0.5, **parts):
            super().__init__(c_in, c_out, stride, **parts)
            self.alpha = alpha

    block = Scaled

    def test_it_is_made_with_the_options_that_are_asked_for(self):
        block = self.make(8, 8, 1, alpha=2, activation=nn.Tanh)
        assert (block.alpha, type(block.activation)) == (2, nn.Tanh)


class Deaf(Good):
    def __init__(self, c_in: int, c_out: int, stride: int, *, norm) -> None:
        super().__init__(c_in, c_out, 1, norm=norm)


class Idle(Good):
    def __init__(self, c_in: int, c_out: int, stride: int, *, norm) -> None:
        super().__init__(c_in, c_out, stride, norm=norm)
        self.idle = nn.Parameter(torch.zeros(3))


class Moody(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.rand(1)


class Social(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - x.mean()


class Single(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


class Greedy(Good):
    def __init__(self, c_in: int, c_out: int, stride: int, *, norm, ratio: int) -> None:
        super().__init__(c_in, c_out, stride, norm=norm, ratio=ratio)


class Shapely(Good):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.is_contiguous() else 2 * super().forward(x)


class Chatty(Good):
    def __init__(self, c_in: int, c_out: int, stride: int, *, norm) -> None:
        if stride > 1:
            raise ValueError("No stride. Sorry for that.")
        super().__init__(c_in, c_out, stride, norm=norm)


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (Greedy, "its_options_have_defaults_and_its_axes_are_known"),
        (Deaf, "it_has_the_size_that_was_asked_for"),
        (Chatty, "it_has_the_size_that_was_asked_for"),
        (Idle, "every_parameter_learns_within_three_steps"),
        (Moody, "evaluation_repeats_itself"),
        (Social, "a_batch_of_one_is_one_of_a_batch"),
        (Shapely, "channels_last_changes_nothing"),
        (Single, "double_precision_is_kept"),
    ],
)
def test_a_broken_block_is_found(broken, law):
    contract = type("Test", (BlockContract,), {"block": broken})()
    with pytest.raises(AssertionError):
        getattr(contract, f"test_{law}")()


def test_a_block_that_refuses_everything_is_found():
    class Shy(nn.Module):
        def __init__(self, c_in: int, c_out: int, stride: int) -> None:
            raise ValueError("this block takes nothing: use another")

    contract = type("Test", (BlockContract,), {"block": Shy})()
    with pytest.raises(AssertionError, match="takes none of the sizes"):
        contract.test_it_has_the_size_that_was_asked_for()


def test_a_block_that_cannot_be_stacked_is_found_or_says_so():
    class Branching(Good):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) if self.first.weight.sum() > 1e9 else x.new_ones(())

    contract = type("Test", (BlockContract,), {"block": Branching})()
    with pytest.raises(RuntimeError, match="vmap"):
        contract.test_stacked_blocks_compute_as_one_by_one()
    contract.stacks = False
    contract.test_stacked_blocks_compute_as_one_by_one()

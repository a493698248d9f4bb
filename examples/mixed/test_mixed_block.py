"""Test `Mixed`: the contract of every block, and three properties of its own."""

import pytest
import torch
from mixed_block import Mixed

from lightning_modules.networks.testing import BlockContract


class TestMixed(BlockContract):
    block = Mixed

    def test_without_weight_on_the_body_it_is_the_shortcut(self) -> None:
        block = self.make(8, 8, 1)
        torch.nn.init.constant_(block.logit, -100)
        x = torch.randn(2, 8, 6, 6)
        torch.testing.assert_close(block(x), x.relu())

    def test_it_starts_at_its_ratio(self) -> None:
        block = self.make(8, 8, 1)
        assert block.logit.sigmoid() == 0.5

    def test_a_ratio_outside_0_and_1_is_refused(self) -> None:
        with pytest.raises(ValueError, match="ratio=1 is not between 0 and 1"):
            Mixed(8, 8, 1, body=None, shortcut=None, activation=None, ratio=1)

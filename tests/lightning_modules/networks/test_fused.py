"""Networks trained as one program are what each is when trained alone: every block with every norm."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import nn

from tests.lightning_modules.vmapped.fusing import DRAWS, NEAR, Build, Trainings, assert_same


def check(build: Build | None) -> None:
    if build is None:  # choices that do not go together
        return
    given = {"lr": [0.05, 0.02], "epochs": 1}  # of five steps
    alone, (beside, trouble) = Trainings(build, **given).alone(), Trainings(build, **given).together()
    assert trouble == (DRAWS if draws(build()) else None)
    for one, other in zip(alone, beside, strict=True):
        assert_same(one, other, near=0.0 if trouble else NEAR)


def draws(network: nn.Module) -> bool:
    before = torch.get_rng_state()
    network(torch.zeros(4, 1, 8, 8))
    return not torch.equal(before, torch.get_rng_state())


@pytest.fixture
def cell(offered: Callable[..., nn.Module | None]) -> Callable[..., Build | None]:
    """cell('block=plain', …): what builds the network, with the body its block has by itself."""

    def built(*choices: str) -> Build | None:
        build = partial(offered, "basic", *choices)
        return build if build() is not None else None  # type: ignore[return-value]

    return built


def test_every_block_together_is_itself_alone(block: str, cell: Callable[..., Build | None]) -> None:
    check(cell(f"block={block}"))


def test_every_norm_together_is_itself_alone(norm: str, cell: Callable[..., Build | None]) -> None:
    check(cell("block=highway", f"norm={norm}"))


@pytest.mark.long
def test_every_block_with_every_norm_together_is_itself_alone(
    block: str, norm: str, cell: Callable[..., Build | None]
) -> None:
    check(cell(f"block={block}", f"norm={norm}"))

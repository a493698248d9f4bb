"""A network that grows computes what the shallow one does until then, and at that instant; what cannot grow says so."""

from __future__ import annotations

import re

import pytest
import torch
from hydra.utils import get_class
from torch import nn

from lightning_modules.networks.counting import multiply_adds, parameters
from lightning_modules.networks.growth import PendingBlock, init_from_shallow, set_pending_active
from lightning_modules.networks.handing_over import asked_by

X = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
SHAPE = (1, 8, 8)
SIZES = ["data.channels=1", "data.size=8", "data.classes=10"]
GROW = {"residual", "preactivation", "relu_only_preactivation", "rezero", "skipinit", "layerscale", "weighted", "fixup"}
GROW |= {"stochastic_depth", "dropout_shortcut", "convnext", "laurel", "orthogonal_update", "peri_norm"}


def moved(network: nn.Module) -> nn.Module:
    """As after some training: no number where it began."""
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network


def pair(
    build, *chosen: str, network: str = "small", depths: tuple[int, int] = (26, 14)
) -> tuple[nn.Module, nn.Module]:
    deep, shallow = (build(f"network={network}", *SIZES, f"depth={depth}", *chosen) for depth in depths)
    return deep, moved(shallow)


@torch.no_grad()
def test_nothing_changes_when_the_blocks_appear(build, block, config):
    extra = ["norm=none"] if block == "fixup" else []
    kind = get_class(config(f"block={block}").block._target_)
    refusal = None
    try:
        deep, shallow = pair(build, f"block={block}", *extra)
        init_from_shallow(deep, shallow, SHAPE)
    except ValueError as error:
        refusal = str(error)
    if refusal is not None:
        asked = asked_by(kind)
        assert block not in GROW, refusal
        assert re.fullmatch(
            rf"a network that grows hands a block .* for {asked}: use .*" if asked else r"[^\n]+", refusal
        )
        return
    for training in (False, True):
        if training and block in ("stochastic_depth", "dropout_shortcut"):  # they draw numbers, each block its own
            continue
        deep.train(training), shallow.train(training)
        set_pending_active(deep, active=False)
        before = deep(X)
        if "set_position" not in vars(kind):  # what a block does may depend on how many there will be
            assert torch.equal(before, shallow(X))
        set_pending_active(deep, active=True)
        assert torch.equal(before, deep(X))


@pytest.mark.parametrize("chosen", [[], ["block=rezero"], ["block=plain", "norm=none", "init=he_fan_in"]], ids=str)
def test_what_was_put_in_learns(build, chosen):
    deep, shallow = pair(build, *chosen)
    init_from_shallow(deep, shallow, SHAPE)
    surplus = [module for module in deep.modules() if isinstance(module, PendingBlock)]
    unmoved = {name for one in surplus for name, _ in one.named_parameters()}
    for _ in range(3):
        nn.functional.cross_entropy(deep(X), torch.arange(4)).backward()
        unmoved &= {name for one in surplus for name, p in one.named_parameters() if p.grad is None or not p.grad.any()}
        torch.optim.SGD(deep.parameters(), lr=0.01).step()
        deep.zero_grad()
    assert len(surplus) == 6
    assert unmoved == set()


@torch.no_grad()
def test_plain_layers_without_norm_can_be_the_identity(build):
    deep, shallow = pair(build, "block=plain", "norm=none")
    init_from_shallow(deep, shallow, SHAPE)
    torch.testing.assert_close(deep(X), shallow(X))


@torch.no_grad()
@pytest.mark.parametrize(
    ("network", "depths", "chosen"),
    [
        ("dense", (9, 5), ["body=dense"]),
        ("imagenet", (34, 18), ["width=0.1"]),
        ("cifar", (29, 20), ["block=preactivation", "body=bottleneck"]),
    ],
)
def test_other_families_grow_too(build, network, depths, chosen):
    deep, shallow = pair(build, *chosen, network=network, depths=depths)
    init_from_shallow(deep, shallow, SHAPE)
    assert torch.equal(deep.eval()(X), shallow.eval()(X))


def test_the_blocks_to_come_are_counted(build):
    deep, shallow = pair(build)
    counts = parameters(deep), multiply_adds(deep, SHAPE)
    init_from_shallow(deep, shallow, SHAPE)
    assert (parameters(deep), multiply_adds(deep, SHAPE)) == counts
    set_pending_active(deep, active=False)
    assert multiply_adds(deep, SHAPE) == multiply_adds(shallow, SHAPE)


@pytest.mark.parametrize(
    "chosen", [["activation=tanh"], ["shortcut=C"], ["shortcut=none"], ["block=highway"], ["block=plain"]], ids=str
)
def test_a_block_that_cannot_be_the_identity_is_refused(build, chosen):
    with pytest.raises(ValueError, match="cannot begin as the identity: use block=residual"):
        init_from_shallow(*pair(build, *chosen), SHAPE)


def test_networks_that_differ_in_more_than_their_depth_are_refused(build):
    deep, wide = (build("network=small", *SIZES, *words) for words in (["depth=14"], ["depth=8", "width=2"]))
    with pytest.raises(ValueError, match="differ in more than their number of blocks"):
        init_from_shallow(deep, wide, SHAPE)

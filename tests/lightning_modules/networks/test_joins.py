"""What each joining rule is when its numbers, gates and draws are set to where it becomes another one."""

from __future__ import annotations

from functools import partial
from math import inf

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.blocks import Block, Plain, Residual
from lightning_modules.networks.bodies import Basic, Bottleneck, Dense
from lightning_modules.networks.densenet import Concatenation
from lightning_modules.networks.dropped import DropoutShortcut, StochasticDepth
from lightning_modules.networks.gated import ShortcutGating
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.preactivation import PreActivation
from lightning_modules.networks.shortcuts import A, B, ZeroShortcut
from lightning_modules.networks.weighted import (
    ConstantScaling,
    Fixup,
    LayerScale,
    ReZero,
    SkipInit,
    WeightedResidual,
)

basic = partial(Basic, norm=Batch, activation=nn.ReLU)
parts = {"body": basic, "shortcut": A, "activation": nn.ReLU}
sizes = pytest.mark.parametrize("size", [(8, 8, 1), (8, 16, 2), (8, 12, 1)], ids=str)


def images() -> Tensor:
    return torch.randn(2, 8, 6, 6)


def like(block: nn.Module, kind: type[Block], size: tuple[int, int, int]) -> nn.Module:
    """A block of another kind with the same body, as evaluated."""
    given = {name: part for name, part in parts.items() if kind is not Plain or name != "shortcut"}
    other = kind(*size, **given).eval()
    other.body.load_state_dict(block.body.state_dict())
    return other


@sizes
@pytest.mark.parametrize(
    "rule",
    [
        partial(ConstantScaling, on_body=1, on_shortcut=1),
        partial(ReZero, start=1),
        partial(SkipInit, start=1),
        partial(LayerScale, start=1),
        Fixup,
        partial(ShortcutGating, gate_bias=-inf),
        partial(DropoutShortcut, rate=0),
        partial(StochasticDepth, survival=1),
    ],
)
@pytest.mark.parametrize("training", [True, False])
def test_a_rule_whose_numbers_are_one_is_residual(rule, size, training):
    block = rule(*size, **parts)
    residual = like(block, Residual, size)
    x = images()
    assert torch.equal(block.train(training)(x), residual.train(training)(x))


@sizes
@pytest.mark.parametrize(
    "rule",
    [
        partial(ConstantScaling, on_body=1, on_shortcut=0),
        partial(ShortcutGating, gate_bias=inf),
        partial(Residual),
    ],
)
def test_a_rule_whose_shortcut_is_shut_is_plain(rule, size):
    given = parts | {"shortcut": ZeroShortcut} if rule.func is Residual else parts
    block = rule(*size, **given).eval()
    x = images()
    assert torch.equal(block(x), like(block, Plain, size)(x))


@sizes
@pytest.mark.parametrize("rule", [ReZero, WeightedResidual, partial(ConstantScaling, on_body=0, on_shortcut=1)])
def test_a_rule_whose_body_is_shut_is_its_shortcut(rule, size):
    block = rule(*size, **parts)
    x = images()
    assert torch.equal(block(x), block.shortcut(x).relu())


def test_a_learnt_weight_stays_between_minus_one_and_one():
    block = WeightedResidual(8, 8, 1, **parts, start=100).eval()
    x = images()
    torch.testing.assert_close(block(x), like(block, Residual, (8, 8, 1))(x))


def test_scales_are_one_number_a_channel_and_serve_vectors_too():
    block = LayerScale(8, 8, 1, **parts | {"body": partial(Dense, norm=Batch)})
    block.scale.data = torch.arange(8.0)
    x = torch.randn(3, 8)
    torch.testing.assert_close(block(x), (torch.arange(8) * block.body(x) + x).relu())


def test_fixup_has_one_factor_and_one_shift_a_block():
    block = Fixup(8, 8, 1, **parts).eval()
    block.alpha.data, block.beta.data = torch.tensor(2.0), torch.tensor(3.0)
    x = images()
    torch.testing.assert_close(block(x), (2 * block.body(x) + 3 + x).relu())


def test_skipinit_starts_at_one_over_the_root_of_the_blocks(build):
    network = build("network=small", "block=skipinit", "data.channels=1", "depth=26")
    assert [block.alpha.item() for stage in network.stages for block in stage] == pytest.approx([12**-0.5] * 12)


def test_survival_falls_in_a_straight_line(build):
    network = build("network=small", "block=stochastic_depth", "block.survival=0.8", "data.channels=1", "depth=26")
    assert [b.p.item() for stage in network.stages for b in stage] == pytest.approx(
        [1 - i / 12 / 5 for i in range(1, 13)]
    )


@pytest.mark.parametrize(("draw", "distinct"), [("batch", 1), ("image", 2)])
def test_bodies_are_dropped_as_often_as_they_should(draw, distinct):
    block = StochasticDepth(8, 8, 1, **parts, survival=0.7, draw=draw)
    x, fx = torch.zeros(4, 8, 6, 6), torch.ones(4, 8, 6, 6)
    drawn = torch.stack([block.train().join(x, fx)[:, 0, 0, 0] for _ in range(1000)])
    assert set(drawn.unique().tolist()) == {0, 1}
    assert drawn.mean().item() == pytest.approx(0.7, abs=0.05)
    assert max(len(row.unique()) for row in drawn) == distinct
    assert (block.eval().join(x, fx) == 0.7).all()
    fx = torch.randn(4, 8, 6, 6).bfloat16()
    assert torch.equal(block.join(torch.zeros_like(fx), fx), 0.7 * fx), "a number, not one rounded to bfloat16"


def test_half_of_a_shortcut_is_dropped_and_the_rest_doubled():
    block = DropoutShortcut(8, 8, 1, **parts)
    y = block.train().join(torch.ones(4, 8, 6, 6), torch.zeros(4, 8, 6, 6))
    assert set(y.unique().tolist()) == {0, 2}


@pytest.mark.parametrize("body", [basic, partial(Bottleneck, norm=Batch, activation=nn.ReLU)])
def test_pre_activation_only_adds_to_its_input(body):
    block = PreActivation(8, 8, 1, body=body, shortcut=A, norm=Batch, activation=nn.ReLU).eval()
    x = images()
    a = block.norm(x).relu()
    assert torch.equal(block(x), x + block.body(a))
    assert sum(isinstance(m, Batch) for m in block.modules()) == body.func.layers, "a norm in front of each layer"
    nn.init.zeros_([m for m in block.body.modules() if isinstance(m, nn.Conv2d)][-1].weight)
    assert torch.equal(block(x), x), "nothing is done to the sum, not even to what is negative"


def test_a_pre_activated_projection_sees_the_activation():
    block = PreActivation(8, 16, 2, body=basic, shortcut=partial(B, norm=Batch), norm=Batch, activation=nn.ReLU).eval()
    x = images()
    a = block.norm(x).relu()
    assert torch.equal(block(x), block.shortcut(a) + block.body(a))


@pytest.mark.parametrize("joined", ["hyper_connections", "dynamic_dense"])
@torch.no_grad()
def test_with_unactivated_shortcuts_it_is_what_several_streams_begin_as(build, joined):
    chosen = ["network=small", "depth=14", "data.channels=1"]
    one = build(*chosen, "block=preactivation", "block.activated_shortcut=false").eval()
    several = build(*chosen, f"block={joined}").eval()
    mine = [p for block in several.modules() if hasattr(block, "body") for p in block.body.parameters()]
    theirs = [p for block in one.modules() if hasattr(block, "body") for p in block.body.parameters()]
    assert len(mine) == len(theirs) > 0
    for to, of in zip(mine, theirs, strict=True):
        to.copy_(of)
    several.stem.load_state_dict(one.stem.state_dict())
    several.head.load_state_dict(one.head.state_dict())
    x = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(several(x), one(x), rtol=1e-4, atol=1e-4)


def test_the_first_and_last_pre_activated_blocks_are_special(build):
    network = build("network=small", "block=preactivation", "data.channels=1").eval()
    blocks = [block for stage in network.stages for block in stage]
    assert [isinstance(b.norm, nn.Identity) for b in blocks] == [True] + [False] * 8
    assert [isinstance(b.last, nn.Identity) for b in blocks] == [True] * 8 + [False]
    assert (network.stages(network.stem(torch.randn(2, 1, 8, 8))) >= 0).all()


def test_concatenation_keeps_its_input_and_adds_channels():
    block = Concatenation(8, 11, 1, body=basic, norm=Batch, activation=nn.ReLU).eval()
    x = images()
    y = block(x)
    assert torch.equal(y[:, :8], x)
    assert torch.equal(y[:, 8:], block.body(block.norm(x).relu()))


@pytest.mark.parametrize("size", [(8, 8, 1), (8, 4, 1), (8, 16, 2)])
def test_concatenation_refuses_what_does_not_grow(size):
    with pytest.raises(ValueError, match=r"block=concatenation adds channels and cannot go .*: use network=densenet"):
        Concatenation(*size, body=basic, norm=Batch, activation=nn.ReLU)


@pytest.mark.parametrize("rule", [ReZero, WeightedResidual, ShortcutGating])
def test_what_only_the_shortcut_keeps_open_refuses_to_have_none(rule):
    with pytest.raises(ValueError, match="shortcut=none passes nothing: use shortcut=A"):
        rule(8, 8, 1, **parts | {"shortcut": ZeroShortcut})


def test_stochastic_depth_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="survival=0 is no probability above 0"):
        StochasticDepth(8, 8, 1, **parts, survival=0)
    with pytest.raises(ValueError, match="draw=pixel is neither batch nor image"):
        StochasticDepth(8, 8, 1, **parts, draw="pixel")


def losses(network: nn.Module, steps: int = 20) -> list[float]:
    """Of training to tell ten noisy patterns apart, with momentum at a rate of 0.05."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    y, found = torch.arange(60) % 10, []
    x = torch.randn(10, 1, 8, 8)[y] + 0.1 * torch.randn(60, 1, 8, 8)
    for _ in range(steps):
        loss = F.cross_entropy(network(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def test_fixup_trains_deep_networks_without_norm_where_residual_ones_diverge(build):
    deep = "network=small", "data.channels=1", "norm=none", "depth=110"
    fixup = losses(build(*deep, "block=fixup", "init=fixup"))
    assert fixup[-1] < fixup[0] - 0.03
    residual = losses(build(*deep, "block=residual"))
    assert not residual[-1] < residual[0], "as large as infinity, or no number at all"


def test_init_fixup_starts_every_body_at_zero_and_scales_the_layers_before(build):
    network = build("network=small", "block=fixup", "init=fixup", "norm=none", "data.channels=1", "depth=56")
    plain = build("network=small", "block=fixup", "init=he_fan_out", "norm=none", "data.channels=1", "depth=56")
    assert not network(torch.randn(2, 1, 8, 8)).any(), "the classifier starts at zero"
    for stage in network.stages:
        for block in stage:
            assert not block.body(torch.randn(2, block.body[0].conv.in_channels, 4, 4)).any()
    ratio = network.stages[2][5].body[0].conv.weight.std() / plain.stages[2][5].body[0].conv.weight.std()
    assert ratio.item() == pytest.approx(27**-0.5, rel=0.05), "L = 27 blocks of m = 2 layers"

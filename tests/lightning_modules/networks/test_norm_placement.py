"""Where the norms of a block stand: each placement by hand, and what it does to signals and gradients through depth."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.activation_order import BnAfterAddition
from lightning_modules.networks.attention import Attention, Mlp
from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.inits import body_of, xavier
from lightning_modules.networks.norm_placement import DeepNorm, Keel, PeriNorm, PostNorm, deep_norm
from lightning_modules.networks.norms import Batch, Pixel
from lightning_modules.networks.shortcuts import A
from lightning_modules.networks.transformer import TransformerNet

PARTS = {"shortcut": A, "norm": Pixel, "activation": nn.Identity}
KINDS = [Residual, PostNorm, DeepNorm, PeriNorm, Keel]
mlp = partial(Mlp, norm=Pixel, activation=nn.GELU)


def made(kind: type[Residual], body=mlp, **parts: object) -> Residual:
    given = PARTS | parts
    return kind(
        8, 8, 1, body=body, **{name: part for name, part in given.items() if name != "norm" or kind != Residual}
    )


def bare(block: Residual, x: Tensor) -> Tensor:
    """The body without its norms."""
    body = next(m for m in block.modules() if isinstance(m, Mlp))
    return body.second(body.activation(body.first(x)))


def normed(x: Tensor) -> Tensor:
    """Each pixel with mean 0 and variance 1: a fresh norm."""
    return Pixel(x.shape[1])(x)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Residual, lambda f, x: x + f(normed(x))),
        (PostNorm, lambda f, x: normed(x + f(x))),
        (DeepNorm, lambda f, x: normed(16**0.25 * x + f(x))),
        (PeriNorm, lambda f, x: x + normed(f(normed(x)))),
        (Keel, lambda f, x: normed(16 * x + f(normed(x)))),
    ],
)
def test_a_placement_is_its_equation(kind, expected):
    block, x = made(kind), 3 * torch.randn(2, 8, 4, 1)
    if hasattr(block, "set_position"):
        block.set_position(3, 16)
    torch.testing.assert_close(block(x), expected(partial(bare, block), x))


def test_the_first_two_blocks_of_keel_are_special():
    x = torch.randn(2, 8, 4, 1)
    for index, expected in ((1, Residual), (2, BnAfterAddition)):
        block = made(Keel)
        other = made(expected)
        other.body.load_state_dict(block.body.state_dict())
        block.set_position(index, 16)
        assert torch.equal(block(x), other(x))


@pytest.mark.parametrize("kind", [PostNorm, DeepNorm, PeriNorm, Keel])
def test_a_convolutional_body_gives_up_its_norm(kind):
    block = made(kind, partial(Basic, norm=Batch, activation=nn.ReLU), norm=Batch, activation=nn.ReLU).eval()
    where = [name for name, m in block.named_modules() if isinstance(m, Batch)]
    before = ["before"] if kind in (PeriNorm, Keel) else []
    after = ["body.2.norm"] if kind is PeriNorm else ["norm"]
    assert sorted(where) == sorted(["body.0.norm", *before, *after])
    if kind is PostNorm:
        same = made(BnAfterAddition, partial(Basic, norm=Batch, activation=nn.ReLU), norm=Batch, activation=nn.ReLU)
        same.load_state_dict(block.state_dict())
        x = torch.randn(2, 8, 6, 6)
        assert torch.equal(block(x), same.eval()(x))


def network(kind: type[Residual], depth: int, init=xavier) -> TransformerNet:
    torch.manual_seed(0)
    parts = {
        name: part for name, part in PARTS.items() if name != "activation" and (name != "norm" or kind != Residual)
    }
    bodies = {"body": partial(Attention, norm=Pixel), "mlp": mlp}
    block = partial(kind, **parts)
    return TransformerNet(depth, 0.5, 1, 8, 10, block=block, **bodies, norm=Pixel, init=init).double()


def deviation(kind: type[Residual], depth: int, init=xavier) -> float:
    """Of what the last block gives, at each place."""
    net, x = network(kind, depth, init), torch.randn(16, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        return net.stages(net.stem(x)).std(dim=1).mean().item()


def gradient(kind: type[Residual], depth: int, *, blind: bool = False) -> float:
    """How large a random gradient of the last block's output is when it reaches the first block's input.

    With `blind` the bodies give noise of variance 1 that does not depend on x: only the shortcuts hand gradients on.
    """
    net = network(kind, depth)
    if blind:
        for block in net.stages[0]:
            block.body.register_forward_hook(lambda module, inputs, y: torch.randn_like(y))
    x = normed(torch.randn(8, 32, 4, 4)).double().detach().requires_grad_()
    y = net.stages(x)
    r = torch.randn_like(y)
    y.backward(r)
    return (x.grad.norm() / r.norm()).item()


@pytest.mark.parametrize("kind", [PostNorm, DeepNorm, Keel])
def test_a_norm_after_the_addition_leaves_each_place_at_unit_scale(kind):
    assert deviation(kind, 8) == pytest.approx((32 / 31) ** 0.5, rel=1e-3)
    assert isinstance(network(kind, 1).norm, nn.Identity), "the network adds no other"


def test_the_shortcuts_of_post_norm_lose_half_of_the_gradient_and_those_of_keel_keep_it():
    """Chen & Wei 2026: post-norm hands on 2^(−L/2) through L blocks, Keel as good as all at any depth."""
    assert 2**-9 < gradient(PostNorm, 8, blind=True) < 2**-7
    for depth in (8, 16):  # the first two blocks have variances of 1 + 1 and 2 + 1 to divide by
        assert gradient(Keel, depth, blind=True) == pytest.approx(3**-0.5, rel=0.1)
    assert gradient(Residual, 8, blind=True) == pytest.approx(1)


def test_with_bodies_the_gradient_of_keel_keeps_its_size_at_any_depth():
    assert [gradient(Keel, depth) for depth in (3, 16)] == pytest.approx([1, 1], rel=0.1)
    assert gradient(Residual, 16) > 1.5 * gradient(Residual, 3)


def test_peri_norm_grows_evenly_where_pre_norm_depends_on_the_weights():
    """Kim et al. 2025: of L blocks with a norm after the body the variance is about L, whatever the weights are."""

    def louder(net: nn.Module) -> None:
        xavier(net)
        for block in net.get_submodule("stages")[0]:
            for name, p in body_of(block).named_parameters():
                if name.endswith(("out.weight", "second.weight")):
                    p.data *= 4

    small, large = (deviation(PeriNorm, 16, init) for init in (xavier, louder))
    assert small == pytest.approx(32**0.5, rel=0.2)
    assert large == pytest.approx(small, rel=0.2)
    assert deviation(Residual, 16, louder) > 2 * deviation(Residual, 16)


def test_deep_norm_starts_small_but_for_queries_and_keys():
    net = network(DeepNorm, 4, deep_norm)
    beta, plain = (4 * 8) ** -0.25, (2 / (32 + 128)) ** 0.5
    attention, other = net.stages[0][2].body, net.stages[0][1].body
    assert other.first.weight.std().item() == pytest.approx(beta * plain, rel=0.05)
    qk, v = attention.qkv.weight[:64], attention.qkv.weight[64:]
    assert qk.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.1)
    assert v.std().item() == pytest.approx(beta * (2 / 128) ** 0.5, rel=0.1)
    assert net.stages[0][0].alpha == pytest.approx(8**0.25)


@pytest.mark.parametrize("block", ["keel", "deep_norm"])
def test_a_scaled_shortcut_needs_a_norm(build, block):
    sentence = f"block={block} multiplies its shortcut, which only a norm undoes: use norm=pixel"
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        build("network=transformer", "data.channels=1", f"block={block}", "norm=none")

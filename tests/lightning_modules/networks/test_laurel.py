"""LAuReL is a residual block at first, and its weights and matrices do what the equations say."""

from __future__ import annotations

from functools import partial
from math import prod

import pytest
import torch
from torch import nn

from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.counting import multiply_adds, parameters
from lightning_modules.networks.laurel import LAuReL, LAuReLPrevious, LowRank
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A, ZeroShortcut

parts = {"body": partial(Basic, norm=Batch, activation=nn.ReLU), "shortcut": A, "activation": nn.ReLU}


@pytest.mark.parametrize("size", [(8, 8, 1), (8, 16, 2)], ids=str)
@pytest.mark.parametrize("options", [{}, {"rank": 0}, {"weights": False}, {"weights": False, "rank": 0}], ids=str)
@pytest.mark.parametrize("kind", [LAuReL, LAuReLPrevious])
def test_it_starts_as_a_residual_block(kind, options, size):
    block, residual = kind(*size, **parts, **options).eval(), Residual(*size, **parts).eval()
    residual.body.load_state_dict(block.body.state_dict())
    x = torch.randn(2, 8, 6, 6)
    assert torch.equal(block(x), residual(x))
    if kind is LAuReLPrevious:
        assert torch.equal(block(x, (x, 2 * x)), residual(x))


def test_weights_and_matrices_are_those_of_the_equation():
    block = LAuReLPrevious(16, 16, 1, **parts, rank=3).eval()
    for parameter in (block.weights, block.linear.a, block.linear.b, block.gamma):
        nn.init.normal_(parameter)
    old, middle, x = (torch.randn(2, 16, 6, 6) for _ in range(3))
    alpha, beta = 2 * block.weights.sigmoid()
    matrix = (block.linear.b @ block.linear.a)[..., None, None]
    h = [torch.conv2d(earlier, matrix) for earlier in (x, middle, old)]
    g = x + sum(gamma * one for gamma, one in zip(block.gamma, h, strict=True))
    expected = (alpha * block.body(x) + beta * g).relu()
    torch.testing.assert_close(block(x, (torch.randn_like(x), old, middle)), expected, msg="the last three count")
    assert torch.linalg.matrix_rank(block.linear.b @ block.linear.a) == 3


@pytest.mark.parametrize(
    ("rule", "more"),
    [
        (partial(LAuReL, rank=0), 2),
        (partial(LAuReL, rank=4, weights=False), 2 * 4 * 64),
        (partial(LAuReL, rank=16), 2 * 16 * 64 + 2),
        (partial(LAuReL, rank=99), 2 * 16 * 64 + 2),
        (partial(LAuReLPrevious, rank=4, previous=5, weights=False), 2 * 4 * 64 + 5),
    ],
)
def test_it_adds_the_published_number_of_parameters(rule, more):
    assert parameters(rule(64, 64, 1, **parts)) == parameters(Residual(64, 64, 1, **parts)) + more


@pytest.mark.parametrize("places", [(), (9,), (9, 1), (4, 4)], ids=["vectors", "series", "tokens", "images"])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_matrices_are_applied_one_after_the_other(device, places):
    """B A first would be a full matrix of 32 × 32."""
    assert multiply_adds(LowRank(32, 8), (32, *places), device) == 2 * 8 * 32 * prod(places)


def test_what_means_nothing_is_refused():
    with pytest.raises(ValueError, match=r"block.rank=-1 is negative; 0 is LAuReL-RW"):
        LAuReL(8, 8, 1, **parts, rank=-1)
    with pytest.raises(ValueError, match="a learnt shortcut needs something to pass"):
        LAuReL(8, 8, 1, **parts | {"shortcut": ZeroShortcut})
    with pytest.raises(ValueError, match=r"block.previous=0 is less than 1"):
        LAuReLPrevious(8, 8, 1, **parts, previous=0)

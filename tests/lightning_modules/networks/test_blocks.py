from __future__ import annotations

from functools import partial
from math import inf

import pytest
import torch
from torch import nn

from lightning_modules.networks.blocks import Block, Gate, Highway, Plain, Residual
from lightning_modules.networks.bodies import Basic, Bottleneck, Dense
from lightning_modules.networks.inits import last_layer
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A, B

basic = partial(Basic, norm=Batch, activation=nn.ReLU)
sizes = pytest.mark.parametrize("size", [(8, 8, 1), (8, 16, 2), (8, 12, 1)], ids=str)


def highway(size: tuple[int, int, int], **options: object) -> Highway:
    block = Highway(*size, body=basic, shortcut=A, activation=nn.ReLU, **options).eval()
    nn.init.normal_(block.transform.weight)
    return block


def images() -> torch.Tensor:
    return torch.randn(2, 8, 6, 6)


def fill(parameter: nn.Parameter, value: float) -> None:
    nn.init.constant_(parameter, value)


@sizes
def test_a_closed_gate_gives_the_shortcut(size):
    block = highway(size)
    fill(block.transform.bias, -inf)
    x = images()
    assert torch.equal(block(x), torch.relu(block.shortcut(x)))


@sizes
def test_an_open_gate_gives_the_plain_body(size):
    block, plain = highway(size), Plain(*size, body=basic, activation=nn.ReLU).eval()
    plain.body.load_state_dict(block.body.state_dict())
    fill(block.transform.bias, inf)
    x = images()
    assert torch.equal(block(x), plain(x))


@sizes
def test_two_open_gates_give_the_residual_block(size):
    block = highway(size, coupled=False)
    residual = Residual(*size, body=basic, shortcut=A, activation=nn.ReLU).eval()
    residual.body.load_state_dict(block.body.state_dict())
    fill(block.transform.bias, inf)
    fill(block.carry.bias, inf)
    x = images()
    assert torch.equal(block(x), residual(x))


@pytest.mark.parametrize("kernel", [1, 3])
@sizes
def test_coupled_gates_are_a_carry_gate_of_opposite_sign(size, kernel):
    coupled, own = (highway(size, gate_kernel=kernel, coupled=c) for c in (True, False))
    own.load_state_dict(coupled.state_dict(), strict=False)
    own.carry.weight.data = -own.transform.weight.data  # 1 − sigmoid(z) = sigmoid(−z)
    x = images()
    torch.testing.assert_close(coupled(x), own(x))


def test_a_gate_tells_how_open_it_is():
    gate = Gate(8, 16, 2, bias=-2, kernel=3)
    nn.init.zeros_(gate.weight)
    openness = gate(images())
    assert openness.shape == (2, 16, 3, 3)
    assert ((openness > 0) & (openness < 1)).all()
    torch.testing.assert_close(openness, torch.full((2, 16, 3, 3), -2.0).sigmoid())


def test_a_vector_meets_the_gate_of_an_image_of_one_pixel():
    gate, x = Gate(8, 16, 1, bias=0), torch.randn(3, 8)
    nn.init.normal_(gate.weight)
    torch.testing.assert_close(gate(x), gate(x[:, :, None, None])[:, :, 0, 0])


@pytest.mark.parametrize("shortcut", [A, partial(B, norm=Batch)])
@pytest.mark.parametrize("body", [basic, partial(Bottleneck, norm=Batch, activation=nn.ReLU)])
def test_a_zeroed_last_layer_gives_the_identity(shortcut, body):
    block = Residual(8, 8, 1, body=body, shortcut=shortcut, activation=nn.ReLU)
    nn.init.zeros_(last_layer(block).weight)
    x = images().abs()
    assert torch.equal(block(x), x)


def test_a_zeroed_last_layer_gives_the_identity_of_vectors():
    block = Residual(8, 8, 1, body=partial(Dense, norm=Batch), shortcut=A, activation=nn.ReLU)
    nn.init.zeros_(last_layer(block).weight)
    x = torch.rand(3, 8)
    assert torch.equal(block(x), x)


def test_an_activation_inside_leaves_the_sum_alone():
    block = highway((8, 8, 1), activation_inside=True).eval()
    x = torch.randn(2, 8, 6, 6)
    t = block.transform(x)
    torch.testing.assert_close(block(x), t * block.body(x).relu() + (1 - t) * x)
    outside = highway((8, 8, 1)).eval()
    outside.load_state_dict(block.state_dict())
    torch.testing.assert_close(outside(x), (t * block.body(x) + (1 - t) * x).relu())


def test_gates_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="gate_kernel=2 is neither 1 nor 3"):
        highway((8, 8, 1), gate_kernel=2)
    with pytest.raises(
        ValueError, match="gate_kernel=3 needs images, and this body takes vectors: use block=highway, whose"
    ):
        Highway(8, 8, 1, body=partial(Dense, norm=Batch), shortcut=A, activation=nn.ReLU, gate_kernel=3)


def test_a_block_without_a_join_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Block(8, 8, 1, body=basic, activation=nn.ReLU)

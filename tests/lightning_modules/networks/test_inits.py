from __future__ import annotations

from functools import partial
from math import sqrt

import pytest
import torch
from torch import nn

from lightning_modules.networks import inits
from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.layers import Readout
from lightning_modules.networks.norms import Batch, Derf, DyT
from lightning_modules.networks.shortcuts import A


def layers() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(64, 128, 3), Batch(128), nn.Linear(500, 300))


@pytest.mark.parametrize(
    ("init", "conv", "linear"),
    [
        (inits.he_fan_out, sqrt(2 / (128 * 9)), sqrt(2 / 300)),
        (inits.he_fan_in, sqrt(2 / (64 * 9)), sqrt(2 / 500)),
        (inits.xavier, sqrt(2 / (192 * 9)), sqrt(2 / 800)),
        (inits.orthogonal, sqrt(2 / (64 * 9)), sqrt(2 / 500)),  # rows of length √2
        (inits.torch_default, sqrt(1 / (3 * 64 * 9)), sqrt(1 / (3 * 500))),
    ],
)
def test_the_spread_of_weights_is_the_published_one(init, conv, linear):
    network = layers()
    init(network)
    assert network[0].weight.std().item() == pytest.approx(conv, rel=0.02)
    assert network[2].weight.std().item() == pytest.approx(linear, rel=0.02)


@pytest.mark.parametrize(
    "init", [inits.he_fan_out, inits.he_fan_in, inits.xavier, inits.orthogonal, inits.delta_orthogonal]
)
def test_norms_and_biases_are_reset(init):
    network = layers()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 7)
    init(network)
    assert (network[1].weight == 1).all()
    assert not any(network[i].bias.any() for i in range(3))


@pytest.mark.parametrize(("c_in", "c_out"), [(8, 16), (16, 16), (16, 8)])
def test_a_delta_orthogonal_layer_keeps_the_mean_square_pixel_by_pixel(c_in, c_out):
    conv, linear = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.Linear(c_in, c_out, bias=False)
    inits.delta_orthogonal(nn.Sequential(conv, linear))
    assert not conv.weight.detach().flatten(2)[:, :, [0, 1, 2, 3, 5, 6, 7, 8]].any()
    for matrix in (conv.weight.detach()[:, :, 1, 1], linear.weight.detach()):
        gram, gain = (matrix @ matrix.T, 1.0) if c_out < c_in else (matrix.T @ matrix, c_out / c_in)
        torch.testing.assert_close(gram, gain * torch.eye(min(c_in, c_out)), rtol=1e-4, atol=1e-5)


def test_a_kernel_without_a_centre_is_orthogonal_as_a_whole():
    patch = nn.Conv2d(3, 8, 2, 2)
    inits.delta_orthogonal(nn.Sequential(patch))
    rows = patch.weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(8), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("init", [inits.he_fan_out, inits.he_fan_in, inits.xavier, inits.orthogonal])
def test_the_classifier_keeps_its_own_start(init):
    network = nn.Sequential(nn.Linear(8, 8), Readout(8, 10))
    before = [layer.weight.clone() for layer in network]
    init(network)
    assert not torch.equal(network[0].weight, before[0])
    assert torch.equal(network[1].weight, before[1])


@pytest.mark.parametrize("norm", [Batch, nn.Identity, DyT, Derf])
def test_zero_residual_starts_every_block_as_its_shortcut(norm):
    block = Residual(8, 8, 1, body=partial(Basic, norm=norm, activation=nn.ReLU), shortcut=A, activation=nn.ReLU)
    network = nn.Module()
    network.stages = nn.Sequential(nn.Sequential(block))
    inits.zero_residual(network)
    x = torch.rand(2, 8, 4, 4)
    assert torch.equal(block(x), x)
    assert isinstance(inits.last_layer(block), nn.Conv2d if norm is nn.Identity else norm)
    for _ in range(2):  # and the body opens again
        block(x).square().sum().backward()
        with torch.no_grad():
            for parameter in block.parameters():
                parameter -= 1e-4 * parameter.grad
    assert block.body[0].conv.weight.grad.any()


def test_zero_residual_refuses_a_block_without_a_body():
    class Bare(nn.Module):
        shortcut = None

    network = nn.Module()
    network.stages = nn.Sequential(nn.Sequential(Bare()))
    with pytest.raises(ValueError, match="Bare has no `body` with a layer in it to set to zero"):
        inits.zero_residual(network)

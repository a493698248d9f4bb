from __future__ import annotations

import re

import pytest
import torch

from lightning_modules.networks.counting import multiply_adds, parameters

VGG = "network=vgg", "data.channels=3", "data.size=224", "data.classes=1000"
SHAPE = (3, 224, 224)


@pytest.mark.parametrize(
    ("depth", "params"), [(11, 132_863_336), (13, 133_047_848), (16, 138_357_544), (19, 143_667_240)]
)
def test_parameters_equal_those_of_torchvision(build, depth, params):
    assert parameters(build(*VGG, "norm=none", f"depth={depth}", device="meta")) == params


@pytest.mark.parametrize(("depth", "published", "gmacs"), [(16, 15.3, 15.470), (19, 19.6, 19.632)])
def test_multiply_adds_agree_with_the_published(build, depth, published, gmacs):
    """He et al. 2015, Sec. 4.1 and Fig. 3; their VGG-16 is without the linear layers (0.12 G)."""
    macs = multiply_adds(build(*VGG, f"depth={depth}", device="meta"), SHAPE) / 1e9
    assert macs == pytest.approx(published, rel=0.02)
    assert round(macs, 3) == gmacs


@pytest.mark.parametrize("head", ["fc", "pool"])
@pytest.mark.parametrize("size", [32, 40])
def test_small_images_pass(build, head, size):
    network = build(
        *VGG, f"data.size={size}", "depth=11", "width=0.05", f"network.head={head}", "data.classes=10"
    ).eval()
    assert network(torch.zeros(2, 3, size, size)).shape == (2, 10)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (["depth=18"], "depth=18 is not 11, 13, 16 or 19; the nearest is 19"),
        (["data.size=28"], "network=vgg halves the image five times, and 28 pixels are less than 32"),
        (["network.head=mlp"], "head=mlp is neither fc nor pool"),
        (
            ["init=zero_residual"],
            "init=zero_residual needs blocks with a shortcut: use init=he_fan_out, or block=residual",
        ),
    ],
)
def test_refusals_are_one_sentence(build, choices, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*VGG, *choices, device="meta")

"""Parameters, multiply-adds and shapes of the ImageNet family: the published ones."""

from __future__ import annotations

import re

import pytest
import torch

from lightning_modules.networks.counting import multiply_adds, parameters

IMAGENET = "network=imagenet", "data.channels=3", "data.size=224", "data.classes=1000"
BODY = {18: "basic", 34: "basic", 50: "bottleneck", 101: "bottleneck", 152: "bottleneck"}
SHAPE = (3, 224, 224)


@pytest.mark.parametrize(
    ("depth", "params", "gmacs"),
    [
        (18, 11_689_512, 1.814),
        (34, 21_797_672, 3.664),
        (50, 25_557_032, 4.089),
        (101, 44_549_160, 7.801),
        (152, 60_192_808, 11.514),
    ],
)
def test_counts_equal_those_of_torchvision(build, depth, params, gmacs):
    """torchvision 0.28 states three decimals; its networks have projections, and the stride in the 3×3."""
    stride = ["body.stride_on=3x3"] if depth >= 50 else []
    network = build(*IMAGENET, f"depth={depth}", f"body={BODY[depth]}", "shortcut=B", *stride, device="meta")
    assert parameters(network) == params
    assert round(multiply_adds(network, SHAPE) / 1e9, 3) == gmacs


@pytest.mark.parametrize(
    ("block", "depth", "shortcut", "published"),
    [
        ("residual", 18, "A", 1.8),
        ("residual", 34, "A", 3.6),
        ("plain", 34, "A", 3.6),
        ("residual", 50, "B", 3.8),
        ("residual", 101, "B", 7.6),
        ("residual", 152, "B", 11.3),
    ],
)
def test_multiply_adds_agree_with_the_paper(build, block, depth, shortcut, published):
    """He et al. 2015, Table 1 and Fig. 3, which give one decimal, at times cut and not rounded: 3.86 is 3.8 there.

    Two per cent allow for that, and still tell the paper's ResNet-50 from torchvision's (4.09).
    """
    network = build(
        *IMAGENET, f"block={block}", f"depth={depth}", f"body={BODY[depth]}", f"shortcut={shortcut}", device="meta"
    )
    assert multiply_adds(network, SHAPE) / 1e9 == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize("depth", [18, 34])
def test_shortcut_a_costs_nothing(build, depth):
    plain, residual = (
        build(*IMAGENET, f"depth={depth}", f"block={block}", device="meta") for block in ("plain", "residual")
    )
    assert parameters(plain) == parameters(residual)
    assert multiply_adds(plain, SHAPE) == multiply_adds(residual, SHAPE)


def test_the_shapes_of_resnet_18_on_one_grey_image(build):
    network = build("network=imagenet", "data.channels=1", "data.classes=10").eval()
    x, shapes = torch.zeros(1, 1, 224, 224), []
    for part in (network.stem, *network.stages, network.head[:2], network.head[2:]):
        x = part(x)
        shapes.append("×".join(map(str, x.shape[1:])))
    assert shapes == ["64×56×56", "64×56×56", "128×28×28", "256×14×14", "512×7×7", "512", "10"]


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (["depth=20"], "depth=20 is not 18, 34, 50, 101 or 152; the nearest is 18"),
        (
            ["depth=50"],
            "depth=50 is a bottleneck network: use network=imagenet_bottleneck, which chooses body=bottleneck and "
            "shortcut=B",
        ),
        (["body=bottleneck"], "depth=18 is a network of two-layer blocks: use body=basic"),
        (["body=dense"], "body=dense takes vectors, and this network passes images: use body=basic, or network=dense"),
    ],
)
def test_refusals_are_one_sentence(build, choices, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*IMAGENET, *choices, device="meta")

"""Parameters and multiply-adds of the CIFAR family: exactly the published ones."""

from __future__ import annotations

import re

import pytest
import torch

from lightning_modules.networks.counting import multiply_adds, parameters

CIFAR = "network=cifar", "data.channels=3", "data.size=32", "data.classes=10"


@pytest.mark.parametrize("block", ["plain", "residual"])
@pytest.mark.parametrize(
    ("depth", "expected"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018), (110, 1_727_962)]
)
def test_plain_and_residual_networks_have_the_published_parameters(build, block, depth, expected):
    """He et al. 2015, Table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 M. pycls's V-56 has 853,018."""
    network = build(*CIFAR, f"block={block}", f"depth={depth}", device="meta")
    assert parameters(network) == expected


@pytest.mark.parametrize(
    ("block", "depth", "params", "macs"),
    [
        ("residual", 56, 855_770, 125_747_850),  # pycls, R-56
        ("residual", 110, 1_730_714, 253_149_834),  # pycls, R-110
        ("plain", 56, 853_018, 125_485_706),  # pycls, V-56
    ],
)
def test_counts_equal_those_of_pycls(build, block, depth, params, macs):
    """pycls counts an addition for each bias of the classifier; everything else is equal."""
    network = build(*CIFAR, f"block={block}", "shortcut=B", f"depth={depth}", device="meta")
    assert parameters(network) == params
    assert multiply_adds(network, (3, 32, 32)) + 10 == macs


@pytest.mark.parametrize(("shortcut", "expected"), [("A", 40_551_040), ("B", 40_813_184)])
def test_resnet_20_has_the_known_multiply_adds(build, shortcut, expected):
    network = build(*CIFAR, f"shortcut={shortcut}", device="meta")
    assert multiply_adds(network, (3, 32, 32)) == expected


@pytest.mark.parametrize(("body", "depth"), [("basic", 20), ("basic", 56), ("bottleneck", 29)])
def test_shortcut_a_costs_nothing(build, body, depth):
    plain, residual = (
        build(*CIFAR, f"block={block}", "shortcut=A", f"body={body}", f"depth={depth}", device="meta")
        for block in ("plain", "residual")
    )
    assert parameters(plain) == parameters(residual)
    assert multiply_adds(plain, (3, 32, 32)) == multiply_adds(residual, (3, 32, 32))


@pytest.mark.parametrize("body", ["basic", "bottleneck"])
def test_depth_counts_the_weight_layers(build, body):
    depth = 20 if body == "basic" else 29
    network = build(*CIFAR, "block=plain", f"body={body}", f"depth={depth}", device="meta")
    assert sum(p.dim() > 1 for p in network.parameters()) == depth


@pytest.mark.parametrize("width", [0.1, 0.3, 1.5])
def test_a_width_may_be_a_fraction(build, says, body, norm, width):
    if body == "dense":
        with pytest.raises(ValueError, match="body=dense takes vectors"):
            build(*CIFAR, f"body={body}", f"norm={norm}", f"width={width}")
        return
    if not says(f"body={body}", "resizes", True):
        with pytest.raises(ValueError, match=r"keeps the size and has no stride 2|do not share \d+ channels"):
            build(*CIFAR, f"body={body}", f"norm={norm}", f"width={width}")
        return
    depth = 2 + 3 * says(f"body={body}", "layers", 2)
    if body in ("se", "se_bottleneck") and norm == "instance":
        with pytest.raises(ValueError, match="norm=instance makes equal"):
            build(*CIFAR, f"body={body}", f"norm={norm}", f"width={width}")
        return
    network = build(*CIFAR, f"body={body}", f"norm={norm}", f"width={width}", f"depth={depth}")
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (["depth=21"], "depth=21 is not 6n+2; the nearest are 20 and 26"),
        (["depth=21", "body=bottleneck"], "depth=21 is not 9n+2; the nearest are 20 and 29"),
        (["body=dense"], "body=dense takes vectors, and this network passes images: use body=basic, or network=dense"),
    ],
)
def test_refusals_are_one_sentence(build, choices, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*CIFAR, *choices)

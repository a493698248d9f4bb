from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from lightning_modules.networks.counting import multiply_adds, parameters

MNIST = "network=dense", "data.channels=1", "data.size=28", "data.classes=10", "norm=none"


def test_depth_counts_the_layers_but_the_output(build):
    network = build(*MNIST, "block=plain", "depth=20")
    assert sum(isinstance(m, nn.Linear) for m in network.modules()) == 20 + 1
    assert len(network.stages[0]) == 19


@pytest.mark.parametrize(("block", "units"), [("highway", 50), ("plain", 71)])
def test_a_published_layer_has_about_5000_parameters(build, block, units):
    """Srivastava et al. 2015, Sec. 3.1: 50 highway blocks or 71 plain units a layer, about 5000 parameters."""
    network = build(*MNIST, f"block={block}", f"network.units={units}")
    assert parameters(network.stages[0][0]) == pytest.approx(5000, rel=0.03)


def test_the_head_and_stem_are_counted(build):
    network = build(*MNIST, "block=plain", "depth=2")
    assert multiply_adds(network, (1, 28, 28)) == 784 * 50 + 50 * 50 + 50 * 10
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (["body=basic"], "network=dense needs body=dense: it passes vectors, and this block takes images"),
        (["depth=1"], "depth=1 is not 1n+1; the smallest is 2"),
        (
            ["norm=instance"],
            "norm=instance needs images, and this network passes vectors: use norm=layer or norm=batch",
        ),
        (
            ["block=highway", "block.gate_kernel=3"],
            "gate_kernel=3 needs images, and this body takes vectors: use block=highway, whose gate_kernel is 1",
        ),
    ],
)
def test_refusals_are_one_sentence(build, choices, sentence):
    given = {choice.split("=")[0] for choice in choices}
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*(choice for choice in MNIST if choice.split("=")[0] not in given), *choices)

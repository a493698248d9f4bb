"""A folded network computes what it computed before, with plain convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.folding import Dirac, DiracConv, RepVGG, fold, identity_kernel
from lightning_modules.networks.norms import Batch, Group

bodies = pytest.mark.parametrize("body", ["dirac", "repvgg"])


@pytest.mark.parametrize("block", ["plain", "residual"])
@pytest.mark.parametrize("norm", ["batch", "none"])
@bodies
def test_a_folded_network_is_plain_and_computes_the_same(tiny, body, norm, block):
    network = tiny(body, f"block={block}", f"norm={norm}").double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    for _ in range(3):
        network(torch.randn(8, 1, 8, 8, dtype=torch.float64))  # the statistics of the norms
    folded, images = fold(network), torch.randn(4, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(folded(images), network.eval()(images), rtol=0, atol=1e-10)
    assert {type(one.body) for stage in folded.stages for one in stage} == {nn.Conv2d}
    assert network.training is False
    assert any(isinstance(module, Dirac | RepVGG) for module in network.modules()), "it is left as it was"


def test_a_dirac_body_keeps_a_norm_that_looks_at_its_input():
    body = Dirac(8, 16, 2, norm=Group).double().eval()
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(body.folded()(x), body(x), rtol=0, atol=1e-10)


def test_a_dirac_convolution_without_w_is_its_input_times_a():
    layer = DiracConv(4, 6, 1, bias=False)
    nn.init.zeros_(layer.b)
    nn.init.constant_(layer.a, 3)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(layer(x), torch.cat([3 * x, torch.zeros(2, 2, 5, 5)], 1))
    assert torch.equal(identity_kernel(4, 6), nn.init.dirac_(torch.empty(6, 4, 3, 3)))


def test_the_size_of_w_does_not_matter():
    layer, x = DiracConv(4, 4, 1, bias=False), torch.randn(2, 4, 5, 5)
    before = layer(x)
    layer.weight.data *= 7
    torch.testing.assert_close(layer(x), before)


def test_a_dirac_body_closed_by_an_init_opens_again(tiny):
    network = tiny("dirac", "norm=none", "init=zero_residual")
    conv = network.stages[0][0].body.conv
    for _ in range(2):
        network(torch.randn(4, 1, 8, 8)).square().sum().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= 0.1 * parameter.grad
    assert all(parameter.grad.any() for parameter in (conv.a, conv.b, conv.weight))


@pytest.mark.parametrize(
    ("body", "more", "sentence"),
    [
        ("repvgg", "norm=group", "body=repvgg folds where its norms are batch norms, or none: use norm=batch"),
        ("basic", "norm=batch", "nothing in this network folds: use body=dirac or body=repvgg"),
    ],
)
def test_what_does_not_fold_is_named(tiny, body, more, sentence):
    with pytest.raises(ValueError, match=sentence):
        fold(tiny(body, more))


@pytest.mark.parametrize("wants", ["block=preactivation", "block=bn_after_addition", "init=zero_residual"])
def test_a_sum_of_branches_has_no_last_layer(tiny, wants):
    with pytest.raises(ValueError, match="body=repvgg ends in a sum of branches, and its last layer is wanted"):
        tiny("repvgg", wants)


def test_a_repvgg_body_has_three_branches_where_the_size_stays():
    assert len(list(RepVGG(8, 8, 1, norm=Batch).children())) == 3
    assert len(list(RepVGG(8, 16, 2, norm=Batch).children())) == 2

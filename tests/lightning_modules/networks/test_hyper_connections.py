"""Several streams begin as a residual network; constrained mixing keeps row and column sums, and the gain, at 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.handing_over import copied
from lightning_modules.networks.hyper_connections import (
    HyperConnections,
    ManifoldHyperConnections,
    PermutationHyperConnections,
    Streams,
)
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A, ZeroShortcut

parts = {
    "body": partial(Basic, norm=Batch, activation=nn.ReLU),
    "shortcut": A,
    "norm": Batch,
    "activation": nn.ReLU,
}
X = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
every = pytest.mark.parametrize(
    "block", ["hyper_connections", "manifold_hyper_connections", "permutation_hyper_connections"]
)
constrained = pytest.mark.parametrize(
    ("kind", "near"), [(ManifoldHyperConnections, 1e-2), (PermutationHyperConnections, 1e-6)]
)


def moved(module: nn.Module, by: float) -> nn.Module:
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[2] in ("bias", "weight", "gate") and ".body." not in f".{name}":
            parameter.data += by * torch.randn_like(parameter)
    return module


def matrices(network: nn.Module, x: Tensor) -> list[Tensor]:
    """R of every block, (B, n, n), in a forward pass."""
    found: list[Tensor] = []
    blocks = [block for stage in network.stages for block in stage]
    hooks = [block.register_forward_pre_hook(lambda m, x: found.append(m.mixing(x[0]))) for block in blocks]
    network(x)
    for hook in hooks:
        hook.remove()
    return found


def gain(found: list[Tensor]) -> float:
    """The largest absolute row or column sum of the product: 2512.24880, Sec. 3.1."""
    product = reduce(lambda above, below: below @ above, found)
    return max(product.sum(dim).abs().max().item() for dim in (1, 2))


@every
@pytest.mark.parametrize("chosen", [["norm=group"], ["norm=none", "block.dynamic=false"], ["block.per=image"]], ids=str)
@torch.no_grad()
def test_a_fresh_network_is_a_pre_norm_residual_one(build: Callable[..., nn.Module], block: str, chosen: list[str]):
    network = build("network=small", "depth=14", "data.channels=1", f"block={block}", *chosen).eval()
    h = network.stem(X)
    for stage in network.stages:
        for one in stage:
            h = one.shortcut(h) + one.body(one.activated(h))
    torch.testing.assert_close(network(X), network.head(one.last(h)))


@constrained
@pytest.mark.parametrize("dynamic", [False, True])
@torch.no_grad()
def test_rows_and_columns_sum_to_one(kind: type[Streams], near: float, dynamic: bool):
    block = moved(kind(8, 8, 1, **parts, dynamic=dynamic), by=1.0)
    mix = block.mixing(torch.randn(5, 4, 8, 6, 6))
    assert mix.shape == (5, 4, 4)
    assert (mix >= 0).all()
    assert (mix - torch.eye(4)).abs().max() > 0.1
    for dim in (1, 2):
        torch.testing.assert_close(mix.sum(dim), torch.ones(5, 4), atol=near, rtol=0)
    assert dynamic == (not torch.allclose(mix[0], mix[1]))


@every
@torch.no_grad()
def test_only_free_mixing_grows_through_depth(build: Callable[..., nn.Module], block: str):
    network = build("network=small", "depth=56", "data.channels=1", f"block={block}", "block.per=image").eval()
    assert gain(matrices(network, X)) == pytest.approx(1, abs=1e-4)
    found = gain(matrices(moved(network, by=0.3), X))
    assert found > 100 if block == "hyper_connections" else found == pytest.approx(1, abs=1e-2)


@torch.no_grad()
def test_hyper_connections_are_their_equation():
    """Eq. 2 and 10 to 13, at every pixel by itself: a body of vectors would see the same."""
    block = moved(HyperConnections(8, 8, 1, **parts), by=0.3).eval()
    streams = torch.randn(2, 4, 8, 5, 5)
    tokens = streams.permute(0, 3, 4, 1, 2)  # n × c matrices H, one a pixel
    seen = tokens / tokens.square().mean(-1, keepdim=True).sqrt()
    table = block.bias + block.gate[[0] * 5 + [1]] * (seen @ block.weight.T).tanh()
    a_m, a_r, b = table[..., 0], table[..., 1:5], table[..., 5]
    h = torch.einsum("...i,...ic->...c", a_m, tokens)
    fx = block.body(block.activated(h.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
    expected = torch.einsum("...i,...c->...ic", b, fx) + a_r.transpose(-1, -2) @ tokens
    torch.testing.assert_close(block(streams), expected.permute(0, 3, 4, 1, 2), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("index", range(1, 6))
@torch.no_grad()
def test_each_block_first_reads_another_stream(index: int):
    for kind, share in ((HyperConnections, 1.0), (ManifoldHyperConnections, 0.625)):
        block = kind(8, 8, 1, **parts)
        block.set_position(index, 9)
        read, _, write = block.weights(torch.randn(1, 4, 8, 6, 6))
        assert read[0, (index - 1) % 4].flatten()[0].item() == pytest.approx(share)
        assert read.sum(1).flatten()[0].item() == pytest.approx(1)
        assert (write == 1).all()


@torch.no_grad()
def test_all_pixels_of_an_image_may_share_their_weights():
    block = moved(ManifoldHyperConnections(8, 16, 2, **parts, per="image"), by=0.3).eval()
    streams = torch.randn(3, 4, 8, 6, 6)
    assert [weights.shape[3:].numel() for weights in block.weights(streams)] == [1, 1, 1]
    vectors = [weights.flatten(1) for weights in block.weights(streams.mean((3, 4), keepdim=True))]
    for one, other in zip(block.weights(streams), vectors, strict=True):
        torch.testing.assert_close(one.flatten(1), other)
    assert block(streams).shape == (3, 4, 16, 3, 3)


def test_what_streams_cannot_be_is_refused():
    for kind, options, sentence in (
        (HyperConnections, {"streams": 0}, "streams=0 is less than 1"),
        (ManifoldHyperConnections, {"streams": 1}, "streams=1 is less than 2"),
        (PermutationHyperConnections, {"streams": 7}, "streams=7 have 5040 permutations: use block=manifold"),
        (HyperConnections, {"per": "channel"}, "per=channel is neither pixel nor image"),
        (HyperConnections, {"shortcut": ZeroShortcut}, "several streams needs something to pass, .*: use shortcut=A"),
    ):
        with pytest.raises(ValueError, match=sentence):
            kind(8, 8, 1, **parts | options)


@torch.no_grad()
def test_copies_of_an_input_are_merged_to_its_mean():
    block, x = HyperConnections(8, 8, 1, **parts), torch.randn(2, 8, 6, 6)
    torch.testing.assert_close(block.merged(copied(x, block)), x)

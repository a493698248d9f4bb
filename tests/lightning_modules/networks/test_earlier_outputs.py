"""Blocks that mix all earlier outputs are their papers' equations, at the start and after it, through every size."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_modules.networks.earlier_outputs import DenseWeights, DepthAttention

X = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def of(build: Callable[..., nn.Module], block: str, *chosen: str) -> tuple[nn.Module, list[nn.Module]]:
    network = build("network=small", "depth=14", "data.channels=1", f"block={block}", *chosen).eval()
    return network, [one for stage in network.stages for one in stage]


@pytest.mark.parametrize("norm", ["group", "none"])
@pytest.mark.parametrize("multiway", ["true", "false"])
@torch.no_grad()
def test_fresh_dynamic_dense_is_a_pre_norm_residual_network(build, norm, multiway):
    network, blocks = of(build, "dynamic_dense", f"norm={norm}", f"block.multiway={multiway}")
    h = network.stem(X)
    for block in blocks:
        h = block.shortcut(h) + block.body(block.activated(h))
    torch.testing.assert_close(network(X), network.head(block.last(h)))


@pytest.mark.parametrize("shortcut", ["A", "B"])
@torch.no_grad()
def test_fresh_attention_reads_the_mean_of_all_bodies_before(build, shortcut):
    network, blocks = of(build, "attention_residuals", f"shortcut={shortcut}")
    outputs = [network.stem(X)]
    for block in blocks:
        fx = block.body(block.activated(torch.stack(outputs).mean(0)))
        outputs = [*(block.shortcut(value) for value in outputs), fx]
    torch.testing.assert_close(network(X), network.head(block.last(torch.stack(outputs).mean(0))))


@torch.no_grad()
def test_attention_weighs_by_the_direction_of_an_output():
    attention, values = DepthAttention(8), torch.randn(2, 3, 8, 4, 4)
    nn.init.normal_(attention.query)
    weights = attention(values)
    assert weights.shape == (2, 1, 3, 4, 4)
    torch.testing.assert_close(weights.sum(2), torch.ones(2, 1, 4, 4))
    torch.testing.assert_close(attention(5 * values), weights, rtol=1e-3, atol=1e-4)
    pixel = values[1, :, :, 2, 3]
    scores = F.rms_norm(pixel, (8,), eps=1e-6) @ attention.query
    torch.testing.assert_close(weights[1, 0, :, 2, 3], scores.softmax(0))


@torch.no_grad()
def test_dense_weights_are_a_small_network_of_the_last_output():
    dense, values = DenseWeights(8, 3, 2), torch.randn(2, 3, 8, 4, 4)
    nn.init.normal_(dense.second)
    pixel = F.rms_norm(values[1, -1, :, 2, 3], (8,), eps=1e-6)  # eq. 6
    expected = (F.gelu(pixel @ dense.first.T) @ dense.second.T).view(2, 3) + torch.tensor([0.0, 0.0, 1.0])
    torch.testing.assert_close(dense(values)[1, :, :, 2, 3], expected)


@torch.no_grad()
def test_what_gets_past_a_dynamic_dense_body_is_mixed_behind_the_shortcut(build):
    _, blocks = of(build, "dynamic_dense", "shortcut=B")
    block = next(one for one in blocks if one.stride == 2)
    nn.init.normal_(block.mix.second)
    history = tuple(torch.randn(2, block.c_in, 8, 8) for _ in range(2))
    earlier = torch.stack([*history, history[0]], dim=1)
    read, keep = block.mix(earlier).unbind(1)
    kept = sum(keep[:, i, None, ::2, ::2] * block.shortcut(earlier[:, i]) for i in range(3))
    fx = block.body(block.activated((read.unsqueeze(2) * earlier).sum(1)))
    torch.testing.assert_close(block(history[0], history), kept + fx, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", ["attention_residuals", "dynamic_dense"])
def test_every_earlier_output_can_be_mixed_at_every_depth(build, block):
    network, blocks = of(build, block)
    handed: list[int] = []
    for one in blocks:
        one.register_forward_pre_hook(lambda _, inputs: handed.append(len(inputs[1])))
    network(X)
    assert handed == list(range(6))


@pytest.mark.parametrize("shortcut", ["A", "B", "C"])
@torch.no_grad()
def test_outputs_are_carried_as_the_shortcut_has_it(build, shortcut):
    _, blocks = of(build, "attention_residuals", f"shortcut={shortcut}")
    for block in blocks:
        earlier: tuple[Tensor, ...] = tuple(torch.randn(2, block.c_in, 8, 8) for _ in range(3))
        for one, other in zip(block.carried(earlier), earlier, strict=True):
            torch.testing.assert_close(one, block.shortcut(other))

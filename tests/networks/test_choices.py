"""Laws for everything the config folders offer; a new file is covered without an edit here."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from lightning_modules.networks.inits import last_layer


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def blocks(network: nn.Module) -> list[nn.Module]:
    return [block for stage in network.stages for block in stage]


def check_gradients(network: nn.Module, silent: frozenset[nn.Parameter] = frozenset()) -> None:
    """Every parameter receives a gradient that is finite, and not all zero unless it is `silent`."""
    F.cross_entropy(network(images()), torch.arange(4)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any() or parameter in silent, name


def refused(tiny: Callable[..., nn.Module], body: str, norm: str, *choices: str) -> bool:
    """Whether the norm cannot take the body's vectors; checks that the network then says so."""
    if body != "dense" or norm != "instance":
        return False
    with pytest.raises(ValueError, match="norm=instance needs images, and this network passes vectors"):
        tiny(body, f"norm={norm}", *choices)
    return True


def test_every_parameter_learns(tiny, block, shortcut, norm, body):
    choices = f"block={block}", f"shortcut={shortcut}"
    if not refused(tiny, body, norm, *choices):
        check_gradients(tiny(body, f"norm={norm}", *choices))


def test_every_parameter_learns_with_every_activation(tiny, block, activation):
    check_gradients(tiny("basic", f"block={block}", f"activation={activation}"))


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_every_parameter_learns_from_every_init(tiny, block, init, norm):
    choices = f"block={block}", f"init={init}", f"norm={norm}"
    if init == "zero_residual" and block == "plain":
        with pytest.raises(ValueError, match="init=zero_residual needs blocks with a shortcut"):
            tiny("basic", *choices)
        return
    network = tiny("basic", *choices)
    silent: set[nn.Parameter] = set()
    if init == "zero_residual":  # a body whose last layer is zero hides the layers before it
        silent = {p for b in blocks(network) for p in set(b.body.parameters()) - set(last_layer(b).parameters())}
    check_gradients(network, frozenset(silent))


def test_gates_survive_every_init(tiny, init):
    network = tiny("basic", "block=highway", f"init={init}", "gate_bias=-3", "block.coupled=false")
    for block in blocks(network):
        assert (block.transform.bias == -3).all()
        assert (block.carry.bias == 3).all()
        assert block.transform.weight.abs().max() <= 1 / sqrt(block.transform.weight[0].numel()), "torch's own start"
        assert block.transform.weight.std() > 0


def test_plain_and_residual_A_start_from_equal_weights(tiny, body):
    def started(block: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        network = tiny(body, f"block={block}", "shortcut=A")
        return [*network.stem.parameters(), *(p for b in blocks(network) for p in b.body.parameters())]

    for p, q in zip(started("residual"), started("plain"), strict=True):
        assert torch.equal(p, q)


def test_evaluation_repeats_itself_and_takes_a_single_image(tiny, block, norm, body):
    if refused(tiny, body, norm, f"block={block}"):
        return
    network = tiny(body, f"block={block}", f"norm={norm}").eval()
    assert torch.equal(network(images()), network(images()))
    torch.testing.assert_close(network(images()[:1]), network(images())[:1])


def test_a_single_image_trains_unless_the_norm_needs_others(tiny, block, norm):
    assert tiny("basic", f"block={block}", f"norm={norm}").train()(images(1)).shape == (1, 10)


def test_double_precision_and_channels_last_change_nothing_else(tiny, block, norm, shortcut):
    network = tiny("basic", f"block={block}", f"norm={norm}", f"shortcut={shortcut}")
    expected = deepcopy(network)(images())
    last = deepcopy(network).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(images().to(memory_format=torch.channels_last)), expected)
    double = deepcopy(network).double()(images().double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("norm", ["batch", "group"])
@pytest.mark.parametrize("body", ["basic", "dense"])
def test_stacked_networks_train_as_one_by_one(tiny, block, norm, body):
    networks = [tiny(body, f"block={block}", f"norm={norm}") for _ in range(3)]
    parameters, buffers = stack_module_state(networks)
    skeleton, x = deepcopy(networks[0]).to("meta"), images()
    together = vmap(lambda p, b: functional_call(skeleton, (p, b), (x,)))(parameters, buffers)
    for i, network in enumerate(networks):
        torch.testing.assert_close(together[i], network(x))
        for name, buffer in network.named_buffers():
            torch.testing.assert_close(buffers[name][i], buffer)


def test_a_choice_is_a_file_in_its_place(config, composed, choice):
    assert config(choice) == composed(choice)


def test_a_plain_network_has_no_shortcut(config):
    assert "shortcut" not in config("block=plain").block
    assert "shortcut" in config("block=residual").block
    assert config("block=plain", "shortcut=B").network == config("block=plain", "shortcut=A").network

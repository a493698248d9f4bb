"""Laws for everything the config folders offer; a new file is covered without an edit here."""

from __future__ import annotations

from copy import deepcopy
from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from ablations.catalog.choices import CONF

pytestmark = pytest.mark.slow


def images(count: int = 4) -> torch.Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def blocks(network: nn.Module) -> list[nn.Module]:
    return [block for stage in network.stages for block in stage]


def calm(network: nn.Module) -> nn.Module:
    """The network with all that draws random numbers switched to what it does in evaluation."""
    for module in network.modules():
        if isinstance(module, nn.Dropout) or getattr(module, "random", False):
            module.training = False
    return network


def check_gradients(network: nn.Module) -> None:
    """Every parameter receives a finite gradient, not all zero within three steps: a start at zero may hide others."""
    unmoved = dict(calm(network).named_parameters())
    for _ in range(3):
        F.cross_entropy(network(images()), torch.arange(4)).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
        unmoved = {name: parameter for name, parameter in unmoved.items() if not parameter.grad.any()}
        if not unmoved:
            return
        with torch.no_grad():
            for parameter in network.parameters():
                parameter -= 0.1 * parameter.grad
        network.zero_grad()
    assert not unmoved, list(unmoved)


def test_every_parameter_learns(offered, block, shortcut, norm, body):
    if network := offered(body, f"block={block}", f"shortcut={shortcut}", f"norm={norm}"):
        check_gradients(network)


def test_every_block_learns_with_every_body(offered, block, body):
    if network := offered(body, f"block={block}"):
        check_gradients(network)


def test_every_block_learns_with_every_shortcut(offered, block, shortcut):
    if network := offered("basic", f"block={block}", f"shortcut={shortcut}"):
        check_gradients(network)


def test_every_body_learns_with_every_norm(offered, body, norm):
    if network := offered(body, f"norm={norm}"):
        check_gradients(network)


def test_the_defaults_go_with_everything(offered, choice):
    group, name = choice.split("=")
    body = name if group == "body" else "basic"
    assert offered(body, *[choice] * (group != "body")), choice


def test_every_parameter_learns_with_every_activation(tiny, block, activation):
    check_gradients(tiny("basic", f"block={block}", f"activation={activation}"))


def test_every_parameter_learns_from_every_init(offered, block, init):
    """Each two of block, init, and with or without a norm meet."""
    norm = ("batch", "none")[(len(block) + len(init)) % 2]
    if network := offered("basic", f"block={block}", f"init={init}", f"norm={norm}"):
        check_gradients(network)


@pytest.mark.parametrize("init", ["zero_residual", "fixup"])
@pytest.mark.parametrize(
    ("without", "sentence"),
    [
        ("block=plain", "needs blocks with a shortcut: use init=he_fan_out, or block=residual"),
        ("block=rezero", "zeroes bodies that their block multiplies by zero: use init=he_fan_out"),
        ("shortcut=none", "which starts bodies at zero, needs something to pass, and shortcut=none passes nothing"),
    ],
)
def test_an_init_that_closes_bodies_needs_another_way(tiny, init, without, sentence):
    with pytest.raises(ValueError, match=sentence):
        tiny("basic", without, f"init={init}")


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


def test_evaluation_repeats_itself_and_takes_a_single_image(offered, block, norm, body):
    if network := offered(body, f"block={block}", f"norm={norm}"):
        network.eval()
        assert torch.equal(network(images()), network(images()))
        torch.testing.assert_close(network(images()[:1]), network(images())[:1])


def test_a_single_image_trains_unless_the_norm_needs_others(offered, block, norm):
    if network := offered("basic", f"block={block}", f"norm={norm}"):
        assert network.train()(images(1)).shape == (1, 10)


def test_double_precision_and_channels_last_change_nothing_else(offered, block, norm, shortcut):
    network = offered("basic", f"block={block}", f"norm={norm}", f"shortcut={shortcut}")
    if network is None:
        return
    expected = deepcopy(calm(network))(images())
    last = deepcopy(network).to(memory_format=torch.channels_last)
    torch.testing.assert_close(last(images().to(memory_format=torch.channels_last)), expected)
    double = deepcopy(network).double()(images().double())
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("body", "norm"), [("basic", "group"), ("dense", "batch")])
def test_stacked_networks_train_as_one_by_one(offered, block, norm, body):
    networks = [offered(body, f"block={block}", f"norm={norm}") for _ in range(3)]
    if None in networks:
        return
    parameters, buffers = stack_module_state([calm(network) for network in networks])
    skeleton, x = deepcopy(networks[0]).to("meta"), images()
    together = vmap(lambda p, b: functional_call(skeleton, (p, b), (x,)))(parameters, buffers)
    for i, network in enumerate(networks):
        torch.testing.assert_close(together[i], network(x))
        for name, buffer in network.named_buffers():
            torch.testing.assert_close(buffers[name][i], buffer)


def test_choices_are_files_in_their_places(config, composed):
    row = "block=highway", "body=bottleneck", "shortcut=B", "norm=group", "activation=tanh", "init=xavier"
    assert config(*row) == composed(*row)


def test_a_file_is_composed_as_it_is_read(read, every, choice):
    group, name = choice.split("=")
    assert read(group, name) == every[group][name]
    assert "@package" not in (CONF / group / f"{name}.yaml").read_text(), "which would put it elsewhere"


def test_a_plain_network_has_no_shortcut(config):
    assert "shortcut" not in config("block=plain").block
    assert "shortcut" in config("block=residual").block
    assert config("block=plain", "shortcut=B").network == config("block=plain", "shortcut=A").network

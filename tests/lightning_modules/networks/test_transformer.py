"""Transformers and their bodies: equal to torch's own layers, causal where they must be, and one sentence otherwise."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from lightning_modules.networks import inits
from lightning_modules.networks.attention import Attention, Mlp
from lightning_modules.networks.blocks import Residual
from lightning_modules.networks.handing_over import WithHistory, WithStreams
from lightning_modules.networks.norm_placement import PostNorm
from lightning_modules.networks.norms import Pixel
from lightning_modules.networks.preactivation import PreActivation
from lightning_modules.networks.shortcuts import A
from lightning_modules.networks.transformer import TransformerNet
from tests.lightning_modules.networks.test_handing_over import Earlier, Pair

DIGITS = "network=transformer", "data.channels=1", "data.size=8", "data.classes=10"
TEXT = "network=transformer", "data.channels=7", "data.size=[6]", "data.classes=7", "tokens=true", "depth=2"


def layer(kind: type[Residual], *, causal: bool) -> nn.Sequential:
    """An attention block and an mlp block of 16 channels."""
    made = {"shortcut": A, "norm": Pixel, "activation": nn.Identity}
    bodies = partial(Attention, norm=Pixel, causal=causal), partial(Mlp, norm=Pixel, activation=nn.GELU)
    named = made if kind is PostNorm else {name: part for name, part in made.items() if name != "norm"}
    return nn.Sequential(*(kind(16, 16, 1, body=body, **named) for body in bodies)).double()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kind", [Residual, PostNorm])
def test_a_layer_is_torchs_own(kind, causal):
    """`norm_first` is pre-norm, block=residual; without it, it is post-norm."""
    ours, first = layer(kind, causal=causal), kind is Residual
    theirs = nn.TransformerEncoderLayer(16, 4, 64, 0.0, "gelu", 1e-6, True, first, dtype=torch.float64)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    attention, mlp = ours
    norms = [block.body.norm if first else block.norm for block in ours]
    copied = [
        *(theirs.self_attn.in_proj_weight, theirs.self_attn.in_proj_bias),
        *(theirs.self_attn.out_proj.weight, theirs.self_attn.out_proj.bias),
        *(p for one in (theirs.linear1, theirs.linear2, theirs.norm1, theirs.norm2) for p in (one.weight, one.bias)),
    ]
    layers = attention.body.qkv, attention.body.out, mlp.body.first, mlp.body.second, *norms
    with torch.no_grad():
        for parameter, value in zip((p for one in layers for p in (one.weight, one.bias)), copied, strict=True):
            parameter.copy_(value.view_as(parameter))
    x = torch.randn(3, 5, 16, dtype=torch.float64)
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64) if causal else None
    expected = theirs.train()(x, src_mask=mask, is_causal=causal)
    found = ours(x.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_attention_sees_all_pixels_and_does_not_know_where_they_are():
    body = Attention(8, 8, 1, norm=Pixel).double()
    x = torch.randn(2, 8, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(body(x.flip(2, 3)).flip(2, 3), body(x))
    other = x.clone()
    other[:, :, -1, -1] = torch.randn(8)
    assert not torch.allclose(body(x)[:, :, 0, 0], body(other)[:, :, 0, 0])


@pytest.mark.parametrize(
    ("choices", "shape"),
    [
        (["data.channels=1", "data.size=8"], (1, 8, 8)),
        (["data.channels=3", "data.size=[8,4]"], (3, 8, 4)),
        (["data.channels=3", "data.size=[9]"], (3, 9)),
    ],
)
def test_images_and_series_become_classes(build, choices, shape):
    network = build("network=transformer", "data.classes=10", *choices)
    assert network(torch.randn(2, *shape)).shape == (2, 10)
    network.position.data.zero_()
    x = torch.randn(2, *shape)
    swapped = x.flip(-1) if len(shape) == 2 else x.roll(2, dims=-1)  # whole patches
    torch.testing.assert_close(network(swapped), network(x))


def test_depth_counts_pairs_of_attention_and_mlp(build):
    network = build(*DIGITS, "depth=3")
    assert [type(block.body) for block in network.stages[0]] == [Attention, Mlp] * 3
    assert all(isinstance(block.activation, nn.Identity) for block in network.stages[0])
    assert sum(p.numel() for p in network.stages.parameters()) == 3 * (12 * 64**2 + 13 * 64), "12 c² and 13 c a layer"


def test_no_output_depends_on_a_later_token(build, block):
    try:
        network = build(*TEXT, f"block={block}").eval()
    except ValueError as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017
        return
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.tensor([[1, 2, 3, 4, 5, 6]])
    y = network(x)
    assert y.shape == (1, 6, 7)
    for place in range(6):
        other = x.clone()
        other[:, place] = 0
        changed = (network(other) - y).abs().amax(dim=(0, 2)) > 1e-5
        assert changed.tolist() == [False] * place + changed[place:].tolist()
        assert changed[place]
    torch.testing.assert_close(network(x[:, :4]), y[:, :4])


@pytest.mark.parametrize("wrong", ["norm=layer", "norm=instance", "norm=batch", "body=basic", "body=se"])
def test_what_sees_later_tokens_is_refused(build, wrong):
    with pytest.raises(ValueError, match="sees later ones: use norm=pixel, and body=attention"):
        build(*TEXT, wrong)


def recorded(network: DictConfig) -> Any:
    """What a record and the identity of a run have of a network."""
    return OmegaConf.to_container(network, resolve=True)


def test_text_is_recorded_as_causal_and_images_as_not(config):
    text = config("data=shakespeare").network
    assert text.body.causal is True
    assert recorded(text) == recorded(config("data=shakespeare", "body.causal=true").network)
    images = config("network=transformer").network
    assert images.body.causal is False
    assert recorded(images) == recorded(config("network=transformer", "body.causal=false").network)


@pytest.mark.parametrize("wrong", ["false", "null"])
def test_tokens_that_see_later_ones_by_choice_are_refused(build, wrong):
    with pytest.raises(ValueError, match=r"with body.causal=false it sees later ones: leave it out$"):
        build(*TEXT, f"body.causal={wrong}")
    assert build(*TEXT, "body.causal=true").stages[0][0].body.causal
    assert build(*DIGITS, "body.causal=true").stages[0][0].body.causal


def test_tokens_of_a_body_that_nobody_asked_are_causal():
    bodies = {"body": partial(Attention, norm=Pixel), "mlp": partial(Mlp, norm=Pixel, activation=nn.GELU)}
    made = {"block": partial(Residual, shortcut=A), **bodies, "norm": Pixel, "init": inits.xavier}
    assert TransformerNet(1, 1, 7, (6,), 7, **made, tokens=True).stages[0][0].body.causal


def test_a_gate_that_sees_later_tokens_is_refused_and_one_that_does_not_is_not(build):
    assert build(*TEXT, "block=highway")
    with pytest.raises(ValueError, match="sees later ones"):
        build(*TEXT, "block=highway", "block.gate_kernel=3")


def test_looking_for_later_tokens_draws_nothing(build):
    before = torch.get_rng_state()
    one = build(*TEXT).state_dict()
    torch.set_rng_state(before)
    other = build(*TEXT).state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("body", ["attention", "basic", "mlp"])
def test_no_other_block_is_residual(build, block, body):
    """Of all that are built, none has the weights and the outputs of block=residual."""
    choices = [*DIGITS, "depth=2", "network.units=32", f"body={body}"]
    residual = build(*choices, "block=residual")
    try:
        other = build(*choices, f"block={block}")
    except ValueError:
        return
    if block == "residual" or shapes(other) != shapes(residual):
        return
    for parameter in residual.parameters():
        nn.init.normal_(parameter, std=0.3)
    other.load_state_dict(dict(zip(other.state_dict(), residual.state_dict().values(), strict=True)))
    x = torch.randn(4, 1, 8, 8)
    assert not all(torch.equal(residual(x), other(x)) for _ in range(20)), "some draw"


def shapes(network: nn.Module) -> list[torch.Size]:
    return [value.shape for value in network.state_dict().values()]


ORDERS = "preactivation", "relu_only_preactivation", "relu_before_addition"


@pytest.mark.parametrize("order", ORDERS)
def test_a_block_that_is_residual_here_is_refused(build, order):
    with pytest.raises(ValueError, match=r"^this block is block=residual here, .*: use block=residual$"):
        build(*DIGITS, f"block={order}")
    if order == "preactivation":
        assert build(*DIGITS, f"block={order}", "body=basic"), "its norm stands before a body that ends with one"


class Halved(PreActivation):
    """A block of one's own."""

    def join(self, x, fx):
        return 0.5 * fx + x


def test_a_block_of_ones_own_is_what_it_says(build):
    target = f"block._target_={Halved.__module__}.Halved"
    assert type(build(*DIGITS, "block=preactivation", target).stages[0][0]) is Halved


@pytest.mark.parametrize(("block", "kind"), [(Earlier, WithHistory), (Pair, WithStreams)])
def test_history_and_streams_are_handed_over(block, kind):
    bodies = {"body": partial(Attention, norm=Pixel), "mlp": partial(Mlp, norm=Pixel, activation=nn.GELU)}
    made = partial(block, shortcut=A) if block is Pair else block
    network = TransformerNet(2, 1, 1, 8, 10, block=made, **bodies, norm=Pixel, init=inits.xavier)
    assert type(network.stages) is kind
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 10)
    if block is Earlier:
        assert [one.handed for one in network.stages[0]] == [0, 1, 2, 3], "all outputs are of one size"


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (["depth=0"], "depth=0 is no number of layers; the smallest is 1"),
        (["network.patch=3"], "network.patch=3 does not divide 8 × 8 pixels; the nearest is 2"),
        (["data.size=[]"], "network=transformer needs places, and the data has vectors: use network=dense"),
        (["body.heads=5"], "body.heads=5 do not share 64 channels equally: the nearest is 4"),
        (["body=dense"], "body=dense takes vectors, and this network passes images: use body=basic, or network=dense"),
    ],
)
def test_refusals_are_one_sentence(build, choices, sentence):
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*DIGITS, *choices)


@pytest.mark.parametrize("places", [["data.size=[8]"], TEXT], ids=["series", "tokens"])
def test_a_patch_of_what_is_not_cut_is_refused(build, places):
    sentence = "network.patch=4 is of images, and here each step or token is a place: leave it out"
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        build(*DIGITS, *places, "network.patch=4")
    assert build(*DIGITS, *places, "network.patch=2")


@pytest.mark.parametrize("body", ["attention", "mlp"])
def test_a_body_that_keeps_the_size_refuses_to_halve_it(build, body):
    with pytest.raises(ValueError, match=f"body={body} keeps the size and has no stride 2: use body=basic"):
        build("network=small", "data.channels=1", "depth=8", f"body={body}")

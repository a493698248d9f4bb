"""The operator of deep delta, and what an orthogonal update is orthogonal to."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from lightning_modules.networks.bodies import Basic, Dense
from lightning_modules.networks.directions import DeepDelta, OrthogonalUpdate
from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A, ZeroShortcut

basic = partial(Basic, norm=Batch, activation=nn.ReLU)
parts = {"body": basic, "shortcut": A, "activation": nn.Identity}


def delta(beta: float, x: Tensor) -> tuple[nn.Module, Tensor]:
    """A block with this β that writes nothing, and the direction k of its body, of doubles."""
    block = DeepDelta(8, 8, 1, **parts, value_scale=0).double().eval()
    nn.init.zeros_(block.beta.weight)
    nn.init.constant_(block.beta.bias, torch.logit(torch.tensor(beta / 2, dtype=torch.float64)).item())
    fx = block.body(x)
    return block, fx / fx.norm(dim=1, keepdim=True)


@pytest.mark.parametrize(("beta", "becomes"), [(0.0, 1), (1.0, 0), (2.0, -1), (0.5, 0.5)])
def test_the_part_along_the_body_is_kept_removed_or_turned_round(beta, becomes):
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    block, k = delta(beta, x)
    along = (k * x).sum(1, keepdim=True) * k
    torch.testing.assert_close(block(x), x - along + becomes * along)


@pytest.mark.parametrize("beta", [0.3, 1.0, 2.0])
def test_one_eigenvalue_of_the_operator_is_one_minus_beta_and_all_others_are_one(beta):
    x = torch.randn(1, 8, 1, 1, dtype=torch.float64)
    block, _ = delta(beta, x)
    fx = block.body(x)
    operator = torch.stack([block.join(e.view(1, 8, 1, 1), fx).flatten() for e in torch.eye(8, dtype=torch.float64)])
    expected = torch.tensor([1 - beta, *[1.0] * 7], dtype=torch.float64)
    torch.testing.assert_close(torch.linalg.eigvalsh(operator), expected)


def test_a_value_is_written_along_the_body():
    x = torch.randn(2, 8, 6, 6, dtype=torch.float64)
    block, k = delta(1.0, x)
    block.value_scale = 4
    v = (k * block(x)).sum(1, keepdim=True)
    torch.testing.assert_close(v, 4 * block.value(x))


@pytest.mark.parametrize("start", [0.02, 1.0, 1.9])
def test_beta_starts_where_it_should(start):
    block = DeepDelta(64, 64, 1, **parts, start=start)
    beta = 2 * block.beta(torch.zeros(1, 64, 4, 4))
    torch.testing.assert_close(beta, torch.full_like(beta, start))


@pytest.mark.parametrize(("over", "dims"), [("channels", 1), ("all", (1, 2, 3))])
@pytest.mark.parametrize("size", [(8, 8, 1), (8, 16, 2)], ids=str)
def test_an_update_is_orthogonal_to_the_shortcut(over, dims, size):
    block = OrthogonalUpdate(*size, **parts, over=over).double()
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64)
    s, fx = block.shortcut(x), block.body(x)
    update = block(x) - s
    assert (s * update).sum(dims).abs().max() < 1e-4
    parallel = fx - update  # of which nothing is orthogonal: a multiple of s, with one factor each
    factor = (s * fx).sum(dims, keepdim=True) / s.square().sum(dims, keepdim=True)
    torch.testing.assert_close(parallel, factor * s, rtol=1e-5, atol=1e-5)


def test_vectors_are_images_of_one_pixel():
    for kind in (DeepDelta, OrthogonalUpdate):
        block = kind(8, 8, 1, **parts | {"body": partial(Dense, norm=nn.Identity)})
        x, fx = torch.randn(3, 8), torch.randn(3, 8)
        torch.testing.assert_close(block.join(x, fx), block.join(x[..., None, None], fx[..., None, None])[..., 0, 0])


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (partial(DeepDelta, **parts, start=2), r"block.start=2 must be > 0 and < 2"),
        (partial(DeepDelta, **parts | {"shortcut": ZeroShortcut}), "an operator on the shortcut needs something"),
        (partial(OrthogonalUpdate, **parts, over="pixels"), "block.over=pixels is neither channels nor all"),
        (partial(OrthogonalUpdate, **parts | {"shortcut": ZeroShortcut}), "an orthogonal update needs something"),
    ],
)
def test_what_means_nothing_is_refused(rule, sentence):
    with pytest.raises(ValueError, match=sentence):
        rule(8, 8, 1)

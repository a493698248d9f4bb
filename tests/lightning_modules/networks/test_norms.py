from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.norms import Batch, Derf, DyT, Group, Instance, Layer, Pixel


@pytest.mark.parametrize(("norm", "over"), [(Batch, (0, 2, 3)), (Layer, (1, 2, 3)), (Instance, (2, 3)), (Pixel, 1)])
def test_a_norm_leaves_mean_zero_and_variance_one(norm, over):
    y = norm(6)(3 * torch.randn(5, 6, 7, 7) + 2)
    torch.testing.assert_close(y.mean(over), torch.zeros_like(y.mean(over)), atol=1e-5, rtol=0)
    torch.testing.assert_close(y.var(over, correction=0), torch.ones_like(y.mean(over)), atol=1e-3, rtol=0)


def test_a_pixel_norm_adds_as_little_as_convnext_does():
    x = torch.tensor([[1e-3, -1e-3]], dtype=torch.float64)
    expected = torch.tensor([[0.5**0.5, -(0.5**0.5)]], dtype=torch.float64)  # 1e-3 / √(1e-6 + 1e-6)
    torch.testing.assert_close(Pixel(2).double()(x), expected)


@pytest.mark.parametrize("norm", [Batch, Group, Layer, Pixel, DyT, Derf])
def test_a_vector_is_an_image_of_one_pixel(norm):
    x = torch.randn(5, 16)
    torch.testing.assert_close(norm(16)(x), norm(16)(x[:, :, None, None])[:, :, 0, 0])


def test_a_bounded_norm_is_its_equation_number_by_number():
    x, weight, bias = torch.randn(5, 6, 7, 7), torch.randn(6), torch.randn(6)
    for norm, squash in ((DyT(6, alpha=0.7), torch.tanh), (Derf(6, alpha=0.7), lambda x: torch.erf(x + 0.2))):
        norm.weight.data, norm.bias.data = weight, bias
        if isinstance(norm, Derf):
            norm.shift.data.fill_(0.2)
        expected = weight[:, None, None] * squash(0.7 * x) + bias[:, None, None]
        torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize(("channels", "groups"), [(16, 8), (64, 8), (8, 4), (50, 5), (12, 6), (7, 1), (2, 1), (1, 1)])
def test_groups_are_equal_at_most_eight_and_never_of_one_channel(channels, groups):
    assert Group(channels).num_groups == groups


def test_norms_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="norm=instance needs more than one pixel"):
        Instance(4)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="norm=batch takes images"):
        Batch(4)(torch.zeros(2, 4, 5))
    with pytest.raises(ValueError, match="groups=0 is less than 1"):
        Group(4, groups=0)

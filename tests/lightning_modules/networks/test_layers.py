from __future__ import annotations

import torch
from torch import nn

from lightning_modules.networks.layers import Pointwise, conv, conv_norm, linear_norm
from lightning_modules.networks.norms import Batch


def test_a_pointwise_layer_is_one_matrix_for_images_and_vectors():
    layer, vectors = Pointwise(4, 6), torch.randn(3, 4)
    torch.testing.assert_close(layer(vectors), layer(vectors[:, :, None, None])[:, :, 0, 0])
    torch.testing.assert_close(layer(vectors), vectors @ layer.weight[:, :, 0, 0].T + layer.bias)


def test_a_layer_has_a_bias_exactly_when_it_has_no_norm():
    for make in (lambda norm: conv_norm(4, 6, 3, 1, norm=norm).conv, lambda norm: linear_norm(4, 6, norm=norm).linear):
        assert make(Batch).bias is None
        assert make(nn.Identity).bias is not None


def test_a_stride_halves_and_rounds_up():
    for kernel in (1, 3, 7):
        assert conv(2, 2, kernel, 2, bias=False)(torch.zeros(1, 2, 9, 8)).shape == (1, 2, 5, 4)

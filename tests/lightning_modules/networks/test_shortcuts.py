from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from lightning_modules.networks.norms import Batch
from lightning_modules.networks.shortcuts import A, B, C, D, Projection, ZeroShortcut

CHANGERS = [partial(B, norm=Batch), partial(D, norm=Batch), Projection]
X = torch.arange(2 * 4 * 5 * 6.0).reshape(2, 4, 5, 6)


@pytest.mark.parametrize("make", [A, partial(A, subsample="average", pad="symmetric"), *CHANGERS])
def test_equal_sizes_pass_untouched_and_cost_nothing(make):
    shortcut = make(4, 4, 1)
    assert torch.equal(shortcut(X), X)
    assert not list(shortcut.parameters())


@pytest.mark.parametrize("subsample", ["stride", "average"])
@pytest.mark.parametrize(("pad", "front"), [("end", 0), ("symmetric", 2)])
def test_a_subsamples_and_pads_with_zeros(subsample, pad, front):
    y = A(4, 8, 2, subsample=subsample, pad=pad)(X)
    kept = y[:, front : front + 4]
    assert y.shape == (2, 8, 3, 3)
    assert y.sum() == kept.sum()
    assert torch.equal(kept[:, :, 0, 0], X[:, :, 0, 0] if subsample == "stride" else X[:, :, :2, :2].mean((2, 3)))


@pytest.mark.parametrize("make", [partial(B, norm=Batch), partial(C, norm=Batch)])
def test_projections_change_the_size(make):
    shortcut = make(4, 3, 2)
    assert shortcut(X).shape == (2, 3, 3, 3)
    assert sum(p.numel() for p in shortcut.parameters()) == 4 * 3 + 2 * 3


def test_c_projects_even_where_nothing_changes():
    assert sum(p.numel() for p in C(4, 4, 1, norm=nn.Identity).parameters()) == 4 * 4 + 4


@pytest.mark.parametrize("make", [A, partial(A, pad="symmetric"), partial(B, norm=Batch), partial(C, norm=Batch)])
@pytest.mark.parametrize("c_out", [4, 6])
def test_vectors_pass_too(make, c_out):
    assert make(4, c_out, 1)(torch.randn(3, 4)).shape == (3, c_out)


def test_d_takes_the_mean_where_b_takes_every_second_pixel():
    b, d = B(4, 6, 2, norm=nn.Identity), D(4, 6, 2, norm=nn.Identity)
    d.project.load_state_dict(b[0].state_dict())
    flat = X.mean((2, 3), keepdim=True).expand(2, 4, 5, 6)
    torch.testing.assert_close(d(flat), b(flat))
    torch.testing.assert_close(d(X)[:, :, 0, 0], b(X[:, :, :2, :2].mean((2, 3), keepdim=True))[:, :, 0, 0])


def test_a_projection_is_nothing_but_its_weights():
    assert sum(p.numel() for p in Projection(4, 6, 2).parameters()) == 4 * 6
    assert Projection(4, 6, 2)(X).shape == (2, 6, 3, 3)


def test_no_shortcut_adds_nothing():
    assert torch.equal(X[:, :, ::2, ::2] + ZeroShortcut(4, 4, 2)(X), X[:, :, ::2, ::2])


def test_a_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="shortcut=A can only add channels, not go from 8 to 4: use shortcut=B"):
        A(8, 4, 1)
    with pytest.raises(ValueError, match="subsample=max is neither stride nor average"):
        A(4, 8, 1, subsample="max")
    with pytest.raises(ValueError, match="pad=front is neither end nor symmetric"):
        A(4, 8, 1, pad="front")

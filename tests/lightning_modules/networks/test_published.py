"""Networks by their published names have exactly the published or generally known numbers of parameters."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.networks.counting import parameters

CIFAR = "data.channels=3", "data.size=32", "data.classes=10"


@pytest.mark.parametrize(
    ("choices", "count"),
    [
        # He et al. 2015, Table 6; the shallower and the plain ones are in test_cifar.py, ImageNet's in test_imagenet.py
        (["network=cifar", "depth=1202"], 19_421_274),
        # He et al. 2016, Sec. 4: 1.7 M and 10.2 M (see below). The exact counts are those of osmr/imgclsmob
        (["network=preresnet", "body=basic", "depth=110"], 1_730_522),
        (["network=preresnet"], 1_703_258),
        # Zagoruyko & Komodakis 2016, Table 4: 36.5 M and 8.9 M
        (["network=wide_resnet"], 36_479_194),
        (["network=wide_resnet", "depth=40", "width=4"], 8_949_210),
        # Xie et al. 2017, Table 7: 34.4 M for 8×64d; the other is osmr/imgclsmob's
        (["network=resnext"], 34_426_698),
        (["network=resnext", "body.groups=32", "body.group_width=4"], 4_775_754),
        # Hu et al. 2018 do not count their CIFAR nets; osmr/imgclsmob does
        (["network=se_resnet"], 274_847),
        (["network=se_resnet", "depth=110"], 1_744_952),
        (["network=se_resnet", "depth=164", "body=se_bottleneck"], 1_906_258),
        # Huang et al. 2016: ResNet-110 with option A
        (["network=stochastic_depth"], 1_727_962),
        # Huang et al. 2017, Table 2: 0.8 M and 15.3 M
        (["network=densenet"], 769_162),
        (["network=densenet", "depth=250", "network.growth=24"], 15_324_406),
        # Srivastava et al. 2015, Sec. 3.3: 2.3 M; the exact count is that of the authors' Caffe network
        (["network=fitnet"], 2_256_838),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_published_network_has_its_parameters(build, choices, count):
    assert parameters(build(*CIFAR, *choices, device="meta")) == count


def test_he_2016_count_weights_without_norms(build):
    """10.2 M is what they say of pre-activation-1001; of its 10.33 M parameters 10.18 M are weights."""
    network = build(*CIFAR, "network=preresnet", "depth=1001", device="meta")
    assert parameters(network) == 10_327_706
    assert sum(p.numel() for p in network.parameters() if p.dim() > 1) == 10_178_480


def test_the_highway_network_of_32_layers_has_about_the_published_parameters(build):
    """Srivastava et al. 2015, Sec. 3.3, and He et al. 2015, Table 6: 1.25 M; more is not published."""
    network = build(*CIFAR, "network=fitnet", "depth=32", device="meta")
    assert parameters(network) == pytest.approx(1.25e6, rel=0.02)


@pytest.mark.parametrize("depth", [19, 32])
def test_depth_counts_the_weight_layers_of_a_fitnet(build, depth):
    network = build(*CIFAR, "network=fitnet", "block=plain", f"depth={depth}", device="meta")
    assert sum(p.dim() > 1 for p in network.parameters()) == depth


@pytest.mark.parametrize(("depth", "count"), [(59, 28_589_128), (113, 50_223_688)])
def test_convnext_has_the_published_parameters_at_its_published_size(build, depth, count):
    """torchvision's convnext_tiny and convnext_small; Liu et al. 2022, Table 9: 28.6 and 50.2 M."""
    size = "data.channels=3", "data.size=224", "data.classes=1000", "network.patch=4"
    assert parameters(build(*size, "network=convnext", f"depth={depth}", device="meta")) == count


@pytest.mark.parametrize(
    ("network", "chosen"),
    [
        ("dense", {"norm": "Identity"}),
        ("vgg", {"norm": "Identity"}),
        ("fitnet", {"norm": "Identity", "init": "xavier", "block": "Highway"}),
        ("imagenet_bottleneck", {"body": "Bottleneck", "shortcut": "B", "norm": "Batch"}),
        ("wide_resnet", {"body": "Wide", "shortcut": "Projection", "norm": "Batch"}),
    ],
)
def test_a_family_chooses_what_its_source_has(config, network, chosen):
    made = config(f"network={network}")
    assert {group: made[group]["_target_"].rpartition(".")[2] for group in chosen} == chosen


def test_a_raw_stem_is_for_blocks_that_bring_their_norm(build):
    words = *CIFAR, "network=wide_resnet", "depth=10", "width=1"
    assert isinstance(build(*words).stem, torch.nn.Conv2d)
    assert len(build(*words, "block=residual").stem) == 2, "convolution and norm, activation"


@pytest.mark.parametrize(
    ("network", "choices"),
    [
        ("preresnet", ["depth=20"]),
        ("wide_resnet", ["depth=10", "network.stem=4"]),
        ("resnext", ["depth=11"]),
        ("se_resnet", ["depth=8"]),
        ("stochastic_depth", ["depth=8"]),
        ("densenet", ["depth=10"]),
        ("fitnet", []),
        ("convnext", []),
    ],
)
def test_a_family_maps_images_to_classes_and_may_be_narrow(build, network, choices):
    small = build(*CIFAR, f"network={network}", "width=0.1", *choices).train()
    y = small(torch.randn(2, 3, 32, 32))
    assert y.shape == (2, 10)
    y.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in small.parameters())


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (["network=densenet", "block=residual"], "network=densenet needs block=concatenation"),
        (["network=densenet", "depth=99"], r"depth=99 is not 6n\+4; the nearest are 94 and 100"),
        (["network=wide_resnet", "depth=26"], r"depth=26 is not 6n\+4; the nearest are 22 and 28"),
        (["network=fitnet", "body=basic"], "network=fitnet has blocks of one layer, not 2: use body=single"),
        (["network=fitnet", "depth=20"], "depth=20 is not 19 or 32; the nearest is 19"),
        (["network=convnext", "body=basic"], "depth=59 counts three layers a block, not 2: use body=convnext"),
        (["network=convnext", "norm=instance"], "network=convnext norms what it has pooled"),
        (["network=convnext", "depth=60"], "depth=60 is not 59 or 113; the nearest is 59"),
    ],
)
def test_refusals_are_one_sentence(build, choices, sentence):
    with pytest.raises(ValueError, match=f"^{sentence}"):
        build(*CIFAR, *choices, device="meta")

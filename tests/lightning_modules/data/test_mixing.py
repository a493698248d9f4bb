"""Mixed images have mixed targets, by what (seed, epoch, batch) draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.data.augment import CropFlip, NoAugment
from lightning_modules.data.mixing import CutMix, Mixup
from lightning_modules.training.classifier import Classifier
from sweeps.training import build
from tests.lightning_modules.trained import composed

IMAGES = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
ONE_HOT = torch.eye(16)  # tells which images an image is mixed of


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_mixup_mixes_images_and_targets_by_the_same_shares(alpha: float) -> None:
    mixed, targets = Mixup(NoAugment(), alpha=alpha).mix(IMAGES, ONE_HOT, rng())
    torch.testing.assert_close(mixed, torch.einsum("nm,mchw->nchw", targets, IMAGES))
    torch.testing.assert_close(targets.sum(1), torch.ones(16))


def test_the_share_of_mixup_is_drawn_from_beta() -> None:
    mixup = Mixup(NoAugment(), alpha=0.5)
    shares = np.array([mixup.mix(IMAGES[:2], torch.tensor([1.0, 0.0]), rng(seed))[1].max() for seed in range(600)])
    drawn = shares[shares < 1]  # where each image meets the other one, and not itself
    expected = np.random.default_rng(7).beta(0.5, 0.5, 20_000)
    assert len(drawn) > 200
    assert abs(drawn.mean() - np.maximum(expected, 1 - expected).mean()) < 0.03


@pytest.mark.parametrize("seed", range(20))
def test_the_targets_of_cutmix_are_mixed_by_area(seed: int) -> None:
    mixed, targets = CutMix(NoAugment()).mix(IMAGES, ONE_HOT, rng(seed))
    for k in range(16):
        partner = int((targets[k] * (torch.arange(16) != k)).argmax())
        own = (mixed[k] == IMAGES[k]).all(0)
        assert (own | (mixed[k] == IMAGES[partner]).all(0)).all(), "every pixel is of one of the two"
        assert targets[k, k].item() == pytest.approx(own.float().mean().item(), abs=1e-6)
        box = (~own).nonzero()
        if len(box):
            sides = box.amax(0) - box.amin(0) + 1
            assert sides.prod() == len(box), "what is pasted is a box"


def test_the_box_of_cutmix_has_the_share_that_is_drawn_but_for_what_sticks_out() -> None:
    """With α large λ is near 1/2, so the box has √½ of each side at most, and is cut off where it sticks out."""
    cutmix = CutMix(NoAugment(), alpha=1e6)
    places = (
        torch.arange(100.0 * 100).reshape(1, 1, 100, 100).expand(2, 1, 100, 100)
        + torch.tensor([0, 1e6])[:, None, None, None]
    )
    shares = [cutmix.mix(places, torch.tensor([1.0, 0.0]), rng(seed))[1].max().item() for seed in range(60)]
    pasted = [1 - share for share in shares if share < 1]
    assert max(pasted) == pytest.approx(0.49, abs=0.02)
    assert min(pasted) < 0.4


@pytest.mark.parametrize("kind", [Mixup, CutMix])
def test_what_is_mixed_is_a_function_of_the_generator(kind: type) -> None:
    first, again, other = (kind(NoAugment()).mix(IMAGES, ONE_HOT, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_what_comes_first_is_done_first() -> None:
    batch = np.random.default_rng(0).integers(1, 256, (8, 6, 6, 1), dtype=np.uint8)
    assert (Mixup(CropFlip())(batch.copy(), rng(3)) == CropFlip()(batch.copy(), rng(3))).all()
    with pytest.raises(ValueError, match="alpha=0 must be > 0"):
        Mixup(NoAugment(), alpha=0)


def test_a_training_mixes_by_seed_epoch_and_batch_and_by_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    network, _, recipe = build(composed("augment=mixup"))

    def mixed(*, seed: int = 0, epoch: int = 0, batch: int = 0) -> torch.Tensor:
        monkeypatch.setattr(Classifier, "current_epoch", epoch)
        classifier = Classifier(network, recipe, seed=seed)
        classifier.outputs = 16
        return classifier.mixed((IMAGES, torch.arange(16)), batch)[0]

    assert torch.equal(mixed(seed=1, epoch=2, batch=3), mixed(seed=1, epoch=2, batch=3))
    kinds = [mixed(), mixed(seed=1), mixed(epoch=1), mixed(batch=1)]
    assert not any(torch.equal(kinds[i], kinds[k]) for i in range(4) for k in range(i))

"""The weights that are kept: which epoch's they are, and how a file of them is read."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from lightning_modules.data.augment import NoAugment, Resize
from lightning_modules.data.image_files import decode
from lightning_modules.data.preprocess import Preprocess
from lightning_modules.training.weights import KeptEpoch, content_digest, packed, read_weights, tensors
from tests.lightning_modules.trained import Trained, perceptron, tiny_data, train
from tests.lightning_modules.training.test_resume import Kill, Killed

EPOCHS = "recipe.epochs=5"


def trained(kept: KeptEpoch, **more) -> Trained:
    return train(EPOCHS, network=perceptron, data=tiny_data(), callbacks=[kept, *more.pop("callbacks", ())], **more)


@pytest.mark.usefixtures("every_epoch_saved")
def test_the_best_epoch_is_kept_over_interruptions(tmp_path: Path) -> None:
    """The first of the lowest validation error, which is not the last. The numbers are those of keep=nothing."""
    whole, best = KeptEpoch("nothing"), KeptEpoch("best")
    without, done = trained(whole), trained(best)
    assert without.done.metrics == done.done.metrics
    errors = [row["val_error"] for row in done.curve.rows]
    weights, epoch = best.weights(done.classifier.network, 5)
    assert epoch == errors.index(min(errors)) + 1 < 5
    resumed = KeptEpoch("best")
    with pytest.raises(Killed):
        trained(KeptEpoch("best"), checkpoint=tmp_path / "last.ckpt", callbacks=[Kill(22)])
    ended = trained(resumed, checkpoint=tmp_path / "last.ckpt")
    found = resumed.weights(ended.classifier.network, 5)
    assert (content_digest(found[0]), found[1]) == (content_digest(weights), epoch)


@pytest.mark.usefixtures("every_epoch_saved")
def test_another_keep_may_be_typed_when_a_run_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        trained(KeptEpoch("best"), checkpoint=tmp_path / "last.ckpt", callbacks=[Kill(12)])
    final = KeptEpoch("final")
    ended = trained(final, checkpoint=tmp_path / "last.ckpt")
    weights, epoch = final.weights(ended.classifier.network, 5)
    assert epoch == 5
    assert content_digest(weights) == content_digest(tensors(ended.classifier.network))


def test_a_file_of_weights_is_read_and_nothing_in_it_is_executed(tmp_path: Path) -> None:
    weights = tensors(perceptron())
    path = tmp_path / "weights.safetensors"
    path.write_bytes(packed(weights, {"mean": [0.5], "label": "größe"}))
    found, about = read_weights(path)
    assert about == {"mean": [0.5], "label": "größe"}
    assert content_digest(found) == content_digest(weights)
    whole = path.read_bytes()
    for damaged in (whole[:-7], b"", pickle.dumps(nn.Linear(2, 2)), whole.replace(b'"skipbench"', b'"somebench"')):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"no whole safetensors file|not those of a run"):
            read_weights(path)


def test_the_digest_is_of_the_content() -> None:
    one = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(2)}
    assert content_digest(one) == content_digest(dict(reversed(one.items())))
    assert content_digest({**one, "a": one["a"].t().contiguous().t()}) == content_digest(one), (
        "not of the memory format"
    )
    others = [{**one, "a": one["a"].view(3, 2)}, {"a": one["a"], "c": one["b"]}, {**one, "b": torch.ones(2).double()}]
    assert len({content_digest(other) for other in (one, *others)}) == 4


def test_what_is_no_tensor_is_named() -> None:
    class Counting(nn.Linear):
        def get_extra_state(self) -> int:
            return 3

        def set_extra_state(self, state: int) -> None: ...

    with pytest.raises(ValueError, match=r"_extra_state of the network is a int"):
        tensors(Counting(2, 2))


@pytest.mark.parametrize("augment", [NoAugment(), Resize(12)])
def test_images_are_prepared_as_the_training_did(augment) -> None:
    from PIL import Image

    data = tiny_data()
    data.augment = augment
    batch, _ = next(iter(data.val_dataloader()))
    expected, _ = data.on_after_batch_transfer((batch, batch))
    mean, std = data.statistics
    prepare = Preprocess(mean=mean.tolist(), std=std.tolist(), shape=(8, 8, 1), augment=augment, dtype=torch.float32)
    images = data.images.train_images[data.val_indices][: len(batch)]
    assert isinstance(images, np.ndarray)
    for given in (images, images[..., 0], [Image.fromarray(image[..., 0]) for image in images], images.astype(int)):
        assert torch.equal(prepare(given), expected)
    assert torch.equal(prepare(images[0]), expected[:1])
    assert torch.equal(prepare(images[0, ..., 0]), expected[:1])
    assert prepare(Image.fromarray(np.zeros((30, 20, 3), np.uint8))).shape[1:] == expected.shape[1:]
    wide = Image.fromarray(np.zeros((8, 8), np.float32))
    for wrong, says in (
        (images[:, :7], "height × width × channels"),
        (images / 255, "whole numbers from 0 to 255"),
        ([Image.fromarray(images[0, ..., 0]), images[0]], "of several kinds"),
        ([wide], "image 0 has pixels of 32 bits"),
    ):
        with pytest.raises(ValueError, match=says):
            prepare(wrong)


def test_a_pil_image_is_read_as_a_file_of_an_image_folder(tmp_path: Path) -> None:
    """Of 16 bits, turned by its camera, with a palette that is transparent somewhere, and large."""
    from PIL import Image

    turned = Image.Exif()
    turned[0x0112] = 6
    pixels = np.arange(40 * 64).reshape(40, 64)
    Image.fromarray((pixels * 25).astype(np.uint16)).save(tmp_path / "16.png")
    Image.fromarray((pixels % 256).astype(np.uint8)).save(tmp_path / "turned.jpg", exif=turned)
    Image.fromarray((pixels % 256).astype(np.uint8)).quantize(8).save(tmp_path / "palette.png", transparency=1)
    prepare = Preprocess(mean=[0.0], std=[1.0], shape=(8, 8, 1), augment=NoAugment(), dtype=torch.float32)
    for name in ("16.png", "turned.jpg", "palette.png"):
        with Image.open(tmp_path / name) as image:
            found = prepare(image)[0, 0].numpy()
        assert np.array_equal(found, decode(tmp_path / name, size=8, channels=1)[..., 0]), name

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lightning_modules.data.errors import DataError
from lightning_modules.data.image_files import decode
from lightning_modules.data.image_folder import image_folder


@pytest.fixture
def folder(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for label, name in enumerate(("ant", "bee")):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(count):
                colour = (200 * label, 20 * k, 0)
                Image.new("RGB", (40, 30), colour).save(tmp_path / part / name / f"{k}.png")
    return tmp_path


def test_classes_are_numbered_by_name(folder):
    images = image_folder(folder, size=8)
    assert images.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.test_labels.tolist() == [0, 0, 1, 1]


def test_only_what_is_asked_for_is_decoded(folder):
    images = image_folder(folder, size=8)
    (folder / "train/ant/0.png").write_bytes(b"spoilt")
    batch = images.train_images[np.array([5, 1])]
    assert batch.shape == (2, 8, 8, 3)
    assert batch.dtype == np.uint8
    assert batch[:, 0, 0].tolist() == [[200, 40, 0], [0, 20, 0]]
    with pytest.raises(DataError, match=r"train/ant/0.png could not be decoded as an image: delete it"):
        images.train_images[np.array([0])]


@pytest.mark.parametrize("shape", [(30, 60), (60, 30), (8, 8), (3, 5), (500, 40)])
def test_the_centre_is_kept_at_any_size(tmp_path, shape):
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[shape[0] // 2 - 1 : shape[0] // 2 + 1, shape[1] // 2 - 1 : shape[1] // 2 + 1] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    decoded = decode(tmp_path / "a.png", size=9, channels=3)
    assert decoded.shape == (9, 9, 3)
    assert decoded[4, 4].min() == decoded.max()


def test_grey_and_colour_are_converted(folder):
    assert image_folder(folder, size=4, channels=1).train_images[np.array([0, 1])].shape == (2, 4, 4, 1)


def test_digest_sees_names_and_sizes(folder):
    before = image_folder(folder, size=8).digest
    assert image_folder(folder, size=8).digest == before
    (folder / "train/ant/0.png").rename(folder / "train/ant/9.png")
    assert image_folder(folder, size=8).digest != before


def test_absent_and_empty_folders_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="x/train is not there: set data_dir"):
        image_folder(folder, size=8, path="x")
    (tmp_path / "y/train").mkdir(parents=True)
    with pytest.raises(DataError, match="y/train holds no class folder"):
        image_folder(folder, size=8, path="y")
    (folder / "train/cow").mkdir()
    with pytest.raises(DataError, match="val has no folder cow"):
        image_folder(folder, size=8)
    (folder / "val/cow").mkdir()
    with pytest.raises(DataError, match="train/cow holds no image"):
        image_folder(folder, size=8)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "webp"])
@pytest.mark.parametrize("left", [0, 1, 9, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_found_before_it_is_needed(folder, kind, left):
    noise = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    path = folder / f"val/bee/7.{kind}"
    Image.fromarray(noise).save(path)
    images = image_folder(folder, size=8)
    images.test_images.refuse_damaged()
    whole = path.read_bytes()
    path.write_bytes(whole[: left if isinstance(left, int) else int(len(whole) * left)])
    with pytest.raises(DataError, match=rf"val/bee/7.{kind} could not be decoded as an image: delete it"):
        images.test_images.refuse_damaged()
    images.train_images.refuse_damaged()


def test_a_whole_file_with_more_behind_it_is_whole(folder):
    """As some cameras and editors write them."""
    for path in folder.rglob("*.png"):
        path.write_bytes(path.read_bytes() + b"made by a camera")
    image_folder(folder, size=8).train_images.refuse_damaged()

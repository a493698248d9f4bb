from __future__ import annotations

import struct
import zlib

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


def corner(file, **options):
    """A white corner, top left, on black, 8 high and 16 wide."""
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:4, :8] = 255
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, **options)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize(("orientation", "where"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))])
def test_images_are_turned_upright(tmp_path, kind, orientation, where):
    exif = Image.Exif()
    exif[0x0112] = orientation
    corner(tmp_path / f"a.{kind}", exif=exif, **({"lossless": True} if kind == "webp" else {}))
    turned = decode(tmp_path / f"a.{kind}", size=(8, 16) if orientation in (1, 3) else (16, 8), channels=1)
    corners = {(y, x): turned[y, x, 0] > 128 for y in (0, -1) for x in (0, -1)}
    assert [at for at, white in corners.items() if white] == [where]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm", "big.tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path, name, channels):
    pixels = (np.arange(64).reshape(8, 8) * 1000).astype(np.uint16)
    if name == "big.tif":
        Image.frombytes("I;16B", (8, 8), pixels.astype(">u2").tobytes()).save(tmp_path / name)
    else:
        Image.fromarray(pixels).save(tmp_path / name)
    decoded = decode(tmp_path / name, size=8, channels=channels)
    assert (decoded == (pixels >> 8)[..., None]).all()


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_of_unknown_scale_are_refused(tmp_path, dtype):
    Image.fromarray(np.zeros((8, 8), dtype)).save(tmp_path / "a.tif")
    with pytest.raises(
        DataError, match=r"a.tif has pixels of 32 bits, .*: save it in 8 or 16 bits, or use data=arrays"
    ):
        decode(tmp_path / "a.tif", size=8, channels=1)


MODES = {
    **{"png": "1 L LA P RGBA", "gif": "1 L LA P RGBA", "tif": "1 L LA P RGBA CMYK", "ppm": "1 L RGBA"},
    **{"jpg": "1 L CMYK", "bmp": "1 L P RGBA", "webp": "1 L LA P RGBA"},
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes.split()])
def test_every_mode_of_every_kind_shows_the_same(tmp_path, kind, mode):
    corner(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        image.convert(mode).save(tmp_path / f"b.{kind}", **({"transparency": 0} if mode == "P" else {}))
    decoded = decode(tmp_path / f"b.{kind}", size=(8, 16), channels=3).astype(int)
    expected = np.zeros((8, 16, 3), int)
    expected[:4, :8] = 255
    assert np.abs(decoded - expected).max() < 64  # a JPEG's edges


def test_broken_exif_is_no_reason_to_refuse_an_image(tmp_path):
    corner(tmp_path / "a.jpg", exif=b"Exif\0\0no exif")
    assert decode(tmp_path / "a.jpg", size=(8, 16), channels=1)[0, 0, 0] > 128


@pytest.mark.parametrize(("shape", "size"), [((30, 60), (6, 24)), ((60, 30), (24, 6)), ((8, 8), (5, 9)), ((50, 20), 7)])
def test_a_rectangle_is_covered_and_its_centre_kept(tmp_path, shape, size):
    pixels = np.full((*shape, 3), 100, np.uint8)
    pixels[shape[0] // 2 - 1 : shape[0] // 2 + 1, shape[1] // 2 - 1 : shape[1] // 2 + 1] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    decoded = decode(tmp_path / "a.png", size=size, channels=3)
    height, width = (size, size) if isinstance(size, int) else size
    assert decoded.shape == (height, width, 3)
    assert decoded.min() >= 99, "nothing is padded"
    assert decoded[height // 2 - 1 : height // 2 + 1, width // 2 - 1 : width // 2 + 1].max() == decoded.max()


def test_images_of_sub_folders_count_and_hidden_ones_do_not(folder):
    before = image_folder(folder, size=8)
    corner(folder / "train/bee/winter/snow/x.TIF")
    for hidden in (
        ".ipynb_checkpoints/x.png",
        "bee/.x.png",
        "bee/.thumbs/x.png",
        "__MACOSX/x.png",
        "bee/__MACOSX/x.jpg",
    ):
        corner(folder / "train" / hidden)
    (folder / "train/bee/note.txt").write_text("no image")
    images = image_folder(folder, size=8)
    assert images.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert images.train_images.names[-1] == "bee/winter/snow/x.TIF"
    assert images.class_names == ("ant", "bee")
    assert images.classes == 2
    assert images.test_images.listing() == before.test_images.listing()


@pytest.mark.parametrize("name", ["val", "valid", "validation", "test"])
def test_the_test_part_has_several_names(folder, name):
    (folder / "val").rename(folder / name)
    images = image_folder(folder, size=8)
    assert images.test_labels.tolist() == [0, 0, 1, 1]
    assert images.validation is None


def test_a_validation_part_beside_a_test_part_is_one(folder):
    for label in ("ant", "bee"):
        corner(folder / "test" / label / "t.png")
    images = image_folder(folder, size=8)
    assert images.test_labels.tolist() == [0, 1]
    assert images.train_labels[images.validation].tolist() == [0, 0, 1, 1]
    assert images.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]
    assert images.train_images[images.validation].shape == (4, 8, 8, 3)


def test_a_folder_that_cannot_be_understood_says_why(folder):
    (folder / "training").mkdir()
    with pytest.raises(DataError, match="train and training mean the same: rename one"):
        image_folder(folder, size=8)
    (folder / "training").rmdir()
    (folder / "val").rename(folder / "dev")
    with pytest.raises(DataError, match=r"val is not there, nor valid, validation, test: one of them holds"):
        image_folder(folder, size=8)
    for options, says in (
        ({"channels": 4}, r"data.channels=4: images are read in grey \(1\) or in colour \(3\)"),
        ({"size": None}, "files have sizes of their own: set data.size"),
        ({"damaged": "drop"}, "data.source.damaged=drop is neither refuse nor skip"),
    ):
        with pytest.raises(DataError, match=f"^data=image_folder: {says}"):
            image_folder(folder, **({"size": 8} | options))


def test_damaged_files_are_all_named_or_left_out(folder):
    spoilt = [folder / "train/ant/0.png", folder / "train/bee/2.png", folder / "val/bee/1.png"]
    for file in spoilt:
        file.write_bytes(file.read_bytes()[:40])
    images = image_folder(folder, size=8)
    with pytest.raises(DataError) as caught:
        images.train_images.refuse_damaged()
    assert f"{spoilt[0]} could not be decoded" in str(caught.value)
    assert f"data.source.damaged=skip; damaged as well: {spoilt[1]}" in str(caught.value)
    fewer = image_folder(folder, size=8, damaged="skip", note="bees")
    assert fewer.train_labels.tolist() == [0, 0, 1, 1]
    assert fewer.note == f"bees; 3 damaged images left out: {', '.join(map(str, spoilt))}"
    assert fewer.train_images[np.arange(4)].shape == (4, 8, 8, 3)
    assert fewer.digest != images.digest
    for k in (1, 2):
        (folder / f"train/ant/{k}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"all images of .*train/ant are damaged: delete the folder"):
        image_folder(folder, size=8, damaged="skip")


def bomb(side: int) -> bytes:
    """A whole PNG of a few bytes that announces side × side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def test_a_header_that_announces_too_much_is_refused_before_anything_is_decoded(folder, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda image: pytest.fail("was decoded"))
    images = image_folder(folder, size=224)
    images.train_images.refuse_damaged()
    file = folder / "train/bee/1.png"
    for content, says in ((bomb(60_000), "announces too many pixels"), (bomb(10_000), "announces too many pixels")):
        file.write_bytes(content)
        with pytest.raises(DataError, match=f"^data=image_folder: {file} {says}"):
            images.train_images.refuse_damaged()


@pytest.mark.parametrize("shape", [(1, 60_000), (60_000, 1), (3, 301)])
def test_a_line_is_no_image(folder, shape):
    file = folder / "val/bee/1.png"
    Image.fromarray(np.zeros(shape, np.uint8)).save(file)
    says = f"{file} is {shape[1]} x {shape[0]} pixels, and one side may be 100 times the other"
    with pytest.raises(DataError, match=f"^data=image_folder: {says}: cut it"):
        image_folder(folder, size=224).test_images.refuse_damaged()

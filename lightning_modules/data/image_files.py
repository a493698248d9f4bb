"""Decode image files: turned upright, in 8 bits, scaled to cover a size, and cut to its centre."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_modules.data.damaged_files import damaged, refusal
from lightning_modules.data.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 100  # how many times an image may be longer than it is wide, or wider than long
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright


class Files:
    """Images (N, H, W, C) that stay on disk: indexing decodes, in as many threads as there are cores."""

    dtype = np.dtype(np.uint8)

    def __init__(self, root: Path, names: list[str], *, size: Any, channels: int) -> None:
        self.root = root
        self.names = np.array(names)
        self.shape = (len(names), *pair(size), channels)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        files = [self.root / name for name in self.names[indices]]
        threads = min(
            len(files), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        if threads < 2:
            decoded = [self._decode(file) for file in files]
        else:
            with ThreadPoolExecutor(threads) as pool:
                decoded = list(pool.map(self._decode, files))
        return np.stack(decoded) if decoded else np.empty((0, *self.shape[1:]), np.uint8)

    def damaged(self) -> dict[int, DataError]:
        """The position of each damaged file, and what is wrong, without decoding those that are whole."""
        return damaged([self.root / name for name in self.names], read_header, self._decode)

    def refuse_damaged(self) -> None:
        """Raise DataError if a file is damaged; it names them."""
        if found := self.damaged():
            raise refusal([self.root / name for name in self.names], found)

    def listing(self) -> bytes:
        """What stands for the images where their contents cannot all be read: names and sizes in bytes."""
        return "\n".join(f"{name} {(self.root / name).stat().st_size}" for name in self.names).encode()

    @property
    def _decode(self) -> partial[np.ndarray]:
        return partial(decode, size=self.shape[1:3], channels=self.shape[3])


def pair(size: Any) -> tuple[int, int]:
    """Return (height, width) of one number or two."""
    return (size, size) if isinstance(size, int) else tuple(size)


def read_header(file: Path) -> None:
    """Raise DataError if a file's header cannot be read, or announces an image that cannot be used."""
    with opened(file):
        pass


@contextmanager
def opened(file: Path) -> Iterator[Image]:
    """Open an image file; what goes wrong with it, inside as well, is a DataError that names it."""
    from PIL import Image

    hint = "delete it or replace it by the original"
    try:
        with Image.open(file) as image:
            width, height = image.size
            if max(width, height) > LONGEST * min(width, height):
                raise DataError(
                    f"data=image_folder: {file} is {width} x {height} pixels, and one side may be {LONGEST} times "
                    "the other: cut it, or delete it"
                )
            yield image
    except DataError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"data=image_folder: {file} announces too many pixels to be decoded safely: make it smaller, or delete it"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise DataError(f"data=image_folder: {file} could not be read ({error.strerror}): {hint}") from error
        raise DataError(f"data=image_folder: {file} could not be decoded as an image: {hint}") from error
    except Exception as error:  # Pillow's decoders raise SyntaxError, ValueError, struct.error and more
        raise DataError(f"data=image_folder: {file} could not be decoded as an image: {hint}") from error


def decode(file: Path, *, size: Any, channels: int) -> np.ndarray:
    """Return one image as uint8 (H, W, C): upright, scaled until it covers `size`, then the centre.

    Of an animation or of several pages, the first; of 16 bits, the upper 8; transparency is left out.

    Args:
        size: H = W, or (H, W).
        channels: 1 (grey) or 3 (red, green, blue).
    """
    with opened(file) as image:
        return fitted(image, size=size, channels=channels, name=f"data=image_folder: {file}")


def fitted(image: Image, *, size: Any, channels: int, name: str) -> np.ndarray:
    """Return an open image as `decode` returns a file; `name` is what a DataError calls it."""
    from PIL import ImageOps
    from PIL.Image import Resampling

    high, wide = pair(size)
    longer = max(high, wide)
    image.draft("RGB" if channels == 3 else "L", (longer, longer))  # JPEG: decodes at a fraction of its size
    pixels = ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image
    if image.mode == "P" and "transparency" in image.info:
        pixels = pixels.convert("RGBA")
    pixels = eight_bits(pixels, name).convert("RGB" if channels == 3 else "L")
    scale = max(high / pixels.height, wide / pixels.width)
    width, height = max(wide, round(pixels.width * scale)), max(high, round(pixels.height * scale))
    left, top = (width - wide) // 2, (height - high) // 2
    pixels = pixels.resize((width, height), Resampling.BILINEAR).crop((left, top, left + wide, top + high))
    return np.asarray(pixels).reshape(high, wide, channels)


def eight_bits(image: Image, name: str) -> Image:
    """Return an image of 16 bits in 8, and any other as it is; raise DataError for 32 bits."""
    from PIL import Image as images

    if not image.mode.startswith(("I", "F")):
        return image
    if image.mode == "F" or (image.mode == "I" and getattr(image, "format", None) == "TIFF"):
        raise DataError(
            f"{name} has pixels of 32 bits, whose black and white are not known: "
            "save it in 8 or 16 bits, or use data=arrays"
        )
    return images.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))

"""Read a data set from a folder of images, decoded a batch at a time."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from lightning_modules.data.damaged_files import refuse_damaged
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def image_folder(folder: Path, *, size: int, channels: int = 3, path: str = ".", note: str = "") -> Images:
    """Images on disk in ImageNet's layout: train/<class>/*.jpg and val/<class>/*.jpg (the test part) below `path`.

    `path` is relative to `folder` (data_dir) or absolute. Classes are numbered in the order of their folders' names.
    Images are decoded a batch at a time and never all held: shorter side to `size`, then the centre.
    """
    root = Path(folder) / path
    classes = _classes(root / "train")
    held = _classes(root / "val")
    if classes != held:
        name = min(set(classes) ^ set(held))
        lacks = "train" if name in held else "val"
        raise DataError(f"data=image_folder: {root / lacks} has no folder {name}: train and val need the same classes")
    parts = [_part(root / part, classes, size=size, channels=channels) for part in ("train", "val")]
    return Images(*parts[0], *parts[1], note=note)


class Files:
    """Images (N, size, size, C) that stay on disk: indexing decodes, in as many threads as there are cores."""

    dtype = np.dtype(np.uint8)

    def __init__(self, root: Path, names: list[str], *, size: int, channels: int) -> None:
        self.root = root
        self.names = np.array(names)
        self.shape = (len(names), size, size, channels)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        files = [self.root / name for name in self.names[indices]]
        threads = min(
            len(files), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        )
        if threads < 2:
            decoded = [decode(file, size=self.shape[1], channels=self.shape[3]) for file in files]
        else:
            with ThreadPoolExecutor(threads) as pool:
                decoded = list(pool.map(lambda file: decode(file, size=self.shape[1], channels=self.shape[3]), files))
        return np.stack(decoded) if decoded else np.empty((0, *self.shape[1:]), np.uint8)

    def refuse_damaged(self) -> None:
        """Raise DataError if a file is damaged, without decoding those that are whole."""
        one = partial(decode, size=self.shape[1], channels=self.shape[3])
        refuse_damaged([self.root / name for name in self.names], one)

    def listing(self) -> bytes:
        """What stands for the images where their contents cannot all be read: names and sizes in bytes."""
        return "\n".join(f"{name} {(self.root / name).stat().st_size}" for name in self.names).encode()


def decode(file: Path, *, size: int, channels: int) -> np.ndarray:
    """One image as uint8 (size, size, channels): shorter side to `size`, then the centre."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            image.draft("RGB" if channels == 3 else "L", (size, size))  # JPEG: decodes at a fraction of its size
            pixels = image.convert("RGB" if channels == 3 else "L")
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        hint = "delete it or replace it by the original"
        raise DataError(f"data=image_folder: {file} could not be decoded as an image: {hint}") from error
    scale = size / min(pixels.size)
    width, height = (max(size, round(side * scale)) for side in pixels.size)
    left, top = (width - size) // 2, (height - size) // 2
    pixels = pixels.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return np.asarray(pixels).reshape(size, size, channels)


def _classes(part: Path) -> list[str]:
    layout = "train/<class>/*.jpg and val/<class>/*.jpg"
    if not part.is_dir():
        raise DataError(f"data=image_folder: {part} is not there: set data_dir to the folder that holds {layout}")
    names = sorted(entry.name for entry in os.scandir(part) if entry.is_dir())
    if not names:
        raise DataError(
            f"data=image_folder: {part} holds no class folder: set data_dir to the folder that holds {layout}"
        )
    return names


def _part(part: Path, classes: list[str], *, size: int, channels: int) -> tuple[Files, np.ndarray]:
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = sorted(entry.name for entry in os.scandir(part / name) if entry.name.lower().endswith(SUFFIXES))
        if not found:
            kinds = ", ".join(SUFFIXES)
            raise DataError(f"data=image_folder: {part / name} holds no image ({kinds}): fill the folder or delete it")
        names += [f"{name}/{file}" for file in found]
        labels += [label] * len(found)
    return Files(part, names, size=size, channels=channels), np.array(labels, np.int64)

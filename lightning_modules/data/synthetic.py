"""Make random images, for measuring speed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lightning_modules.data.images import Images

NOTE = "synthetic: random images; errors mean nothing"


def synthetic(folder: Path, *, size: Any, channels: int, classes: int, train: int, test: int, seed: int = 0) -> Images:
    """Random images, series or vectors with balanced labels, for measuring speed; `folder` is not looked at.

    `size` is one number or [height, width] of images, [length] of series, [] of vectors.
    """
    rng = np.random.default_rng(seed)
    places = (size, size) if isinstance(size, int) else tuple(size)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        pixels = rng.integers(0, 256, (count, *places, channels), np.uint8)
        return pixels, np.arange(count, dtype=np.int64) % classes

    return Images(*draw(train), *draw(test), note=NOTE, outputs=classes)

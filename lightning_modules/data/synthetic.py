"""Make random images, for measuring speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lightning_modules.data.images import Images

NOTE = "synthetic: random images; errors mean nothing"


def synthetic(folder: Path, *, size: int, channels: int, classes: int, train: int, test: int, seed: int = 0) -> Images:
    """Random images with random-looking but balanced labels, for measuring speed; `folder` is not looked at."""
    rng = np.random.default_rng(seed)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, 256, (count, size, size, channels), np.uint8), np.arange(count, dtype=np.int64) % classes

    return Images(*draw(train), *draw(test), note=NOTE)

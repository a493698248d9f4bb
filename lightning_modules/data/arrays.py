"""Read a data set from one .npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def arrays(folder: Path, *, path: str, note: str = "") -> Images:
    """Read your own data set from one .npz with train_images, train_labels, test_images and test_labels.

    Images are uint8, (N, H, W, C) or grey (N, H, W); labels are integers from 0. `path` is relative to `folder`
    (data_dir) or absolute. Raises DataError where the file is absent, foreign or lacks an array.
    """
    file = Path(folder) / path
    if not file.is_file():
        raise DataError(f"data=arrays: {file} is not there: set data.source.path to an .npz with {', '.join(NAMES)}")
    try:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as stored:
            absent = [name for name in NAMES if name not in stored.files]
            if absent:
                held = ", ".join(stored.files) or "nothing"
                raise DataError(f"data=arrays: {file} lacks {absent[0]} (it holds {held}): save {', '.join(NAMES)}")
            parts = {name: stored[name] for name in NAMES}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"data=arrays: {file} could not be read as an .npz of plain arrays ({error}): save it again with np.savez"
        ) from error
    for name in ("train_images", "test_images"):
        if parts[name].ndim == 3:
            parts[name] = parts[name][..., None]
    for name in ("train_labels", "test_labels"):
        if np.issubdtype(parts[name].dtype, np.integer):
            parts[name] = parts[name].astype(np.int64)
    return Images(**parts, note=note)

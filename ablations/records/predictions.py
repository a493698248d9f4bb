"""Write and read what a finished run predicted for every image of the validation and the test set."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablations.records.files import RecordError, write_bytes
from ablations.records.layout import PREDICTIONS

PARTS = ("val", "test")
KINDS = {"label": "u", "class": "u", "true": "f", "confidence": "f"}  # as NumPy's dtype.kind has them


def write_predictions(folder: Path, arrays: Mapping[str, Any]) -> None:
    """Write `predictions.npz` atomically."""
    import numpy as np

    content = io.BytesIO()
    np.savez(content, **arrays)
    write_bytes(folder / PREDICTIONS, content.getvalue())


def read_predictions(folder: Path) -> dict[str, Any] | None:
    """Read the predictions of the run in `folder`; None where it kept none.

    Returns:
        for `val` and `test`, arrays (N,) in the order of the data set: `<part>_label` and `<part>_class`, the true and
        the predicted class; `<part>_true` and `<part>_confidence`, the probabilities of these two classes, NaN where
        the network's output was not finite.

    Raises:
        RecordError: the file is damaged.
    """
    import numpy as np

    path = folder / PREDICTIONS
    if not path.exists():
        return None
    names = [f"{part}_{kind}" for part in PARTS for kind in KINDS]
    try:
        if not path.is_file():
            raise ValueError("not a plain file")
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in names}
    except Exception as error:  # whatever a strange file makes zipfile and NumPy say
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RecordError(f"{path}: cannot be read ({said})") from error
    for name, array in arrays.items():
        part, _, kind = name.partition("_")
        count = arrays[f"{part}_label"].size
        if array.dtype.kind != KINDS[kind] or array.shape != (count,) or not count:
            raise RecordError(f"{path}: {name} is {array.dtype} {array.shape}, no predictions of {count} images")
        if KINDS[kind] == "f" and ((array < 0) | (array > 1)).any():
            raise RecordError(f"{path}: {name} holds what is no probability")
    return arrays

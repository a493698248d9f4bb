"""Read a data set from one .npz file."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images, stored, targets

NAMES = ("train_images", "train_labels", "test_images", "test_labels")
OTHERWISE = {"images": "inputs", "labels": "targets"}  # what the arrays may be called as well
AXES = {4: ("NHWC", "NCHW"), 3: ("NHW", "NLC", "NCL"), 2: ("ND", "NL")}
LAST = {"NCHW": (0, 2, 3, 1), "NCL": (0, 2, 1)}  # how the channels come last
FEW = 4  # channels of images whose axes are not named


def arrays(folder: Path, *, path: str, axes: str | None = None, note: str = "") -> Images:
    """Read your own data set from one .npz with train_images, train_labels, test_images and test_labels.

    Inputs are numbers of any type. Their axes are (N, H, W, C), (N, C, H, W) or (N, H, W) of images, (N, L, C) or
    (N, C, L) of series, (N, D) of vectors, (N, L) of tokens; `axes` names them where their number does not say it.
    Labels are whole numbers from 0, or other targets (N, …). The arrays may be called inputs and targets.
    `val_images` and `val_labels` are the validation part, `class_names` names the classes, where they are there.

    Args:
        path: relative to `folder` (data_dir) or absolute.
        axes: NHWC, NCHW, NHW, NLC, NCL, ND, NL, or null.

    Raises:
        DataError: the file is absent, foreign or lacks an array, or the axes must be named.
    """
    file = Path(folder) / str(path)
    if not file.is_file():
        raise DataError(f"data=arrays: {file} is not there: set data.source.path to an .npz with {', '.join(NAMES)}")
    parts = _read(file)
    for name in ("train", "val", "test"):
        if (key := f"{name}_images") in parts:
            parts[key] = channels_last(parts[key], axes, f"data=arrays: {key}")
    names = tuple(str(name) for name in parts.pop("class_names", ()))
    validation = None
    if "val_images" in parts:
        stored(parts["val_images"], "data=arrays: val_images")  # which names what is wrong with them
        targets(parts["val_labels"], "data=arrays: val_labels")
        count = len(parts["train_images"])
        for what in ("images", "labels"):
            parts[f"train_{what}"] = _joined(parts[f"train_{what}"], parts.pop(f"val_{what}"), what)
        validation = np.arange(count, len(parts["train_images"]))
    return Images(**parts, note=note, class_names=names, validation=validation).prepared("arrays")


def _read(file: Path) -> dict[str, Any]:
    """The arrays of a file by the names of `NAMES`, and those that may be there."""
    try:
        with open(file, "rb") as opened, np.load(opened, allow_pickle=False) as stored:
            found = {_usual(name): name for name in stored.files}
            wanted = [*NAMES, *(("val_images", "val_labels") if "val_images" in found else ())]
            if absent := [name for name in wanted if name not in found]:
                held = ", ".join(stored.files) or "nothing"
                raise DataError(f"data=arrays: {file} lacks {absent[0]} (it holds {held}): save {', '.join(wanted)}")
            return {name: stored[found[name]] for name in (*wanted, "class_names") if name in found}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"data=arrays: {file} could not be read as an .npz of plain arrays ({error}): save it again with np.savez"
        ) from error


def channels_last(inputs: np.ndarray, axes: str | None, what: str) -> np.ndarray:
    """Return inputs with their channels last, tokens as int64 and vectors as no tokens.

    Raises:
        DataError: there are other axes, or `axes` must say which is which.
    """
    allowed = AXES.get(inputs.ndim, ())
    if axes is None:
        axes = _guessed(inputs, what)
    elif axes not in allowed:
        named = ", ".join(one for several in AXES.values() for one in several)
        hint = f"choose {' or '.join(allowed)}" if allowed else f"two to four axes are taken: {named}"
        raise DataError(f"{what} have {inputs.ndim} axes, and data.source.axes={axes} does not name them: {hint}")
    if axes == "NHW":
        return inputs[..., None]
    if axes == "ND" and inputs.dtype.kind in "ui" and inputs.dtype != np.uint8:
        return inputs.astype(np.float32)
    if axes == "NL" and inputs.dtype == np.uint8:
        return inputs.astype(np.int64)
    if axes == "NL" and inputs.dtype.kind not in "ui":
        raise DataError(f"{what} are {inputs.dtype}: tokens are whole numbers from 0")
    return np.ascontiguousarray(inputs.transpose(LAST[axes])) if axes in LAST else inputs


def _guessed(inputs: np.ndarray, what: str) -> str | None:
    if inputs.ndim == 4:
        if inputs.shape[-1] <= FEW:
            return "NHWC"
        if inputs.shape[1] <= FEW:
            return "NCHW"
        shape = " x ".join(map(str, inputs.shape[1:]))
        raise DataError(f"{what} are {shape}: say which axis has the channels, data.source.axes=NHWC or NCHW")
    if inputs.ndim == 2 and inputs.dtype.kind in "ui":
        raise DataError(f"{what} have two axes of whole numbers: say data.source.axes=ND of vectors, or NL of tokens")
    return {3: "NHW", 2: "ND"}.get(inputs.ndim)


def _joined(train: np.ndarray, val: np.ndarray, what: str) -> np.ndarray:
    if train.shape[1:] != val.shape[1:] or train.dtype != val.dtype:
        these, those = (f"{one.dtype} of {one.shape[1:]}" for one in (train, val))
        raise DataError(f"data=arrays: val_{what} are {those}, and train_{what} {these}: they must agree")
    return np.concatenate([train, val])


def _usual(name: str) -> str:
    part, _, what = name.partition("_")
    return next((f"{part}_{usual}" for usual, other in OTHERWISE.items() if what == other), name)

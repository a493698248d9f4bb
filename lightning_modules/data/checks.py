"""Check a data set against what its config says, and the settings of a data set themselves."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np

from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images, Pixels, squared

TARGET = "lightning_modules.data.module.ImageData"
KEYS = ("source", "channels", "size", "classes", "held_out", "split_seed", "take", "split")
NAMED = 3  # labels that a sentence names


def check_settings(data: Mapping[str, Any]) -> None:
    """Check the node `data` of a config, resolved: its keys, and the kind of each value.

    A node whose `_target_` is a class of one's own may have other keys.

    Raises:
        ValueError: a key is misspelt or absent, or a value is of another kind.
    """
    keys = [key for key in data if not key.startswith("_")]
    if data.get("_target_", TARGET) == TARGET:
        for key in keys:
            if key not in KEYS:
                near = get_close_matches(key, KEYS, 1)
                hint = f": did you mean {near[0]}?" if near else f"; there are {_listed(KEYS)}"
                raise ValueError(f"data.{key}: there is no such setting{hint}")
        for key in ("source", "held_out", "split_seed"):
            if key not in data:
                raise ValueError(
                    f"data.{key} is missing: a data set's file says {_listed(('source', 'held_out', 'split_seed'))}"
                )
    source = data.get("source")
    if not isinstance(source, Mapping) or not isinstance(source.get("_target_"), str):
        raise ValueError("data.source names no function: write its _target_, and _partial_: true")
    check_values({key: data[key] for key in KEYS if key in data})


def check_values(values: Mapping[str, Any]) -> None:
    """Raise ValueError where a setting of a data set has a value of another kind; `null` sizes are inferred."""
    for key in ("channels", "classes"):
        if (value := values.get(key)) is not None and not (_whole(value) and value >= 1):
            raise ValueError(f"data.{key}={value} is not a whole number ≥ 1; null takes it from the data")
    if (size := squared(values.get("size"))) is not None:
        places = [size] if _whole(size) else size
        if (
            not isinstance(places, list | tuple)
            or len(places) > 2
            or not all(_whole(one) and one >= 1 for one in places)
        ):
            kinds = "one whole number ≥ 1, or [height,width], or [length] of a series, or [] of vectors"
            raise ValueError(
                f"data.size={_shown(values['size'])} is not a size: write {kinds}; null takes it from the data"
            )
    if "held_out" in values:
        check_held_out(values["held_out"])
    if "split_seed" in values and not (_whole(seed := values["split_seed"]) and 0 <= seed < 2**32):
        raise ValueError(f"data.split_seed={seed} is not a whole number from 0 to {2**32 - 1}")


def check_held_out(value: Any) -> None:
    """Raise ValueError unless `value` is a number of images or a share of them."""
    if not _whole(value) and not (isinstance(value, float) and 0 < value < 1):
        raise ValueError(
            f"data.held_out={_shown(value)} is neither a whole number of images, as 100, nor a share, as 0.1"
        )


def check(images: Images, *, channels: int, size: Any, classes: int, name: str) -> None:
    """Raise DataError unless the data set `name` has the channels, size and classes that its config states."""
    for part in ("train", "test"):
        pixels, labels = getattr(images, f"{part}_images"), getattr(images, f"{part}_labels")
        _check_inputs(pixels, f"data={name}: {part}_images", images, channels=channels, size=size)
        _check_labels(
            labels, f"data={name}: {part}_labels", classes=classes, count=len(pixels), like=images.train_labels
        )
    if images.train_labels.ndim == 1 and images.train_labels.dtype.kind == "i" and images.outputs is None:
        _refuse_unused(images.train_labels, f"data={name}: train_labels", classes)
    if images.outputs is not None and classes != images.outputs:
        raise DataError(f"data={name}: there are {images.outputs} classes, not {classes}: leave data.classes out")


def _check_inputs(pixels: Pixels, what: str, images: Images, *, channels: int, size: Any) -> None:
    if len(pixels) == 0:
        raise DataError(f"{what} holds no image: at least one is needed")
    places = (size, size) if isinstance(size, int) else tuple(size)
    wanted = places if images.tokens else (*places, channels)
    found = tuple(pixels.shape[1:])
    if found == wanted and not (images.tokens and channels < images.channels):
        return
    if images.tokens and found == wanted:
        raise DataError(f"{what} holds the token {images.channels - 1}, but data.channels={channels}: leave it out")
    axes = {3: " (height x width x channels)", 2: " (length x channels)"}.get(len(wanted), "")
    says = f"{what} are {_by(found)}, not {_by(wanted)}{axes} as the config says"
    if len(found) == 3 and found == (channels, *places):
        raise DataError(f"{says}: save images.transpose(0, 2, 3, 1), with the channels last")
    only_these = tuple(images.train_images.shape[1:]) == wanted
    hint = "make them as train_images are, or " if only_these else ""
    raise DataError(f"{says}: {hint}set data.size and data.channels to what the files hold, or leave them out")


def _check_labels(labels: np.ndarray, what: str, *, classes: int, count: int, like: np.ndarray) -> None:
    if labels.ndim == 0 or len(labels) != count:
        raise DataError(f"{what} has shape {labels.shape}, not ({count},): every image needs one label")
    if labels.shape[1:] != like.shape[1:] or labels.dtype.kind != like.dtype.kind:
        raise DataError(
            f"{what} are {labels.dtype} of {labels.shape[1:]}, and train_labels {like.dtype} of {like.shape[1:]}"
        )
    if labels.ndim != 1 or labels.dtype.kind != "i":
        return
    low, high = int(labels.min()), int(labels.max())
    if low == 1 and high == classes:
        raise DataError(f"{what} begin at 1: save labels - 1, so that the {classes} classes are 0 to {classes - 1}")
    if low < 0 or high >= classes:
        wrong = low if low < 0 else high
        hint = "number the classes from 0" if low < 0 else f"correct the labels or set data.classes={high + 1}"
        raise DataError(f"{what} holds {wrong}, but {classes} classes allow 0 to {classes - 1}: {hint}")


def _refuse_unused(labels: np.ndarray, what: str, classes: int) -> None:
    """Raise DataError where a class has no image to be learnt from: its output would be dead."""
    used = np.unique(labels)
    if len(used) == classes:
        return
    if used[0] == 1 and len(used) == classes - 1:
        raise DataError(f"{what} begin at 1: save labels - 1, so that the {len(used)} classes are 0 to {len(used) - 1}")
    if used[-1] < classes - 1 and len(used) == used[-1] + 1:
        raise DataError(
            f"{what} hold {len(used)} classes, not {classes}: leave data.classes out, or set it to {len(used)}"
        )
    unused = np.setdiff1d(np.arange(classes), used).tolist()
    named = f"{_listed(unused[:NAMED])}{' and more' if len(unused) > NAMED else ''}"
    hint = f"number the classes from 0 to {len(used) - 1}, as np.unique(labels, return_inverse=True)[1] does"
    raise DataError(f"{what} never hold {named}: {hint}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return f"[{','.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _listed(words: Any) -> str:
    return ", ".join(map(str, words))

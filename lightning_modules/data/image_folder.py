"""Read a data set from a folder of images, decoded a batch at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import numpy as np

from lightning_modules.data.errors import DataError
from lightning_modules.data.image_files import Files
from lightning_modules.data.images import Images

SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp"),
    *(".tif", ".tiff", ".gif", ".ppm", ".pgm", ".pbm"),
)
TRAIN, VALIDATION, TEST = ("train", "training"), ("val", "valid", "validation"), ("test",)
LAYOUT = "train/<class>/*.jpg and val/<class>/*.jpg"
JUNK = ("__MACOSX", "@eaDir", "lost+found")  # folders that systems make; names that begin with a dot count as well
DAMAGED = ("refuse", "skip")
NAMED = 5  # files that a note names


def image_folder(
    folder: Path, *, size: Any, channels: int = 3, path: str = ".", damaged: str = "refuse", note: str = ""
) -> Images:
    """Images on disk in ImageNet's layout: train/<class>/ and val/<class>/ (the test part) below `path`.

    The test part may be called valid, validation or test. Where there is a test/ beside a val/, val/ is the validation
    part. Images may lie in sub-folders of a class. Classes are numbered in the order of their folders' names. Images
    are decoded a batch at a time and never all held; see `image_files.decode`.

    Args:
        path: relative to `folder` (data_dir) or absolute.
        damaged: refuse or skip; to skip, every file is looked at whenever the data set is opened, and a note says which
            were left out.
    """
    if channels not in (1, 3):
        raise DataError(f"data=image_folder: data.channels={channels}: images are read in grey (1) or in colour (3)")
    if size is None:
        raise DataError("data=image_folder: files have sizes of their own: set data.size to what they are scaled to")
    if damaged not in DAMAGED:
        raise DataError(f"data=image_folder: data.source.damaged={damaged} is neither {' nor '.join(DAMAGED)}")
    root = Path(folder) / str(path)
    train = _one_of(root, TRAIN)
    if train is None:
        raise DataError(
            f"data=image_folder: {root / TRAIN[0]} is not there: set data_dir to the folder that holds {LAYOUT}"
        )
    classes = _classes(train)
    validation, test = _other_parts(root)
    for part in (validation, test):
        if part is not None and classes != (held := _classes(part)):
            name = min(set(classes) ^ set(held))
            lacks, has = (train, part) if name in held else (part, train)
            raise DataError(
                f"data=image_folder: {lacks} has no folder {name}: {lacks.name} and {has.name} need the same classes"
            )
    trained, validated, tested = (_listed(part, classes) if part else [] for part in (train, validation, test))
    if validation is not None:  # the names then tell the parts apart
        trained, validated = (
            [(f"{part.name}/{name}", label) for name, label in files]
            for part, files in ((train, trained), (validation, validated))
        )
    files = {
        "train": _without_damaged(train if validation is None else root, trained + validated, damaged, size, channels),
        "test": _without_damaged(test, tested, damaged, size, channels),
    }
    (train_images, train_labels, left_out), (test_images, test_labels, more) = files.values()
    held_out = None
    if validation is not None:
        begins = np.char.startswith(train_images.names, f"{validation.name}/")
        held_out = np.flatnonzero(begins)
    for name, count in zip(classes, np.bincount(train_labels, minlength=len(classes)), strict=True):
        if not count:
            raise DataError(f"data=image_folder: all images of {train / name} are damaged: delete the folder")
    return Images(
        *(train_images, train_labels, test_images, test_labels),
        note="; ".join(filter(None, [str(note or ""), _left_out([*left_out, *more])])),
        class_names=tuple(classes),
        outputs=len(classes),
        validation=held_out,
    )


def _one_of(root: Path, names: tuple[str, ...]) -> Path | None:
    found = [root / name for name in names if (root / name).is_dir()]
    if len(found) > 1:
        raise DataError(f"data=image_folder: {found[0]} and {found[1].name} mean the same: rename one")
    return found[0] if found else None


def _other_parts(root: Path) -> tuple[Path | None, Path]:
    """The folders to validate on (None: images are held out) and to test on."""
    validation, test = _one_of(root, VALIDATION), _one_of(root, TEST)
    if test is None and validation is None:
        absent = f"data=image_folder: {root / 'val'} is not there, nor valid, validation, test"
        raise DataError(f"{absent}: one of them holds the images to test on")
    if test is not None:
        return validation, test
    return None, cast(Path, validation)


def _classes(part: Path) -> list[str]:
    names = sorted(entry.name for entry in os.scandir(part) if entry.is_dir() and _counts(entry.name))
    if not names:
        raise DataError(
            f"data=image_folder: {part} holds no class folder: set data_dir to the folder that holds {LAYOUT}"
        )
    return names


def _listed(part: Path, classes: list[str]) -> list[tuple[str, int]]:
    """Every image file below a part, as `class/…/name`, and its label."""
    listed: list[tuple[str, int]] = []
    for label, name in enumerate(classes):
        found = []
        for at, folders, files in os.walk(part / name):
            folders[:] = [folder for folder in folders if _counts(folder)]
            below = Path(at).relative_to(part)
            found += [(below / file).as_posix() for file in files if _counts(file) and file.lower().endswith(SUFFIXES)]
        if not found:
            kinds = ", ".join(SUFFIXES)
            raise DataError(f"data=image_folder: {part / name} holds no image ({kinds}): fill the folder or delete it")
        listed += [(file, label) for file in sorted(found)]
    return listed


def _counts(name: str) -> bool:
    return not name.startswith(".") and name not in JUNK


def _without_damaged(
    root: Path, listed: list[tuple[str, int]], damaged: str, size: Any, channels: int
) -> tuple[Files, np.ndarray, list[str]]:
    """The files of a part, their labels, and the names of those that were left out."""
    files = Files(root, [name for name, _ in listed], size=size, channels=channels)
    left_out: list[str] = []
    if damaged == "skip" and (found := files.damaged()):
        left_out = [str(root / listed[k][0]) for k in found]
        listed = [one for k, one in enumerate(listed) if k not in found]
        if not listed:
            raise DataError(f"data=image_folder: all images below {root} are damaged")
        files = Files(root, [name for name, _ in listed], size=size, channels=channels)
    return files, np.array([label for _, label in listed], np.int64), left_out


def _left_out(names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} damaged image{'s' * (len(names) > 1)} left out: {', '.join(names[:NAMED])}{more}"

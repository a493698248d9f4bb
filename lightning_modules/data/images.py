"""Hold a data set as arrays, bring it into its stored form, and say what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cached_property, partial
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lightning_modules.data.errors import DataError

KINDS = {1: "vectors", 2: "series", 3: "images"}  # by the number of axes of one example as the network sees it
Size = int | tuple[int, ...]


class Pixels(Protocol):
    """Images (N, H, W, C) of uint8: a NumPy array, or something that decodes the ones it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, indices: np.ndarray, /) -> np.ndarray: ...


class OnDisk(Pixels, Protocol):
    """Images that are decoded when asked for."""

    def listing(self) -> bytes:
        """What stands for them in a digest: names and sizes in bytes."""
        ...


@dataclass(frozen=True)
class Images:
    """A data set: inputs and targets to train on and to test on.

    Inputs are stored with their channels last: images (N, H, W, C), series (N, L, C) or vectors (N, D), of uint8 or
    float32; or tokens (N, L), of int64. Targets have any shape (N, …): classes are int64 (N,), other numbers float32.

    Attributes:
        note: what every output made from this data must say; '' for nothing.
        class_names: of the classes in their order, where they are known.
        outputs: how many classes there are, where the data knows better than its labels.
        validation: indices of the training part that the data itself sets aside for validation; None where it does not.
    """

    train_images: np.ndarray | OnDisk
    train_labels: np.ndarray
    test_images: np.ndarray | OnDisk
    test_labels: np.ndarray
    note: str = ""
    class_names: tuple[str, ...] = ()
    outputs: int | None = None
    validation: np.ndarray | None = None

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of shapes and contents; of names and sizes where the images stay on disk."""
        total = hashlib.sha256()
        own = [] if self.validation is None else [self.validation]
        for part in (self.train_images, self.train_labels, self.test_images, self.test_labels, *own):
            dtype = str(part.dtype) if isinstance(part, np.ndarray) and part.dtype.kind == "f" else ""
            total.update(f"{tuple(part.shape)!r}{dtype}".encode())
            total.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else part.listing())
        return total.hexdigest()

    @property
    def tokens(self) -> bool:
        """Whether the inputs are tokens."""
        return getattr(self.train_images, "dtype", None) == np.int64

    @property
    def channels(self) -> int:
        """Numbers at each place; of tokens, how many different ones there are."""
        if self.tokens:
            return 1 + max(int(part.max()) for part in (self.train_images, self.test_images))  # pyright: ignore[reportAttributeAccessIssue]
        return self.train_images.shape[-1]

    @property
    def size(self) -> Size:
        """How many places: H × W of images, one number where they are equal; (L,) of series; () of vectors."""
        shape = self.train_images.shape
        return squared(shape[1:] if self.tokens else shape[1:-1])

    @property
    def classes(self) -> int:
        """How many outputs a network needs: one a class, or one a number of the target."""
        if self.outputs is not None:
            return self.outputs
        if self.tokens and self.train_labels.shape == self.train_images.shape and self.train_labels.dtype.kind == "i":
            return self.channels  # the next token
        if self.train_labels.ndim > 1:
            return int(np.prod(self.train_labels.shape[1:]))
        if self.train_labels.dtype.kind == "f":
            return 1
        return 1 + max(int(labels.max()) for labels in (self.train_labels, self.test_labels))

    def prepared(self, name: str) -> Images:
        """Return the data set `name` in its stored form; raise DataError where it cannot be brought into it."""
        parts: dict[str, Any] = {}
        for part in ("train", "test"):
            inputs, labels = getattr(self, f"{part}_images"), np.asarray(getattr(self, f"{part}_labels"))
            if isinstance(inputs, np.ndarray):
                inputs = stored(inputs, f"data={name}: {part}_images")
            parts |= {f"{part}_images": inputs, f"{part}_labels": targets(labels, f"data={name}: {part}_labels")}
        both = [parts["train_images"], parts["test_images"]]
        if all(isinstance(one, np.ndarray) for one in both) and len({one.dtype for one in both}) == 2:
            parts |= {"train_images": both[0].astype(np.float32), "test_images": both[1].astype(np.float32)}
        return replace(self, **parts, note=str(self.note or ""))


def squared(size: Any) -> Any:
    """Write [H, W] as one number where they are equal, and any other list as a tuple."""
    if isinstance(size, int | str) or not isinstance(size, Sequence):
        return size
    return size[0] if len(size) == 2 and size[0] == size[1] else tuple(size)


def input_shape(channels: int, size: Any, *, tokens: bool = False) -> tuple[int, ...]:
    """Return the shape of one input as a network sees it: (C, H, W), (C, L) or (C,); of tokens (L,)."""
    places = (size, size) if isinstance(size, int) else tuple(size)
    return places if tokens else (channels, *places)


def network_shape(channels: int, size: Any, augment: Any, *, tokens: bool = False) -> tuple[int, ...]:
    """As `input_shape`, after the augmentation `augment`.

    Raises:
        ValueError: it is made for images, and these are none.
    """
    images = isinstance(size, int) or len(size) == 2
    if images and not tokens:
        return input_shape(channels, augment.out_size(squared(size)))
    shape = input_shape(channels, size, tokens=tokens)
    if getattr(augment, "images_only", True):
        kind = "tokens" if tokens else KINDS.get(len(shape), "data of another kind")
        raise ValueError(
            f"augment={type(augment).__name__} is for images, and the data are {kind}: choose augment=none"
        )
    return shape


def stored(inputs: np.ndarray, what: str) -> np.ndarray:
    """Return inputs as uint8 where they are whole numbers from 0 to 255, as int64 where they are tokens, else float32.

    Two axes of whole numbers that are not uint8 are tokens.

    Raises:
        DataError: they are no numbers, not finite, or have other axes.
    """
    if not 2 <= inputs.ndim <= 4:
        kinds = "images (N, H, W, C), series (N, L, C), vectors (N, D) or tokens (N, L)"
        raise DataError(f"{what} have {inputs.ndim} axes: save {kinds}")
    if inputs.dtype.kind not in "buif":
        raise DataError(f"{what} are {inputs.dtype}, not numbers: save uint8, another whole number or floats")
    if len(inputs) == 0:
        raise DataError(f"{what} holds no image: at least one is needed")
    if inputs.size == 0:
        raise DataError(f"{what} are {' x '.join(map(str, inputs.shape))}: no axis may be empty")
    if inputs.dtype == np.uint8:
        return inputs
    if inputs.dtype.kind == "f":
        return finite(inputs, what)
    if inputs.ndim == 2 and inputs.dtype.kind != "b":
        if (lowest := int(inputs.min())) < 0:
            raise DataError(f"{what} holds the token {lowest}: number tokens from 0")
        return inputs.astype(np.int64)
    if inputs.dtype.kind == "b" or (inputs.min() >= 0 and inputs.max() <= 255):
        return inputs.astype(np.uint8)
    return inputs.astype(np.float32)


def finite(numbers: np.ndarray, what: str) -> np.ndarray:
    """Return float32; raise DataError where a number is not finite, or too large for it."""
    with np.errstate(over="ignore"):
        numbers = numbers.astype(np.float32, copy=False)
    if not np.isfinite(numbers).all():
        wrong = int((~np.isfinite(numbers.reshape(len(numbers), -1))).any(1).sum())
        raise DataError(
            f"{what} holds NaN or infinity in {wrong} of {len(numbers)} examples: fill them, or leave them out"
        )
    return numbers


def targets(labels: np.ndarray, what: str) -> np.ndarray:
    """Return whole numbers as int64 and others as float32.

    Raises:
        DataError: they are no finite numbers, or float32, in which a network computes, does not tell them apart.
    """
    if labels.dtype.kind not in "buif":
        raise DataError(f"{what} are {labels.dtype}, not numbers: number the classes from 0")
    numbers = labels.astype(np.float64)
    with np.errstate(all="ignore"):  # what is not finite is refused below
        rounding = np.abs(numbers - numbers.astype(np.float32)).max(axis=0, initial=0)
        spread = numbers.std(axis=0)
        rounded = (rounding > 0.01 * spread) & (spread > 1e-12 * np.abs(numbers).max(axis=0, initial=0))
    if np.isfinite(numbers).all() and rounded.any():
        raise DataError(f"{what} differ too little for float32 to tell them apart: subtract their mean first")
    return finite(labels, what) if labels.dtype.kind == "f" else labels.astype(np.int64, copy=False)


def load(source: Callable[..., Images], folder: Path) -> Images:
    """Call a source and return its data set in its stored form.

    Raises:
        DataError: it has not the options that are set, or returns something else than `Images`.
    """
    made = source if isinstance(source, partial) else partial(source)
    name = name_of(made)
    options = signature(made.func).parameters
    if not any(one.kind == Parameter.VAR_KEYWORD for one in options.values()):
        allowed = list(options)[1:]
        if unknown := [key for key in made.keywords if key not in allowed]:
            near = get_close_matches(unknown[0], allowed, 1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(allowed) or 'no option'}"
            raise DataError(f"data={name}: data.source has no option {unknown[0]}: {hint}")
        absent = [key for key in allowed if options[key].default is Parameter.empty and key not in made.keywords]
        if absent and not made.args:
            raise DataError(f"data={name}: data.source needs the option {absent[0]}")
    try:
        images = source(folder)
    except (TypeError, ValueError) as error:
        raise DataError(f"data={name}: data.source cannot be read as it is set: {error}") from error
    if not isinstance(images, Images):
        raise DataError(f"data={name}: data.source returned {type(images).__name__}, not Images")
    return images.prepared(name)


def name_of(source: Any) -> str:
    """Return the name of the function behind a source: messages say `data=<name>`."""
    function = source.func if isinstance(source, partial) else source
    return getattr(function, "__name__", type(function).__name__)

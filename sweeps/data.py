"""Look at the data of a run before anything is trained: its sizes, how many examples, whether it can be used."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf, open_dict

from sweeps.instantiate import Node, instantiate, once_a_node

SIZES = ("channels", "size", "classes")


class Seen(NamedTuple):
    """What a data source gives.

    Attributes:
        on_disk: whether its images stay there.
    """

    images: Any
    digest: str
    on_disk: bool


@once_a_node
def seen(source: Node, folder: Path) -> Seen:
    """Load what a data source gives; nothing is loaded twice by one process.

    Raises:
        DataError: it cannot be used, or is not there; says where it is, if that is the current folder.
    """
    from numpy import ndarray

    from lightning_modules.data.errors import DataError
    from lightning_modules.data.images import load

    try:
        images = load(instantiate(source), folder)
    except DataError as error:
        path = Path(str(source.get("path") or "."))
        if path.is_absolute() or (folder / path).exists() or path == Path() or not path.exists():
            raise
        here = shlex.quote(str(path.absolute()))
        raise DataError(f"{error}; {path} is in the current folder: write data.source.path={here}") from error
    return Seen(images, images.digest, not isinstance(images.train_images, ndarray))


def fill_sizes(config: DictConfig) -> None:
    """Write the channels, the size and the classes that are null in `config.data` into it, as the data has them.

    Raises:
        DataError: the data is not there, or cannot be used.
    """
    found = sizes(config.get("data"), lambda: OmegaConf.to_container(config.data.source, resolve=True), config.data_dir)
    if found:
        with open_dict(config):
            for key, value in found.items():
                config.data[key] = value


def with_sizes(tree: Mapping[str, Any], resolved: Any, folder: str) -> Any:
    """As `fill_sizes`, for a config as plain data, which is copied.

    Args:
        resolved: replaces the interpolations of a node.
        folder: `data_dir`.
    """
    found = sizes(tree.get("data"), lambda: resolved(tree["data"]["source"]), folder)
    return {**tree, "data": {**tree["data"], **found}} if found else tree


def sizes(data: Any, source: Any, folder: Any) -> dict[str, Any]:
    """Return what is to be written into a node `data`: sizes that it leaves open, and [H, W] as one number if equal."""
    from lightning_modules.data.images import squared

    if not isinstance(data, Mapping | DictConfig) or not data.get("source"):
        return {}
    size = data.get("size")
    plain = squared(OmegaConf.to_container(size) if OmegaConf.is_config(size) else size)
    found: dict[str, Any] = {"size": plain} if isinstance(plain, int) and plain != size else {}
    absent = [key for key in SIZES if data.get(key) is None]
    if absent:
        images = seen(source(), Path(folder)).images
        found |= {key: getattr(images, key) for key in absent}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def shape_of(config: DictConfig, augment: Any) -> tuple[int, ...]:
    """Return the shape of one input. Data whose sizes are all typed is not loaded, unless it may be tokens.

    Raises:
        DataError: a size is left open, or there is one place, and the data is not there or cannot be used.
    """
    from lightning_modules.data.images import network_shape

    fill_sizes(config)
    data: Any = OmegaConf.to_container(config.data, resolve=True)
    places = data["size"] if isinstance(data["size"], list) else ()
    tokens = len(places) == 1 and seen(data["source"], Path(config.data_dir)).images.tokens
    return network_shape(data["channels"], data["size"], augment, tokens=tokens)


class Inputs(NamedTuple):
    """What a network is fed.

    Attributes:
        shape: of one input, after the augmentation.
        count: how many examples are trained on.
    """

    shape: tuple[int, ...]
    tokens: bool
    count: int


def check_data(data: Node, folder: Path, augment: Any) -> Inputs:
    """Check that a node `data` is set as it can be and that its data can be used; return what a network is fed.

    Raises:
        DataError: the data is damaged or absent, or not what its config says.
        ValueError: a setting is of another kind, or `augment` is not for such data.
    """
    from lightning_modules.data.images import network_shape

    _check(data, folder)
    images = seen(data["source"], folder).images
    channels, size, _ = _said(data, images)
    shape = network_shape(channels, size, augment, tokens=images.tokens)
    return Inputs(shape, images.tokens, training_images(data, folder))


@once_a_node
def _check(data: Node, folder: Path) -> None:
    from lightning_modules.data.checks import check, check_settings
    from lightning_modules.data.images import name_of

    check_settings(data)
    found = seen(data["source"], folder)
    channels, size, classes = _said(data, found.images)
    check(found.images, channels=channels, size=size, classes=classes, name=name_of(instantiate(data["source"])))
    if found.on_disk:
        for part in (found.images.train_images, found.images.test_images):
            if hasattr(part, "refuse_damaged"):
                part.refuse_damaged()


def _said(data: Node, images: Any) -> tuple[int, Any, int]:
    channels, size, classes = (getattr(images, key) if data.get(key) is None else data[key] for key in SIZES)
    return channels, size, classes


@once_a_node
def training_images(data: Node, folder: Path) -> int:
    """Count the images that a run trains on; ValueError where so many cannot be held out, or taken."""
    from lightning_modules.data.parts import divided, split_seed_of

    images = seen(data["source"], folder).images
    split = data.get("split", "fixed")
    split_seed = split_seed_of(split, data["split_seed"], seed=0)
    return len(divided(images, data["held_out"], split_seed, data.get("take"), split)[0])


def data_digest(source: Node, folder: Path) -> str | None:
    """Digest of what a data source gives now; None where its files are not here: nothing is downloaded."""
    from lightning_modules.data.download import nothing_downloaded
    from lightning_modules.data.errors import DataError

    try:
        with nothing_downloaded():
            return seen(source, folder).digest
    except DataError:  # what trains will say what is wrong with it
        return None

"""Measure what a trained network loses without one block.   Srivastava et al. 2015, Sec. 5; Veit et al. 2016."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from statistics import fmean, median
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_modules.networks.block_finder import FoundBlock, find_blocks
from lightning_modules.networks.blocks import Plain
from lightning_modules.networks.inits import WEIGHTED
from lightning_modules.networks.shortcuts import ZeroShortcut
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.compiled import uncompiled

UNKNOWN = "nothing is known to be left of it without its body: give it a `body` and a `shortcut`"
RESIZES = "nothing gets past its body, and what it passes on is not of the size of its input"
Row = dict[str, Any]


def lesions(classifier: Classifier, data: pl.LightningDataModule, trainer: pl.Trainer) -> list[Row]:
    """Validate once with each block removed. Hooks remove it, so the network runs uncompiled and no weight changes.

    A row has `block` from 1, its `name` in the network, `val_loss`, the metric that the task is judged by (of a
    classification `val_error` in percent), `damage`: by how much that is worse than the whole network's, and
    `left_out`: why a block that cannot be taken out has no numbers.
    """
    judged, worse = f"val_{classifier.task.judged}", classifier.task.worse

    def measure() -> tuple[float, float]:
        with uncompiled(classifier.network):
            trainer.validate(classifier, datamodule=data, verbose=False)
        return classifier.metrics["val_loss"], classifier.metrics[judged]

    rows: list[Row] = []
    found = find_blocks(classifier.network)
    with passing(found) as same_size:
        _, intact = measure()
    for i, (part, same) in enumerate(zip(found, same_size, strict=True), start=1):
        row: Row = {"block": i, "name": part.path, "val_loss": None, judged: None, "damage": None}
        if reason := not_taken(part, same_size=same):
            logging.getLogger(__name__).info("lesions: %s is left out, since %s", part.path, reason)
            rows.append(row | {"left_out": reason})
            continue
        with taken_out(part):
            loss, value = measure()
        rows.append(row | {"val_loss": loss, judged: value, "damage": worse * (value - intact), "left_out": None})
    if all(row["left_out"] for row in rows):
        logging.getLogger(__name__).warning("lesions: this network has no block that can be taken out")
    return rows


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """The mean, median and largest damage over the blocks; nothing without any."""
    damages = [row["damage"] for row in rows if row["damage"] is not None]
    if not damages:
        return {}
    return {"lesion_mean": fmean(damages), "lesion_median": median(damages), "lesion_max": max(damages)}


@contextmanager
def taken_out(part: FoundBlock) -> Iterator[None]:
    """Remove a block's body inside the `with`.

    What remains of a block with a shortcut is join(x, 0), with a highway's transform gate closed as well, t = 0; of a
    plain one, past whose body nothing gets, the input itself.
    """
    first, last = part.modules[0], part.modules[-1]
    with ExitStack() as hooks:
        if _has_way_past(first):
            for module in (first.get_submodule("body"), *([part.gate] if part.gate else [])):
                hooks.callback(module.register_forward_hook(_zeros).remove)
        else:
            entered: list[Tensor] = []
            hooks.callback(first.register_forward_pre_hook(lambda _, x: entered.append(x[0])).remove)
            hooks.callback(last.register_forward_hook(lambda *_: entered.pop()).remove)
        yield


@contextmanager
def passing(found: Sequence[FoundBlock]) -> Iterator[list[bool]]:
    """Watch forward passes; after the `with`, the list tells whether each block keeps the size of its input."""
    sizes: list[list[torch.Size]] = [[] for _ in found]
    same: list[bool] = []
    with ExitStack() as hooks:
        for part, seen in zip(found, sizes, strict=True):
            hooks.callback(part.modules[0].register_forward_pre_hook(partial(_enters, seen)).remove)
            hooks.callback(part.modules[-1].register_forward_hook(partial(_leaves, seen)).remove)
        yield same
    same += [len(seen) >= 2 and seen[0] == seen[1] for seen in sizes]


def not_taken(part: FoundBlock, *, same_size: bool) -> str | None:
    """Return why a block cannot be removed, or None."""
    first = part.modules[0]
    if _has_way_past(first):
        return None
    layer = type(first) is nn.Sequential or isinstance(first, WEIGHTED)  # of a network without blocks, as vgg
    if not layer and not isinstance(first, Plain) and not isinstance(getattr(first, "shortcut", None), ZeroShortcut):
        return UNKNOWN
    return None if same_size else RESIZES


def _zeros(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
    return torch.zeros_like(output)


def _enters(seen: list[torch.Size], module: nn.Module, inputs: tuple[Any, ...]) -> None:
    seen += [value.shape for value in inputs[:1] if isinstance(value, Tensor)]


def _leaves(seen: list[torch.Size], module: nn.Module, inputs: Any, output: Any) -> None:
    seen += [output.shape] if isinstance(output, Tensor) else []


def _has_way_past(block: nn.Module) -> bool:
    if not isinstance(getattr(block, "body", None), nn.Module):
        return False
    shortcut = getattr(block, "shortcut", None)
    return getattr(block, "grows", False) or (
        isinstance(shortcut, nn.Module) and not isinstance(shortcut, ZeroShortcut)
    )

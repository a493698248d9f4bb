"""Turn the weights of a trained network into a file of tensors and back; reading one executes nothing."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from lightning_modules.networks.growth import PendingBlock
from lightning_modules.training.classifier import Classifier

Weights = dict[str, Tensor]
FORMAT = "2"  # of the metadata


class KeptEpoch(Callback):
    """Remembers the weights of the epoch that is kept: with keep=best the first with the best judged validation metric.

    With other values of `keep` it copies nothing while the network trains. Its state is a part of the checkpoint, so
    that a resumed run still knows its best epoch.

    Attributes:
        epoch: that of the best weights, from 1; None where there are none.
    """

    def __init__(self, keep: str) -> None:
        self.keep = keep
        self.value = math.inf  # of the best epoch: its metric, with the sign by which larger is worse
        self.epoch: int | None = None
        self.best: Weights | None = None

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Classifier) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self.keep != "best" or not math.isfinite(pl_module.metrics["train_loss"]):
            return
        task = pl_module.task
        value = task.worse * pl_module.metrics[f"val_{task.judged}"]
        if value < self.value:
            self.value, self.epoch = value, trainer.current_epoch + 1
            self.best = tensors(pl_module.network)

    def weights(self, network: nn.Module, epochs: int) -> tuple[Weights, int]:
        """Return the weights to keep of a trained network, and their epoch."""
        if self.best is not None and self.epoch is not None:
            return self.best, self.epoch
        return tensors(network), epochs

    def state_dict(self) -> dict[str, Any]:
        return {} if self.best is None else {"value": self.value, "epoch": self.epoch, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self.keep == "best":
            self.value, self.epoch = state_dict["value"], state_dict["epoch"]
            self.best = dict(state_dict["best"])


def tensors(network: nn.Module) -> Weights:
    """Copy the parameters and buffers of a network to the CPU, each in memory of its own.

    Blocks with which the network grew have the names that they have in a network that is built whole.

    Raises:
        ValueError: its state holds more than tensors.
    """
    state = network.state_dict()
    for prefix in [f"{name}." for name, module in network.named_modules() if isinstance(module, PendingBlock)]:
        grown = {name: f"{prefix}{name.removeprefix(f'{prefix}block.')}" for name in state if name.startswith(prefix)}
        state = {grown.get(name, name): value for name, value in state.items()}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{name} of the network is a {type(value).__name__} and no tensor")
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in state.items()}


def packed(weights: Weights, about: Mapping[str, Any]) -> bytes:
    """Return the content of a safetensors file; each value of `about` is written as JSON.

    Raises:
        ValueError: a tensor is of a type that the format does not have.
    """
    metadata = {name: json.dumps(value, ensure_ascii=False) for name, value in about.items()}
    try:
        return save(weights, metadata | {"skipbench": FORMAT})
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"a tensor of the network has no place in a safetensors file ({error})") from error


def read_weights(path: Path) -> tuple[Weights, dict[str, Any]]:
    """Read weights and what is said about them.

    Raises:
        ValueError: the file is damaged, or not of Skipbench.
    """
    try:
        with safe_open(path, framework="pt") as file:
            said = dict(file.metadata() or {})
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 it is no dict
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path} is no whole safetensors file ({error})") from error
    if said.pop("skipbench", None) != FORMAT:
        raise ValueError(f"{path} holds weights, but not those of a run of this version of Skipbench")
    try:
        return weights, {name: json.loads(value) for name, value in said.items()}
    except ValueError as error:
        raise ValueError(f"{path}: what is said about its weights is damaged ({error})") from error


def content_digest(weights: Weights) -> str:
    """Return the SHA-256 of names, types, shapes and values, 64 hex digits; the same wherever the file lies."""
    total = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name]
        total.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        total.update(value.reshape(-1).view(torch.uint8).numpy().data if value.numel() else b"")
    return total.hexdigest()

"""A training as most people write it today: the other yardstick.

A Dataset of PIL images with transforms of each image by itself, a DataLoader with workers (which live on from epoch to
epoch), images in NCHW, `self.log` of loss and accuracy at every step, and a Trainer as it comes, with a progress bar, a
CSV logger and a checkpoint an epoch.
The transforms do what torchvision's RandomCrop(32, padding=4), RandomHorizontalFlip, ToTensor and Normalize do, written
out, since PyPI's torchvision does not load beside a CPU torch.
"""

from __future__ import annotations

import os
import random
import time
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from PIL import Image, ImageOps
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset):
    """Images (N, H, W, C) and labels; each is made a picture, transformed, and made a tensor, when it is asked for."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, *, crop_flip: bool, mean: Tensor, std: Tensor) -> None:
        self.images, self.labels, self.crop_flip = images, labels, crop_flip
        self.mean, self.std = mean, std

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].squeeze())
        if self.crop_flip:
            size, padded = picture.width, ImageOps.expand(picture, border=4)
            left, top = random.randint(0, 8), random.randint(0, 8)
            picture = padded.crop((left, top, left + size, top + size))
            if random.random() < 0.5:
                picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(picture).reshape(picture.height, picture.width, -1))
        tensor = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return (tensor - self.mean) / self.std, int(self.labels[index])


class Convention(pl.LightningModule):
    """Cross-entropy, SGD, cosine; loss and accuracy logged at every step."""

    def __init__(self, network: nn.Module, *, lr: float = 0.1, epochs: int) -> None:
        super().__init__()
        self.network, self.lr, self.epochs = network, lr, epochs

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self._logged(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._logged(batch, "val")

    def _logged(self, batch: tuple[Tensor, Tensor], part: str) -> Tensor:
        images, labels = batch
        logits = self(images)
        loss = F.cross_entropy(logits, labels)
        accuracy = (logits.argmax(dim=1) == labels).float().mean()
        steps = part == "train"
        self.log(f"{part}_loss", loss, on_step=steps, on_epoch=True, prog_bar=True)
        self.log(f"{part}_acc", accuracy, on_step=steps, on_epoch=True, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=self.lr, momentum=0.9, weight_decay=1e-4)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.epochs)]


class Clock(pl.Callback):
    """Wall and processor seconds of every epoch with its validation, from one epoch's end to the next one's."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append((time.perf_counter(), time.process_time() + sum(map(_busy, active_children()))))

    @property
    def epochs(self) -> list[tuple[float, float]]:
        """Of all but the first epoch, which warms up."""
        pairs = zip(self.ends, self.ends[1:], strict=False)
        return [(now[0] - then[0], now[1] - then[1]) for then, now in pairs]


def _busy(process: Any) -> float:
    """Processor seconds of another process of this machine."""
    fields = Path(f"/proc/{process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def divided(images: Any, cut: int) -> list[tuple[Any, Any]]:
    """Training images and labels up to `cut`, and from there on, to validate."""
    return [(images.train_images[part], images.train_labels[part]) for part in (slice(cut), slice(cut, None))]


def epochs_of(
    network: nn.Module,
    train: tuple[np.ndarray, np.ndarray],
    val: tuple[np.ndarray, np.ndarray],
    *,
    folder: Path,
    epochs: int,
    crop_flip: bool,
    workers: int = 2,
    batch: int = 128,
    precision: Any = "32-true",
) -> list[tuple[float, float]]:
    """Train so many epochs and one more; wall and processor seconds (workers included) of each but the first.

    Args:
        train: images (N, H, W, C) of uint8, and labels.
        val: the same, for validation after every epoch.
        folder: for logs and checkpoints.
        crop_flip: whether training images are cropped and mirrored at random.
    """
    scale = torch.from_numpy(train[0].reshape(-1, train[0].shape[-1]) / 255)
    mean, std = (value.float().view(-1, 1, 1) for value in (scale.mean(0), scale.std(0)))
    like: dict[str, Any] = {"mean": mean, "std": std}
    clock, pin = Clock(), torch.cuda.is_available()
    ways: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0, "pin_memory": pin}
    loader = DataLoader(Pictures(*train, crop_flip=crop_flip, **like), batch, shuffle=True, drop_last=True, **ways)
    looked_at = DataLoader(Pictures(*val, crop_flip=False, **like), batch, **ways)
    trainer = pl.Trainer(
        max_epochs=epochs + 1,
        default_root_dir=folder,
        precision=precision,
        callbacks=[clock],
        logger=CSVLogger(folder),  # Lightning's choice, but where TensorBoard is installed
    )
    trainer.fit(Convention(network, epochs=epochs + 1), loader, looked_at)
    return clock.epochs

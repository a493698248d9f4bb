"""Small trainings in this process, composed as the command line would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer
from torch import nn

from ablations.catalog.choices import CONF
from lightning_modules.data.augment import NoAugment
from lightning_modules.data.images import Images
from lightning_modules.data.module import ImageData
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.fit import Outcome, fit
from lightning_modules.training.history import Curve, LastEpoch, Row
from sweeps.compose.hydra_internals import set_values
from sweeps.training import build

QUICK = ["depth=8", "recipe.epochs=2", "trainer=cpu", "trainer.threads=1", "tracker=none"]


def composed(*overrides: str) -> DictConfig:
    """What `python run.py` would train: a digits ResNet-8 for two epochs, where nothing else is said.

    Hydra composes each set of choices once; values are set on copies, as a sweep does it.
    """
    words = [*QUICK, *overrides]
    axes = [word.partition("=")[0] for word in words]
    choices = tuple(word for word, axis in zip(words, axes, strict=True) if is_choice(axis))
    config = deepcopy(_composed(choices))
    set_values(config, [word for word in words if word not in choices])
    config.hydra.overrides.task = words
    return config


def is_choice(axis: str) -> bool:
    """Whether a word chooses a file, or says where there are files."""
    return axis == "hydra.searchpath" or (CONF / axis).is_dir()


@cache
def _composed(choices: tuple[str, ...]) -> DictConfig:
    OmegaConf.register_new_resolver("folder", lambda: "folder", replace=True)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(choices), return_hydra_config=True)


class Trained(NamedTuple):
    done: Outcome
    curve: Curve
    classifier: Classifier
    trainer: Trainer
    data: ImageData

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return self.classifier.network.state_dict()


def train(
    *overrides: str,
    network: Callable[[], nn.Module] | None = None,
    data: ImageData | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    on_rows: Callable[[list[Row], list[Row]], object] = lambda rows, new: None,
) -> Trained:
    """Compose, build and fit in this process; `network` and `data` may take the place of what is composed."""
    config = composed(*overrides)
    built, images, recipe = build(config)
    if network is not None:
        torch.manual_seed(config.seed)
        built = network()
    images = data or images
    curve = Curve(on_rows)
    watchers = [curve, *callbacks, *([LastEpoch(checkpoint)] if checkpoint else [])]
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=watchers)
    classifier = Classifier(built, recipe, seed=config.seed)
    return Trained(fit(classifier, images, trainer, curve, resume=checkpoint), curve, classifier, trainer, images)


def perceptron() -> nn.Module:
    """A tiny network for digits with all that has a state or draws numbers: batch norm and dropout."""
    layers = (nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 10))
    return nn.Sequential(nn.Flatten(), *layers)


def tiny_data(*, batch_size: int = 16, train: int = 80, seed: int = 0) -> ImageData:
    """Eighty 8×8 images to train (five batches of 16), 20 held out, 30 to test."""
    rng = np.random.default_rng(7)

    def part(count: int) -> tuple[np.ndarray, np.ndarray]:
        return rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8), np.arange(count) % 10

    images = Images(*part(train + 20), *part(30), note="")
    sizes: dict[str, Any] = {"channels": 1, "size": 8, "classes": 10, "held_out": 20, "split_seed": 0}
    source = partial(lambda folder, key: images, key=(train, seed))
    return ImageData(
        source, **sizes, folder=Path(f"tiny{train}"), batch_size=batch_size, augment=NoAugment(), seed=seed
    )

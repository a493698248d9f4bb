"""Train a classifier, then evaluate it once on the test set."""

from __future__ import annotations

import signal
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lightning_modules.tasks.classification import Classification
from lightning_modules.training.block_removal import lesions, summary
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.history import Curve
from lightning_modules.training.predictions import Arrays, calibration

ABOUT = ("epoch", "lr", "seconds")  # columns of a curve that are no metrics


@dataclass(frozen=True)
class Outcome:
    """The result of a training.

    Attributes:
        metrics: `train_*` and `val_*` of the last epoch, `test_*` of the final weights: the loss and the metrics of the
            task; of a classification `val_ece` and `test_ece` in percent points, unless it diverged; `lesion_*` where
            the recipe asks for them.
        seconds: spent in epochs (training and validation), over interruptions; without set-up and the test.
        epochs: begun; of a recipe in steps the last one may be a part.
        diverged: whether the loss stopped being finite.
        device: what it was trained on, in words.
        lesions: a row a block, see `block_removal.lesions`.
        predictions: of the validation and the test set, by the final weights, see `Predictions.arrays`; empty where the
            training diverged, or the task is no classification.
    """

    metrics: dict[str, float]
    epochs: int
    steps: int
    seconds: float
    diverged: bool
    device: str
    lesions: list[dict[str, Any]] = field(default_factory=list)
    predictions: Arrays = field(default_factory=dict)


def fit(
    classifier: Classifier,
    data: pl.LightningDataModule,
    trainer: pl.Trainer,
    curve: Curve,
    *,
    resume: Path | None = None,
) -> Outcome:
    """Train and evaluate once on the test set; where the file `resume` exists, go on from it.

    A recipe with `lesions` is evaluated on the validation set without each of its blocks before the test.

    Args:
        curve: one of the trainer's callbacks; holds the epochs, those before an interruption included.

    Raises:
        KeyboardInterrupt: on Ctrl-C, after Lightning has put its affairs in order.
        torch.OutOfMemoryError: and whatever else the network or the data raise.
    """
    if trainer.precision == "64-true":
        classifier.double()  # before Lightning does, which first loads a checkpoint into what there is
    found = resume if resume and resume.exists() else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning 2.6 beside torch 2.13; theirs to mend
        warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler")  # 16-mixed left the first step out
        try:
            trainer.fit(classifier, datamodule=data, ckpt_path=found, weights_only=True if found else None)
            steps = trainer.global_step
            keeps = isinstance(classifier.task, Classification) and not curve.diverged
            predictions = validated(classifier, data, trainer) if keeps else {}
            without = lesions(classifier, data, trainer) if classifier.recipe.lesions and not curve.diverged else []
            trainer.test(classifier, datamodule=data, verbose=False)
            if keeps:
                predictions |= classifier.predictions.arrays("test", data.test_dataloader, trainer)
        except SystemExit as end:
            if not trainer.interrupted or end.code != 1:  # 1 is Lightning's word for Ctrl-C; others end a process too
                raise
            signal.signal(signal.SIGINT, signal.default_int_handler)  # Lightning leaves it ignored
            raise KeyboardInterrupt from None
        finally:
            if torch.distributed.is_available() and torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()  # its threads would break off a process that ends
    last = curve.rows[-1]
    metrics = {name: value for name, value in last.items() if name not in ABOUT}
    metrics |= {name: value for name, value in classifier.metrics.items() if name.startswith("test_")}
    metrics |= (calibration(predictions) if predictions else {}) | summary(without)
    about = (int(last["epoch"]), steps, last["seconds"], curve.diverged, _device(trainer))
    return Outcome(metrics, *about, lesions=without, predictions=predictions)


def validated(classifier: Classifier, data: pl.LightningDataModule, trainer: pl.Trainer) -> Arrays:
    """Return the predictions of the last validation; one that an interruption lost is done again."""
    if not classifier.predictions.labels:
        trainer.validate(classifier, datamodule=data, verbose=False)
    return classifier.predictions.arrays("val", data.val_dataloader, trainer)


def _device(trainer: pl.Trainer) -> str:
    device = trainer.strategy.root_device
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        name = f"{device.type}, {torch.get_num_threads()} thread{'' if torch.get_num_threads() == 1 else 's'}"
    return name if trainer.world_size == 1 else f"{trainer.world_size} × {name}"

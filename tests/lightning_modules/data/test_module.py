from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint

from lightning_modules.data import module
from lightning_modules.data.arrays import arrays
from lightning_modules.data.augment import CropFlip, NoAugment, Resize
from lightning_modules.data.errors import DataError
from lightning_modules.data.images import Images
from lightning_modules.data.synthetic import NOTE, synthetic


class Recorder(LightningModule):
    """A tiny network that notes the labels of every training batch, by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.network = torch.nn.Linear(64, 10)
        self.epochs: dict[int, list[int]] = {}
        self.dtypes: set[torch.dtype] = set()

    def training_step(self, batch, index):
        images, labels = batch
        self.epochs.setdefault(self.current_epoch, []).extend(labels.tolist())
        self.dtypes.add(images.dtype)
        return torch.nn.functional.cross_entropy(self.network(images.flatten(1)), labels)

    def validation_step(self, batch, index):
        self.dtypes.add(batch[0].dtype)

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def train(tmp_path):
    """train(data, epochs): a Recorder fitted on the CPU, from a checkpoint or not."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}

    def fit(data, epochs, *, checkpoint=None):
        recorder = Recorder()
        keep = ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        trainer = Trainer(accelerator="cpu", devices=1, max_epochs=epochs, callbacks=[keep], **quiet)
        trainer.fit(recorder, datamodule=data, ckpt_path=checkpoint, weights_only=False)
        trainer.test(recorder, datamodule=data, verbose=False)
        return recorder

    return fit


@pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec:FutureWarning")  # Lightning 2.6 with torch 2.13
@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_every_epoch_has_its_own_order_and_a_resumed_run_the_same(image_data, train, tmp_path):
    whole = train(image_data(), 4)
    assert sorted(whole.epochs) == [0, 1, 2, 3]
    assert len({tuple(order) for order in whole.epochs.values()}) == 4
    assert {len(order) for order in whole.epochs.values()} == {1280}
    assert whole.dtypes == {torch.float32}

    resumed = train(image_data(), 4, checkpoint=tmp_path / "epoch=1.ckpt")
    assert resumed.epochs == {epoch: whole.epochs[epoch] for epoch in (2, 3)}
    assert all(map(torch.equal, whole.parameters(), resumed.parameters()))


def test_the_normalised_training_part_has_mean_0_and_deviation_1(image_data):
    data = image_data(batch_size=1280)
    data.setup()
    images = torch.from_numpy(data.images.train_images[data.train_indices]).permute(0, 3, 1, 2)
    normalised, _ = data.on_after_batch_transfer((images, torch.zeros(1280)))
    assert normalised.mean().abs() < 1e-5
    assert (normalised.std(correction=0) - 1).abs() < 1e-5


def test_statistics_are_of_the_training_part_alone(image_data):
    def means(held_out):
        data = image_data(held_out=held_out)
        data.setup()
        return data.on_after_batch_transfer((torch.zeros(1, 1, 8, 8, dtype=torch.uint8), None))[0]

    assert not torch.equal(means(157), means(1000))


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_last_is_kept_on_the_way_to_the_network(image_data, channels):
    sizes = {"size": 8, "channels": channels, "classes": 10}
    data = image_data(lambda folder: synthetic(folder, **sizes, train=256, test=16), **sizes, augment=CropFlip())
    data.setup()
    images, labels = data.on_after_batch_transfer(next(iter(data.train_dataloader())))
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert images.shape == (99, channels, 8, 8)
    assert labels.dtype == torch.int64


def test_parts_do_not_overlap_and_do_not_depend_on_the_seed(image_data):
    data, other = image_data(), image_data(seed=9)
    assert not set(data.train_indices) & set(data.val_indices)
    assert len(data.val_indices) == 157
    assert (data.val_indices == other.val_indices).all()
    assert (image_data(split_seed=1).val_indices != data.val_indices).any()
    for loader, indices in ((data.train_dataloader(), data.train_indices), (data.val_dataloader(), data.val_indices)):
        labels = torch.cat([labels for _, labels in loader]).numpy()
        assert (np.bincount(labels) == np.bincount(data.images.train_labels[indices])).all()
    assert (torch.cat([labels for _, labels in data.test_dataloader()]).numpy() == data.images.test_labels).all()


def test_shape_is_what_the_network_sees(image_data):
    data = image_data(augment=Resize(96))
    assert data.shape == (1, 96, 96)
    data.setup()
    for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader()):
        assert next(iter(loader))[0].shape[1:] == data.shape
    assert image_data(augment=NoAugment()).shape == (1, 8, 8)


def test_devices_get_their_share(image_data):
    data = image_data()
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    data.trainer = SimpleNamespace(global_rank=1, world_size=2, strategy=strategy)
    loader = data.train_dataloader()
    assert (loader.rank, loader.world_size, len(loader)) == (1, 2, 10)
    assert next(iter(loader))[1].shape == (64,)


def test_the_same_images_are_loaded_once_a_process(image_data):
    loaded = []

    def source(folder):
        loaded.append(folder)
        return synthetic(folder, size=8, channels=1, classes=10, train=200, test=10)

    for held_out in (50, 50, 60):
        image_data(source, held_out=held_out).prepare_data()
    assert len(loaded) == 1
    image_data(source, held_out=50, folder=Path("elsewhere")).prepare_data()
    assert len(loaded) == 2


def test_sources_with_other_arguments_are_other_sources(tmp_path):
    from functools import partial

    first, again, other = (module._Request(partial(arrays, path=name), tmp_path) for name in ("a", "a", "b"))
    assert first == again
    assert hash(first) == hash(again)
    assert first != other
    assert first.name == "arrays"


def test_note_and_digest_reach_the_outside(image_data):
    sizes = {"size": 8, "channels": 1, "classes": 10}
    data = image_data(lambda folder: synthetic(folder, **sizes, train=200, test=16))
    assert data.note == NOTE
    assert data.digest != image_data().digest
    assert image_data().note == ""


def test_what_is_wrong_is_said_before_training(image_data, tmp_path):
    with pytest.raises(DataError, match=r"data=arrays: .* is not there"):
        image_data(lambda folder: arrays(folder, path="a.npz"), folder=tmp_path).prepare_data()
    with pytest.raises(DataError, match=r"data=digits: train_images are 8 x 8 x 1, not 28 x 28 x 1"):
        image_data(size=28).prepare_data()
    with pytest.raises(DataError, match=r"data=digits: train_labels holds 9, but 9 classes allow 0 to 8"):
        image_data(classes=9).prepare_data()
    with pytest.raises(ValueError, match="held_out=1437 of 1437"):
        image_data(held_out=1437).prepare_data()
    with pytest.raises(ValueError, match="seed=-1 is negative"):
        image_data(seed=-1)


def test_synthetic_is_the_same_every_time_and_balanced(tmp_path):
    sizes = {"size": 4, "channels": 3, "classes": 5, "train": 50, "test": 20}
    first, again = synthetic(tmp_path, **sizes), synthetic(tmp_path, **sizes)
    assert first.digest == again.digest
    assert np.bincount(first.train_labels).tolist() == [10] * 5


def of(inputs, labels=None, **more):
    """A source of 100 training and 20 test examples."""
    labels = np.arange(len(inputs)) % 5 if labels is None else labels

    def mine(folder):
        return Images(inputs[:100], labels[:100], inputs[100:], labels[100:], **more)

    return mine


OPEN = {"channels": None, "size": None, "classes": None, "held_out": 20, "batch_size": 40}


@pytest.mark.parametrize(
    ("shape", "seen"),
    [((12, 20, 3), (3, 12, 20)), ((8, 8, 1), (1, 8, 8)), ((30, 2), (2, 30)), ((7,), (7,))],
)
def test_floats_of_any_shape_are_standardised_and_keep_their_places(image_data, shape, seen):
    numbers = np.random.default_rng(0).normal(3, 1e-4, (120, *shape)).astype(np.float32)
    data = image_data(of(numbers), **OPEN)
    assert data.shape == seen
    assert data.classes == 5
    batches = [data.on_after_batch_transfer(batch)[0] for batch in data.train_dataloader()]
    inputs = torch.cat(batches)
    assert inputs.dtype == torch.float32
    assert inputs.shape == (80, *seen)
    of_channel = inputs.movedim(1, -1).reshape(-1, seen[0])
    assert of_channel.mean(0).abs().max() < 1e-2
    assert (of_channel.std(0, correction=0) - 1).abs().max() < 1e-2
    mean, std = (torch.from_numpy(one) for one in data.statistics)
    first = next(iter(data.test_dataloader()))[0]
    raw = torch.from_numpy(numbers[100:140])
    assert torch.equal(first.movedim(1, -1) if len(seen) > 1 else first, raw)
    expected = ((raw.double() - mean) / std).movedim(-1, 1)
    torch.testing.assert_close(data.on_after_batch_transfer((first, None))[0].double(), expected, rtol=1e-3, atol=1e-2)
    assert torch.equal(first.movedim(1, -1) if len(seen) > 1 else first, raw), "the batch itself is left alone"


def test_tokens_and_other_targets_come_as_they_are(image_data):
    tokens = np.random.default_rng(0).integers(0, 30, (120, 16))
    data = image_data(of(tokens, np.roll(tokens, -1, axis=1)), **OPEN)
    data.prepare_data()
    assert (data.shape, data.tokens, data.channels, data.classes) == ((16,), True, 30, 30)
    inputs, targets = data.on_after_batch_transfer(next(iter(data.test_dataloader())))
    assert (inputs.numpy() == tokens[100:]).all()
    assert inputs.dtype == targets.dtype == torch.int64
    assert (targets.numpy() == np.roll(tokens, -1, axis=1)[100:]).all()
    numbers = np.linspace(0, 1, 240).reshape(120, 2)
    data = image_data(of(tokens, numbers), **OPEN)
    assert data.classes == 2
    assert next(iter(data.train_dataloader()))[1].dtype == torch.float32
    np.testing.assert_allclose(data.train_targets, numbers[data.train_indices], rtol=1e-6)


def test_floats_are_cropped_as_floats(image_data):
    numbers = np.random.default_rng(0).normal(size=(120, 6, 9, 2)).astype(np.float32)
    data = image_data(of(numbers), **OPEN, augment=CropFlip(2))
    inputs, _ = next(iter(data.train_dataloader()))
    assert inputs.shape == (40, 2, 6, 9)
    assert set(inputs.unique().tolist()) <= {0.0, *numbers.ravel().tolist()}


def test_an_augmentation_of_images_is_refused_for_what_is_none(image_data):
    numbers = np.zeros((120, 30, 2), np.float32)
    with pytest.raises(ValueError, match=r"augment=CropFlip is for images, .* are series: choose augment=none"):
        image_data(of(numbers), **OPEN, augment=CropFlip()).prepare_data()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"channels": "x"}, "data.channels=x is not a whole number ≥ 1"),
        ({"classes": True}, "data.classes=True is not a whole number ≥ 1"),
        ({"size": 8.5}, "data.size=8.5 is not a size"),
        ({"size": [8, 8, 8]}, r"data.size=\[8,8,8\] is not a size"),
        ({"size": "big"}, "data.size=big is not a size"),
        ({"size": [0]}, r"data.size=\[0\] is not a size"),
        ({"held_out": "ten"}, "data.held_out=ten is neither"),
        ({"split_seed": "abc"}, "data.split_seed=abc is not a whole number from 0"),
        ({"split_seed": -1}, "data.split_seed=-1 is not a whole number from 0"),
    ],
)
def test_a_setting_of_another_kind_is_a_sentence(image_data, setting, says):
    with pytest.raises(ValueError, match=f"^{says}"):
        image_data(**setting)


def test_a_source_that_is_set_wrongly_is_a_sentence(image_data, tmp_path):
    def needs(folder, *, path):
        raise TypeError("path is an int")

    for source, says in (
        (partial(arrays, pth="a.npz"), "data=arrays: data.source has no option pth: did you mean path?"),
        (partial(arrays), "data=arrays: data.source needs the option path"),
        (partial(needs, path=3), "data=needs: data.source cannot be read as it is set: path is an int"),
        (lambda folder: 3, "data=<lambda>: data.source returned int, not Images"),
    ):
        with pytest.raises(DataError, match=f"^{re.escape(says)}"):
            image_data(source, folder=tmp_path).prepare_data()

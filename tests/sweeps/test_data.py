"""Data of any kind, as it is composed, checked and trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ablations.records.recorder import Recorder
from lightning_modules.data.augment import NoAugment
from sweeps import one_run
from sweeps.cli.errors import as_value_error, sentence
from sweeps.compose.compose import run_of, with_network
from sweeps.data import shape_of, with_sizes
from sweeps.preflight import check
from tests.lightning_modules.trained import composed, train

QUICK = ["recipe.batch_size=20", "recipe.epochs=8"]


def save(file: Path, shape: tuple[int, ...], *, kind: str = "floats", first: int = 0) -> Path:
    """120 + 30 examples of three classes that a network can tell apart, as uint8, whole numbers or floats."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    numbers = rng.normal(size=(150, *shape)) + 3 * labels.reshape(-1, *(1,) * len(shape))
    if kind != "floats":
        numbers = (20 * (numbers - numbers.min())).astype(np.uint8 if kind == "bytes" else np.int64)
    parts = {"train_images": numbers[:120], "train_labels": labels[:120] + first}
    np.savez(file, **parts, test_images=numbers[120:], test_labels=labels[120:] + first)
    return file


def words(file: Path, *more: str) -> list[str]:
    return ["data=arrays", f"data.source.path={file}", f"data_dir={file.parent}", *more]


def refused(*overrides: str) -> str:
    """The sentence with which a run is refused before anything is trained."""
    try:
        config = composed(*overrides)
        run_of(config, config.hydra)
        with as_value_error():
            check(config)
    except Exception as error:
        return sentence(error) or pytest.fail(repr(error))
    return pytest.fail("was not refused")


@pytest.mark.parametrize(
    ("shape", "more"),
    [
        ((12, 20, 3), []),
        ((12, 20), []),
        ((1, 9, 9), []),
        ((2, 16), ["data.source.axes=NCL", "network=dense", "norm=batch"]),
        ((7,), ["network=dense", "norm=batch"]),
    ],
)
@pytest.mark.parametrize("kind", ["floats", "bytes"])
def test_what_a_file_holds_is_trained_on_without_being_typed(tmp_path: Path, shape, more, kind) -> None:
    if kind == "bytes" and len(shape) == 1:
        more = [*more, "data.source.axes=ND"]
    asked = [*words(save(tmp_path / "a.npz", shape, kind=kind), *more), *QUICK]
    planned = check(composed(*asked))
    done = train(*asked)
    assert done.done.metrics["train_error"] < 20
    assert planned.params == sum(p.numel() for p in done.classifier.parameters())
    assert done.data.held_out == 0.1


def test_sizes_that_are_typed_and_sizes_that_are_found_are_one_run(tmp_path: Path) -> None:
    file = save(tmp_path / "a.npz", (12, 20, 3))
    square = save(tmp_path / "b.npz", (8, 8, 1))
    typed = ["data.channels=3", "data.size=[12,20]", "data.classes=3"]
    configs = [composed(*words(file)), composed(*words(file, *typed))]
    found, said = (run_of(config, config.hydra).cell for config in configs)
    assert found == said
    configs = [composed(*words(square, size)) for size in ("data.size=8", "data.size=[8,8]", "data.size=null")]
    assert len({run_of(config, config.hydra).cell for config in configs}) == 1


@pytest.mark.parametrize("typed", [[], ["data.channels=200", "data.size=[9]", "data.classes=3"]])
@pytest.mark.parametrize(("kind", "shape"), [("whole", (9,)), ("floats", (200, 9))])
def test_the_shape_of_tokens_is_that_of_a_sequence(tmp_path: Path, typed: list[str], kind: str, shape) -> None:
    file = save(tmp_path / "a.npz", (9,) if kind == "whole" else (9, 200), kind=kind)
    config = composed(*words(file, f"data.source.axes={'NL' if kind == 'whole' else 'NLC'}", *typed))
    assert shape_of(config, NoAugment()) == shape


def test_a_config_as_plain_data_is_filled_as_a_composed_one(tmp_path: Path) -> None:
    config = composed(*words(save(tmp_path / "a.npz", (12, 20, 3))))
    tree = {"data": {"source": dict(config.data.source), "size": None}}
    filled = with_sizes(tree, lambda node: node, str(tmp_path))["data"]
    run_of(config, config.hydra)
    assert [filled[key] for key in ("channels", "size", "classes")] == [3, [12, 20], 3]
    assert (config.data.channels, list(config.data.size), config.data.classes) == (3, [12, 20], 3)
    assert tree["data"]["size"] is None


@pytest.mark.parametrize("name", ["digits_rows", "digits_pixels"])
def test_digits_are_learnt_as_a_series(name: str) -> None:
    assert train(f"data={name}", "depth=4", "recipe.epochs=3").done.metrics["val_error"] < 40


def test_a_network_for_images_takes_a_series_that_is_laid_out_as_one() -> None:
    done = train("data=digits_rows", "network=small", "data.source.as_images=true", "recipe.epochs=3")
    assert done.data.shape == (8, 1, 8)
    assert done.done.metrics["val_error"] < 40


@pytest.mark.parametrize(
    ("shape", "kind", "more", "says"),
    [
        ((7,), "floats", [], "CifarNet takes images, and the data has vectors of 7: choose network=dense"),
        ((2, 9), "floats", ["data.source.axes=NCL"], "CifarNet takes images, and the data has series of 2 × 9: choose"),
        ((9,), "whole", ["data.source.axes=NL"], "CifarNet does not take tokens, and the data has 9 an example"),
        ((9,), "whole", ["data.source.axes=NL", "network=dense"], "DenseNet does not take tokens"),
        ((9,), "whole", [], "data=arrays: train_images have two axes of whole numbers: say data.source.axes=ND"),
        ((9, 9), "floats", ["network=vgg", "depth=11"], "network=vgg halves the image five times, and 9 pixels"),
        ((40, 9, 1), "floats", ["network=vgg", "depth=11"], "network=vgg halves the image five times, and 9 pixels"),
        (
            (7,),
            "floats",
            ["network=dense", "augment=crop_flip"],
            "augment=CropFlip is for images, and the data are v",
        ),
        ((7,), "floats", ["data.size=3"], "data=arrays: train_images are 7, not 3 x 3 x 7 (height x width x channels)"),
        ((9, 9), "floats", ["data.classes=1000"], "data=arrays: train_labels hold 3 classes, not 1000: leave data.cl"),
        (
            (9, 9),
            "floats",
            ["data.source.path=b.npz"],
            "data=arrays: {folder}/b.npz is not there: set",
        ),
    ],
)
def test_what_cannot_fit_is_refused_before_training(tmp_path: Path, shape, kind, more, says) -> None:
    said = refused(*words(save(tmp_path / "a.npz", shape, kind=kind), *more))
    assert said.startswith(says.format(folder=tmp_path)), said


def test_labels_from_1_are_told_so(tmp_path: Path) -> None:
    file = save(tmp_path / "a.npz", (8, 8), first=1)
    for more in ([], ["data.classes=3"], ["data.classes=4"]):
        assert refused(*words(file, *more)).startswith("data=arrays: train_labels begin at 1: save labels - 1")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("data.held_out=ten", "data.held_out=ten is neither a whole number of images, as 100, nor a share, as 0.1"),
        ("data.held_out=null", "data.held_out=null is neither"),
        ("data.size=[28,28]", "data=digits: train_images are 8 x 8 x 1, not 28 x 28 x 1"),
        ("data.size=abc", "data.size=abc is not a size: write one whole number"),
        ("data.channels=grey", "data.channels=grey is not a whole number"),
        ("data.classes=0", "data.classes=0 is not a whole number"),
        ("data.split_seed=abc", "data.split_seed=abc is not a whole number"),
        ("data.split=both", "split=both is neither fixed nor seed"),
        ("data.take=[1]", "data.take=[1] of 1280 images: choose from 10"),
        ("+data.held_ot=3", "data.held_ot: there is no such setting: did you mean held_out?"),
        ("+data.colour=3", "data.colour: there is no such setting; there are source, channels, size"),
        ("+data.source.split_sed=3", "data=digits: data.source has no option split_sed: did you mean split_seed?"),
        ("data.source=null", "data.source names no function"),
        ("data.source=digits", "data.source names no function"),
        ("~data.held_out", "data.held_out is missing"),
    ],
)
def test_a_setting_of_data_is_refused_in_a_sentence(word: str, says: str) -> None:
    assert refused(word).startswith(says)


def test_a_share_is_held_out() -> None:
    assert len(train("data.held_out=0.2", "recipe.epochs=1").data.val_indices) == 287


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for part, count in (("train", 30), ("val", 10)):
        for k in range(2 * count):
            file = tmp_path / "set" / part / ("ant", "bee")[k % 2] / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((rng.integers(0, 100, (10, 14, 3)) + 100 * (k % 2)).astype(np.uint8)).save(file)
    return tmp_path / "set"


def of_folder(folder: Path, *more: str) -> list[str]:
    about = ["data=image_folder", "network=small", "recipe=digits_quick", "data.size=[6,9]", "recipe.batch_size=16"]
    return [*about, f"data.source.path={folder}", f"data_dir={folder}", "recipe.epochs=3", *more]


def test_a_folder_says_how_many_classes_there_are(folder: Path) -> None:
    done = train(*of_folder(folder))
    assert (done.data.shape, done.data.classes) == ((3, 6, 9), 2)
    assert "there are 2 classes, not 1000" in refused(*of_folder(folder, "data.classes=1000"))


def test_a_damaged_image_is_refused_before_training_or_left_out(folder: Path) -> None:
    file = folder / "val/bee/7.png"
    file.write_bytes(file.read_bytes()[:60])
    assert refused(*of_folder(folder)).startswith(f"data=image_folder: {file} could not be decoded")
    done = train(*of_folder(folder, "data.source.damaged=skip"))
    assert len(done.done.predictions["test_label"]) == 19
    assert done.data.note == f"1 damaged image left out: {file}"


def test_a_failure_in_the_test_keeps_what_was_trained(folder: Path, tmp_path: Path) -> None:
    """The header and the end of the file are right, so only decoding it finds the damage."""
    file = folder / "val/bee/7.png"
    whole = file.read_bytes()
    file.write_bytes(whole[:60] + bytes([whole[60] ^ 255]) + whole[61:])
    config = composed(*of_folder(folder))
    run = run_of(config, config.hydra)
    failed = one_run.train(config, run, tmp_path / "run", alone=False)
    assert (failed["status"], failed["epochs"]) == ("failed", 3)
    assert f"{file} could not be decoded" in failed["cause"]
    assert Recorder(run, tmp_path / "run").checkpoint.exists()
    before = (tmp_path / "run/curve.csv").read_text()
    file.write_bytes(whole)
    config = composed(*of_folder(folder))
    mended = one_run.train(config, run_of(config, config.hydra), tmp_path / "run", alone=False)
    assert mended["status"] == "finished"
    assert (tmp_path / "run/curve.csv").read_text() == before, "no epoch was trained again"
    assert mended["classes"]["names"] == ["ant", "bee"]
    assert sum(map(sum, mended["classes"]["test_confusion"])) == 20


def test_a_file_that_is_looked_for_elsewhere_is_seen_in_the_current_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = save(tmp_path / "here.npz", (8, 8, 1))
    said = refused("data=arrays", "data.source.path=here.npz", "data_dir=elsewhere")
    assert said.endswith(f"here.npz is in the current folder: write data.source.path={file}")


def test_tokens_as_targets_of_a_classification_are_told_their_task(tmp_path: Path) -> None:
    tokens = np.arange(60 * 8).reshape(60, 8) % 9
    np.savez(tmp_path / "t.npz", train_inputs=tokens, train_targets=tokens, test_inputs=tokens, test_targets=tokens)
    said = refused(*words(tmp_path / "t.npz", "data.source.axes=NL", "network=dense"))
    assert "task=next_token" in said


@pytest.mark.parametrize("more", [["depth=8"], ["network=imagenet", "depth=8"]], ids=" ".join)
def test_who_chose_the_network_that_refuses_a_depth_is_said(tmp_path: Path, more: list[str]) -> None:
    config = composed("data=image_folder", *more)
    said = with_network("depth=8 is not 18", config.hydra, [word.partition("=")[0] for word in more])
    assert ("network=imagenet was chosen by data=image_folder" in said) == ("network=imagenet" not in more)
    other = with_network("the trained network is another one: x", config.hydra, [w.partition("=")[0] for w in more])
    assert other.endswith("was chosen by data=image_folder)") == ("network=imagenet" not in more)

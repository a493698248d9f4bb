"""The damage of each block, measured at the end of a training that asks for it."""

from __future__ import annotations

import csv
from copy import deepcopy
from statistics import fmean

import pytest
import torch
from torch import nn

from ablations.identity.run import Run
from ablations.records.record import read_record
from ablations.records.recorder import Recorder
from lightning_modules.training.block_removal import RESIZES
from tests.lightning_modules.trained import train

pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec")  # Lightning 2.6 beside torch 2.13


@pytest.fixture(scope="module")
def trained():
    return train("depth=14", "recipe.lesions=true")


def test_a_block_is_missed_by_as_much_as_validation_says(trained):
    rows = trained.done.lesions
    assert [row["name"] for row in rows] == [f"stages.{stage}.{block}" for stage in range(3) for block in range(2)]
    assert [row["block"] for row in rows] == [1, 2, 3, 4, 5, 6]
    classifier, before = trained.classifier, deepcopy(trained.weights)
    kept, classifier.network.stages[1][1] = classifier.network.stages[1][1], nn.Identity()
    trained.trainer.validate(classifier, datamodule=trained.data, verbose=False)
    classifier.network.stages[1][1] = kept
    assert rows[3]["val_error"] == classifier.metrics["val_error"]
    assert rows[3]["val_loss"] == classifier.metrics["val_loss"]
    assert rows[3]["damage"] == rows[3]["val_error"] - trained.done.metrics["val_error"]
    assert all(torch.equal(now, before[name]) for name, now in trained.weights.items())


def test_the_record_has_their_mean_and_the_largest(trained):
    damages = [row["damage"] for row in trained.done.lesions]
    assert trained.done.metrics["lesion_mean"] == pytest.approx(fmean(damages))
    assert trained.done.metrics["lesion_max"] == max(damages) > 0


def test_a_training_is_the_same_with_lesions_and_without(trained):
    without = train("depth=14")
    assert without.done.lesions == []
    assert {name: trained.done.metrics[name] for name in without.done.metrics} == without.done.metrics
    assert all(torch.equal(now, trained.weights[name]) for name, now in without.weights.items())


def test_a_plain_block_that_resizes_is_left_out_and_said(tmp_path):
    done = train("block=plain", "depth=8", "recipe.lesions=true").done
    assert [row["left_out"] for row in done.lesions] == [None, RESIZES, RESIZES]
    run = Run(axes={"block": "plain"}, seed=0, config={"network": {}, "data": {}, "recipe": {}})
    recorder = Recorder(run, tmp_path / run.folder)
    recorder.begin(params=1, macs=1, note="", data_digest="")
    recorder.finish(done, batch_size=1)
    with open(tmp_path / run.folder / "lesions.csv", encoding="utf-8", newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert float(first["damage"]) == done.lesions[0]["damage"]
    assert (second["damage"], second["left_out"]) == ("", RESIZES)
    assert read_record(tmp_path / run.folder / "record.json")["metrics"]["lesion_max"] == done.metrics["lesion_max"]
    recorder.begin(params=1, macs=1, note="", data_digest="")
    assert not (tmp_path / run.folder / "lesions.csv").exists()


def test_a_network_without_blocks_is_taken_apart_by_its_layers():
    layers = [nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 10)]
    trained = train("recipe.lesions=true", network=lambda: nn.Sequential(*layers))
    assert [row["left_out"] for row in trained.done.lesions] == [RESIZES, None, RESIZES]
    trained.classifier.network = nn.Sequential(*layers[:3], *layers[5:])
    trained.trainer.validate(trained.classifier, datamodule=trained.data, verbose=False)
    assert trained.done.lesions[1]["val_error"] == trained.classifier.metrics["val_error"]

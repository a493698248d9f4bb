"""What a claim's runs get wrong, image by image; and the reasons why that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from ablations.analysis.wrong_images import NESTED, OTHER_IMAGES, Pair, pair_words, pairs, wrong_matrix
from ablations.records.files import write_json
from ablations.records.layout import PREDICTIONS
from ablations.records.predictions import write_predictions

LABELS = np.arange(40, dtype=np.uint8) % 10
DATA = {"held_out": 40, "split": "fixed", "split_seed": 0}
CELLS = ("deep", "shallow", "wide", "narrow")
SEEDS = (0, 1, 4)
ONE = {"deep": 1}

Folders = dict[str, dict[int, Path]]


def run(folder: Path, wrong: np.ndarray, *, labels: np.ndarray = LABELS, data: Mapping[str, Any] = DATA) -> Path:
    """The files of a run that gets these images wrong, in both parts."""
    predicted = np.where(wrong, (labels + 1) % 10, labels).astype(np.uint8)
    shares = np.full(labels.size, 0.5, np.float32)
    kinds = {"label": labels, "class": predicted, "true": shares, "confidence": shares}
    write_predictions(folder, {f"{part}_{kind}": array for part in ("val", "test") for kind, array in kinds.items()})
    write_json(folder / "record.json", {"schema": 1, "data_digest": "d", "config": {"data": dict(data)}})
    return folder


@pytest.fixture
def wrong() -> np.ndarray:
    return np.random.default_rng(0).random((len(CELLS), len(SEEDS), LABELS.size)) < 0.3


@pytest.fixture
def folders(tmp_path: Path, wrong: np.ndarray) -> Folders:
    return {
        cell: {seed: run(tmp_path / f"{cell}-s{seed}", wrong[c, s]) for s, seed in enumerate(SEEDS)}
        for c, cell in enumerate(CELLS)
    }


@pytest.mark.parametrize(
    "coefficients", [ONE, dict(zip(CELLS, (1, -1), strict=False)), dict(zip(CELLS, (1, -1, -1, 1), strict=True))]
)
def test_its_mean_is_the_effect_on_the_errors(folders: Folders, wrong: np.ndarray, coefficients: dict) -> None:
    y = wrong_matrix(coefficients, folders, SEEDS, "test")
    assert y.shape == wrong.shape[1:]
    errors = 100 * wrong.mean(2)
    assert y.mean(1) == pytest.approx(sum(sign * errors[CELLS.index(cell)] for cell, sign in coefficients.items()))


def test_seeds_keep_the_order_in_which_they_are_asked_for(folders: Folders) -> None:
    y = wrong_matrix(ONE, folders, SEEDS, "val")
    assert (wrong_matrix(ONE, folders, SEEDS[::-1], "val") == y[::-1]).all()
    assert (wrong_matrix(ONE, folders, SEEDS[1:], "val") == y[1:]).all()


def test_a_run_without_predictions_is_named(folders: Folders) -> None:
    (folders["deep"][1] / PREDICTIONS).unlink()
    said = wrong_matrix(ONE, folders, SEEDS, "test")
    assert said.startswith("no interval over new images: deep-s1 kept no predictions")
    assert "seed 7 is not trained" in wrong_matrix(ONE, folders, [0, 7], "test")


def test_a_damaged_file_is_named(folders: Folders) -> None:
    path = folders["deep"][1] / PREDICTIONS
    path.write_bytes(path.read_bytes()[:-30])
    assert wrong_matrix(ONE, folders, SEEDS, "test").startswith(f"{path}: ")


@pytest.mark.parametrize("labels", [LABELS[::-1].copy(), LABELS[:30]])
def test_cells_with_other_images_are_not_compared(folders: Folders, labels: np.ndarray) -> None:
    for folder in folders["wide"].values():
        run(folder, np.zeros(labels.size, bool), labels=labels)
    assert wrong_matrix({"deep": 1, "wide": -1}, folders, SEEDS, "test") == OTHER_IMAGES


def test_images_that_are_sorted_by_class_are_told_apart_by_how_they_were_held_out(folders: Folders) -> None:
    """Their labels are the same; the test set does not depend on it."""
    for folder in folders["wide"].values():
        run(folder, np.zeros(40, bool), data=DATA | {"split_seed": 1})
    assert wrong_matrix({"deep": 1, "wide": -1}, folders, SEEDS, "val") == OTHER_IMAGES
    assert wrong_matrix({"deep": 1, "wide": -1}, folders, SEEDS, "test").shape == (3, 40)


def test_images_held_out_by_the_seed_are_nested_in_it(folders: Folders) -> None:
    for cell in ("deep", "shallow"):
        for folder in folders[cell].values():
            run(folder, np.zeros(40, bool), data=DATA | {"split": "seed"})
    contrast = {"deep": 1, "shallow": -1}
    assert wrong_matrix(contrast, folders, SEEDS, "val") == NESTED, "even where the labels happen to be the same"
    assert wrong_matrix(contrast, folders, SEEDS, "test").shape == (3, 40), "all seeds share the test set"
    for cell in contrast:
        for seed, folder in folders[cell].items():
            run(folder, np.zeros(40, bool), labels=np.roll(LABELS, seed), data=DATA | {"split": "seed"})
    assert wrong_matrix(contrast, folders, SEEDS, "test") == NESTED, "unless that is drawn by the seed too"


def test_pairs_count_what_only_one_gets_wrong(wrong: np.ndarray) -> None:
    plus, minus = wrong[0], wrong[1]
    found = pairs(plus.astype(int) - minus)
    assert [pair.only_plus - pair.only_minus for pair in found] == (plus.sum(1) - minus.sum(1)).tolist()
    for pair in found:
        exact = stats.binomtest(pair.only_plus, pair.only_plus + pair.only_minus).pvalue
        assert pair.p == pytest.approx(exact)
    assert [pair.p for pair in pairs(plus.astype(int) - plus)] == [1, 1, 1]


def test_pairs_are_said_in_one_sentence() -> None:
    said = pair_words([Pair(12, 7), Pair(9, 11)])
    assert said.startswith("only plus gets 21 images wrong and only minus 18, over all 2 seeds")
    assert "12 and 7 (p 0.36), 9 and 11 (p 0.82)" in said
    assert pair_words([Pair(2, 1)] * 6).endswith("only plus gets 12 images wrong and only minus 6, over all 6 seeds")

"""Seeds and images, crossed: unbiased parts, intervals that hold the truth, and clean answers where nothing varies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from ablations.analysis.crossed import OverImages, over_images
from benchmarks.crossed import EFFECTS, SCATTER, coverage, matrices

DRAWS = 1000
NOISE = 2 * math.sqrt(0.05 * 0.95 / DRAWS)


def crossed(seeds: int = 8, images: int = 50, *, sd: tuple[float, float, float] = (2.0, 3.0, 5.0)) -> np.ndarray:
    rng = np.random.default_rng(0)
    of_seed, of_image = rng.standard_normal((seeds, 1)), rng.standard_normal(images)
    return 1.0 + sd[0] * of_seed + sd[1] * of_image + sd[2] * rng.standard_normal((seeds, images))


def half(found: OverImages) -> float:
    assert found.interval is not None
    return (found.interval[1] - found.interval[0]) / 2


@pytest.mark.parametrize("scatter", SCATTER)
@pytest.mark.parametrize("effects", ["normal", "one cell, 10%", "5% − 2%"])
@pytest.mark.parametrize("seeds", [3, 10])
def test_the_interval_holds_the_truth_as_often_as_it_says(seeds: int, effects: str, scatter: str) -> None:
    held = coverage(effects, scatter, seeds, 157, DRAWS)["over new images too"]
    assert 0.93 <= held <= 0.97 + NOISE


def test_it_does_so_where_only_three_images_are_wrong_and_the_interval_over_seeds_does_not() -> None:
    found = coverage("one cell, 2%", "images", 30, 157, DRAWS)
    assert found["over new images too"] > 0.93
    assert found["seeds only"] < 0.5


def test_without_image_effects_it_is_students_interval_of_the_seeds() -> None:
    y = crossed()
    y -= y.mean(0) - y.mean()
    found, means = over_images(y), y.mean(1)
    low, high = stats.t.interval(0.95, 7, means.mean(), stats.sem(means))
    assert found.interval == pytest.approx((low, high))


def test_without_seed_effects_it_is_the_interval_over_images_of_one_run() -> None:
    """Every seed gets the same images wrong: five seeds say no more than one."""
    image = np.where(np.arange(400) < 30, 100.0, 0.0) - np.where(np.arange(400) >= 380, 100.0, 0.0)
    found = over_images(np.tile(image, (5, 1)))
    low, high = stats.t.interval(0.95, 399, image.mean(), stats.sem(image))
    assert found.interval == pytest.approx((low, high))
    assert found.share is None


def test_a_single_cell_has_wilsons_interval() -> None:
    wrong = np.where(np.arange(360) < 180, 100.0, 0.0)
    expected = stats.binomtest(180, 360).proportion_ci(method="wilson")
    found = over_images(np.tile(wrong, (5, 1)), single=True)
    assert found.interval == pytest.approx((100 * expected.low, 100 * expected.high), rel=0.01)


@pytest.mark.parametrize("error", [0.0, 100.0])
def test_a_cell_without_a_wrong_image_still_has_an_interval(error: float) -> None:
    """The rule of three, and Wilson's: none of 360 images wrong does not exclude 1%."""
    found = over_images(np.full((4, 360), error), single=True)
    assert found.interval is not None
    assert found.interval[0] == pytest.approx(max(0.0, error - 1.06), abs=0.01)
    assert found.interval[1] == pytest.approx(min(100.0, error + 1.06), abs=0.01)


def test_a_single_cell_stays_between_0_and_100() -> None:
    for y, _ in matrices("one cell, 2%", "images", 3, 157, 20):
        found = over_images(y, single=True)
        assert found.interval is not None
        assert 0 <= found.interval[0] <= found.mean <= found.interval[1] <= 100


def test_it_is_never_narrower_than_the_images_alone_allow() -> None:
    """Seeds that happen to agree in their means do not make the images more."""
    y = crossed(3, sd=(0.0, 0.0, 5.0))
    y -= y.mean(1, keepdims=True)
    assert half(over_images(y)) >= 1.9 * y.mean(0).std(ddof=1) / math.sqrt(50)


def test_seeds_images_and_signs_have_no_order() -> None:
    y = crossed()
    found = over_images(y)
    rng = np.random.default_rng(1)
    mixed = over_images(y[rng.permutation(8)][:, rng.permutation(50)])
    turned, scaled = over_images(-y), over_images(3 * y)
    assert (mixed.mean, half(mixed), mixed.share) == pytest.approx((found.mean, half(found), found.share))
    assert (turned.mean, half(turned), turned.share) == pytest.approx((-found.mean, half(found), found.share))
    assert (scaled.mean, half(scaled), scaled.share) == pytest.approx((3 * found.mean, 3 * half(found), found.share))


@pytest.mark.parametrize(("sd", "expected"), [((0.0, 3.0, 5.0), 1.0), ((0.7, 3.0, 5.0), 0.51), ((5.0, 3.0, 5.0), 0.02)])
def test_the_share_of_the_finite_set_is_found_with_many_seeds(sd: tuple[float, float, float], expected: float) -> None:
    found = over_images(crossed(2000, sd=sd))
    assert found.share == pytest.approx(expected, abs=0.06)
    assert found.share_interval is not None
    assert found.share_interval[0] <= expected <= found.share_interval[1] + 1e-9


def test_it_is_at_most_all_of_the_scatter() -> None:
    """Where the seeds' means scatter less than the finite set makes them."""
    y = crossed(3, sd=(0.0, 0.0, 5.0))
    y -= 0.99 * (y.mean(1, keepdims=True) - y.mean())
    found = over_images(y)
    assert found.share == 1
    assert found.share_interval is not None
    assert found.share_interval[1] == 1


def test_its_interval_says_how_little_three_seeds_know_of_the_share() -> None:
    low, high = over_images(crossed(3)).share_interval or (0, 0)
    assert high - low > 0.3


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.ones((1, 5)), "no interval over new images: one seed"),
        (np.ones((3, 1)), "no interval over new images: one image"),
        (np.ones((1, 1)), "no interval over new images: one seed and one image"),
        (np.full((3, 5), 0.1), "no interval over new images: all 5 images and 3 seeds give the same number"),
    ],
)
def test_where_nothing_varies_there_is_no_interval(y: np.ndarray, words: str) -> None:
    found = over_images(y)
    assert (found.interval, found.share, found.share_interval) == (None, None, None)
    assert found.mean == pytest.approx(y.mean())
    assert found.words("test", signed=True) == words


def test_seeds_that_only_shift_all_images_have_nothing_of_a_finite_set() -> None:
    found = over_images(np.array([[1.0], [2.0], [3.0]]) + np.arange(5))
    assert found.interval is not None
    assert (found.share, found.share_interval) == (0, (0, 0))


def test_it_says_both_in_one_sentence() -> None:
    found = OverImages(0.9, 3, 360, (-0.3, 2.1), 0.71, (0.27, 1.0))
    said = "of the scatter between seeds is the finite test set (360 images)"
    assert found.words("test", signed=True) == f"over new images too [-0.30, +2.10]; 71% (27% to 100%) {said}"
    assert found.words("val", signed=False).startswith("over new images too [-0.30, 2.10]; 71%")
    assert over_images(np.tile([0.0, 100.0], (3, 9))).words("test", signed=True).endswith("] (18 images)")


@pytest.mark.parametrize("y", [np.ones(3), np.ones((0, 3)), np.array([[1.0, math.nan]]), np.array([[math.inf, 1.0]])])
def test_what_is_no_matrix_of_numbers_is_refused(y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="matrix of finite numbers"):
        over_images(y)


def test_the_simulated_rates_are_the_true_ones() -> None:
    for effects in EFFECTS:
        means = [(y.mean(), truth) for y, truth in matrices(effects, "mixed", 5, 100, 200)]
        found, truth = np.mean([mean for mean, _ in means]), means[0][1]
        assert abs(found - truth) < 4 * np.std([mean for mean, _ in means]) / math.sqrt(len(means))

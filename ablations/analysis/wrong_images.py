"""Gather which images the runs of a claim get wrong, and count those that only one of two cells gets wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.crossed import over_images
from ablations.analysis.results import Row
from ablations.records.files import RecordError, read_json
from ablations.records.layout import PREDICTIONS, RECORD
from ablations.records.predictions import PARTS, read_predictions

NESTED = "every seed has other images (split=seed): the interval over seeds is over new images already"
FEW = 5  # seeds whose pairs are named one by one
OTHER_IMAGES = "no interval over new images: the cells do not have the same images"


def wrong_matrix(
    coefficients: Mapping[str, int], folders: Mapping[str, Mapping[int, Path]], seeds: Sequence[int], part: str
) -> Any:
    """Return y[seed, image] = Σ coefficient · 100 · [the cell's run is wrong], or the reason why there is none.

    Args:
        coefficients: cell → its coefficient in the claim.
        folders: cell → seed → the folder of the run.
        part: `val` or `test`.

    Returns:
        a float array (seeds, images), in points; its mean is the claim's effect on the error of the part. Or a str: a
        run kept no predictions or they are damaged, or the images are not the same for all cells or all seeds.
    """
    import numpy as np

    try:
        cells = [[_read_run(folders.get(cell, {}).get(seed), seed, part) for seed in seeds] for cell in coefficients]
    except (RecordError, LookupError) as why:
        return str(why.args[0])
    of_seeds = [{runs[k][0] for runs in cells} for k in range(len(seeds))]
    if any(len(images) > 1 for images in of_seeds):
        return OTHER_IMAGES
    if len(set.union(*of_seeds)) > 1:
        return NESTED
    wrong = np.array([[run for _, run in runs] for runs in cells])
    return np.tensordot(100.0 * np.array([*coefficients.values()]), wrong, axes=1)


def _read_run(folder: Path | None, seed: int, part: str) -> tuple[tuple[Any, ...], Any]:
    """What tells the images of a run from others, and which of them it gets wrong.

    Raises:
        LookupError: there is no such run, or it kept no predictions.
        RecordError: a file is damaged.
    """
    if folder is None:
        raise LookupError(f"no interval over new images: seed {seed} is not trained in every cell")
    found = read_predictions(folder)
    if found is None:
        raise LookupError(
            f"no interval over new images: {folder.name} kept no predictions of classes (its task has none, or it was "
            "trained before runs kept them, or with keep=nothing)"
        )
    record = read_json(folder / RECORD)
    data = (record.get("config") or {}).get("data") or {}
    label = found[f"{part}_label"]
    images = [record.get("data_digest"), label.tobytes()]
    if part == "val":  # stratified parts of images that are sorted by class have the same labels, whichever they are
        images += [data.get("held_out"), data.get("split_seed"), seed if data.get("split") == "seed" else None]
    return tuple(images), label != found[f"{part}_class"]


@dataclass(frozen=True)
class Pair:
    """Two runs of one seed: how many images only one of them gets wrong."""

    only_plus: int
    only_minus: int

    @property
    def p(self) -> float:
        """McNemar's exact p value, two-sided: of these two networks on new images, and no verdict over seeds."""
        from scipy.special import bdtr

        fewer, both = min(self.only_plus, self.only_minus), self.only_plus + self.only_minus
        return min(1.0, 2 * float(bdtr(fewer, both, 0.5)))


def pairs(y: Any) -> list[Pair]:
    """Count for each seed the images that only plus gets wrong (y[seed, image] > 0), and only minus (below 0)."""
    return [Pair(int((seed > 0).sum()), int((seed < 0).sum())) for seed in y]


def pair_words(found: Iterable[Pair]) -> str:
    """The counts of all seeds in one sentence; of a few seeds, also each pair with its p value."""
    found = list(found)
    plus, minus = sum(pair.only_plus for pair in found), sum(pair.only_minus for pair in found)
    words = f"only plus gets {plus} images wrong and only minus {minus}, over all {len(found)} seeds"
    if len(found) > FEW:
        return words
    each = ", ".join(f"{pair.only_plus} and {pair.only_minus} (p {pair.p:.2g})" for pair in found)
    return f"{words}; seed by seed {each}, where p (McNemar's, exact) is about these two networks, not about new seeds"


def image_words(
    metric: str, coefficients: Mapping[str, int], cells: Mapping[str, Row], seeds: Sequence[int], runs: Path
) -> list[str]:
    """What the predictions say of a claim on `test_error` or `val_error`: of new images, and pair by pair."""
    part, _, kind = metric.partition("_")
    if kind != "error" or part not in PARTS:
        return []
    folders = {
        cell: {run["seed"]: runs / run["folder"] for run in row.runs if run["status"] == "finished"}
        for cell, row in cells.items()
    }
    if not any((folder / PREDICTIONS).exists() for some in folders.values() for folder in some.values()):
        return []  # trained before runs kept them
    y = wrong_matrix(coefficients, folders, seeds, part)
    if isinstance(y, str):
        return [y]
    single = list(coefficients.values()) == [1]
    paired = sorted(coefficients.values()) == [-1, 1]
    words = over_images(y, single=single).words(part, signed=not single)
    return [words, *([pair_words(pairs(y))] if paired else [])]

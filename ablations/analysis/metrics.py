"""What a claim can be about: a number of a run, read from its record, its curve or its diagnostics.

    train_error                        at the end; also train_loss, val_error, val_loss, test_error, test_loss
    train_error@best, train_error@5    the lowest of all epochs; at epoch 5; not of test, which is measured once
    epochs until train_error <= 5      the first epoch that reaches a level; infinite where none does
    lesion_mean                        points of validation error that taking out a block adds, mean over the blocks;
    lesion_median, lesion_max          of the block in the middle, of the one missed most; with recipe.lesions=true
    diverged                           a fraction over the seeds: 1 for a run that diverged, 0 for one that did not
    params, macs                       counts (multiply-adds of one image): equal for all seeds, known without training
    seconds, epochs, images_per_second
    diagnostics.gradient_ratio[@5]     a column of the run's diagnostics.csv, at the last epoch or at epoch 5
    log10 diagnostics.gradient_ratio   the logarithm of a loss, a time or a diagnostic: for what vanishes or explodes;
                                       its differences are orders of magnitude

A diverged run counts: its errors as measured (the last ones, where it ended before the epoch asked for), its losses as
infinite from the epoch at which they were.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ablations.analysis.results import LESIONS, METRICS, Record, measured
from ablations.question.did_you_mean import instead, nearest
from ablations.records.layout import CURVE, DIAGNOSTICS

COUNTS = ("params", "macs")
TIMES = ("seconds", "epochs", "images_per_second")
FRACTION = "diverged"
NAMES = (*METRICS, *LESIONS, *COUNTS, *TIMES, FRACTION)
ALONG = "train_error@best, train_error@5, epochs until train_error <= 5, diagnostics.NAME[@5], log10 train_loss"
FORMS = f"{', '.join(NAMES)}, {ALONG}"
NORMS = ("gradient_ratio", "gradient_norm", "weight_norm", "update_ratio", "response")  # may grow without bound
DIAGNOSED = (*NORMS, "dead_units", "gate_openness")  # of the network; of a block with .block_01, … behind


class MetricError(ValueError):
    """A metric nobody records; says in one sentence what is allowed, and the nearest."""


@dataclass(frozen=True)
class Metric:
    """A metric as written, and what it needs to be read.

    Attributes:
        text: as written.
        name: the column.
        epoch: None at the end, 0 for the best of all, otherwise the epoch.
        level: for `epochs until`, the comparison and the level.
        diagnostic: a column of diagnostics.csv.
        log: its decimal logarithm.
    """

    text: str
    name: str
    epoch: int | None = None
    level: tuple[str, float] | None = None
    diagnostic: bool = False
    log: bool = False

    @property
    def counted(self) -> bool:
        """Whether it is the same for all seeds, and known without training."""
        return self.text in COUNTS

    @property
    def fraction(self) -> bool:
        """Whether it is a share of the seeds."""
        return self.text == FRACTION

    @property
    def better(self) -> int:
        """1 where more is better, else −1."""
        return 1 if self.name == "images_per_second" else -1

    @property
    def unit(self) -> str:
        """What its differences are counted in, with a space before it, or nothing."""
        if self.log:
            return " orders of magnitude"
        if self.level:
            return " epochs"
        return {"seconds": " s", "epochs": " epochs"}.get(
            self.name, " points" if self.name.endswith("_error") or self.name in LESIONS else ""
        )

    def of(self, record: Record, runs: Path) -> float | None:
        """The run's value; None where it was not measured. `runs` is where the run's folder lies."""
        found = self._of(record, runs)
        return found if found is None or not self.log else math.log10(found) if found > 0 else -math.inf

    def _of(self, record: Record, runs: Path) -> float | None:
        folder = runs / str(record["folder"])
        if self.diagnostic:
            return _inside(_rows(folder / DIAGNOSTICS), self.name, self.epoch, diverged=record["status"] == "diverged")
        if self.level:
            return _reached(_rows(folder / CURVE), self.name, self.level)
        if self.epoch is not None:
            return self._along(_rows(folder / CURVE), record)
        if self.fraction:
            return float(record["status"] == "diverged")
        return measured(record, self.name) if self.name in (*METRICS, *LESIONS) else record.get(self.name)

    def _along(self, rows: Sequence[dict[str, float]], record: Record) -> float | None:
        if self.epoch == 0:
            return min((row[self.name] for row in rows if math.isfinite(row.get(self.name, math.nan))), default=None)
        found = next((row for row in rows if row["epoch"] == self.epoch and self.name in row), None)
        if found is None:
            return measured(record, self.name) if record["status"] == "diverged" else None
        return found[self.name] if math.isfinite(found[self.name]) else math.inf


def read_metric(text: object) -> Metric:
    """The metric that `text` names.

    Raises:
        MetricError: there is no such metric.
    """
    words = str(text).strip()
    if words.startswith("log10 "):
        inner = read_metric(words.removeprefix("log10 "))
        if inner.unit == " points" or inner.level or inner.fraction or inner.log or inner.counted:
            raise MetricError(f"{words!r}: log10 takes a loss, a time or a diagnostic, as in log10 train_loss")
        return replace(inner, text=words, log=True)
    if found := re.fullmatch(r"epochs until (\w+) *(<=|<) *([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)", words):
        return Metric(words, _along_curve(found[1], words), level=(found[2], float(found[3])))
    name, mark, when = words.partition("@")
    if mark and not re.fullmatch(r"best|[1-9][0-9]*", when):
        raise MetricError(f"{words!r}: after @ comes best or an epoch from 1, as in train_error@best or train_error@5")
    epoch = None if not mark else 0 if when == "best" else int(when)
    if found := re.fullmatch(r"diagnostics\.(\w+)(?:\.block_\d+)?", name):
        if found[1] not in DIAGNOSED:
            raise MetricError(f"no diagnostic {found[1]!r}{instead(found[1], DIAGNOSED, 'allowed are')}")
        if epoch == 0:
            raise MetricError(f"{words!r}: no diagnostic is best when lowest; give an epoch, as in {name}@5, or none")
        return Metric(words, name.partition(".")[2], epoch, diagnostic=True)
    if mark:
        return Metric(words, _along_curve(name, words), epoch)
    if name not in NAMES:
        raise MetricError(f"no metric {words!r}{nearest(name, NAMES) or ';'} allowed are {FORMS}")
    return Metric(words, name)


def _along_curve(name: str, words: str) -> str:
    """A column of the curve."""
    along = [metric for metric in METRICS if not metric.startswith("test")]
    if name.startswith("test_"):
        raise MetricError(f"{words!r}: the test set is measured once, at the end; along the epochs take val_error")
    if name not in along:
        raise MetricError(f"{words!r}: no {name} along the epochs{instead(name, along, 'there are')}")
    return name


def _rows(path: Path) -> list[dict[str, float]]:
    """The rows of a file of numbers; what is empty is left out; no file, no rows; ValueError if it is damaged."""
    if not path.exists():
        return []
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return [{key: float(value) for key, value in row.items() if key and value} for row in csv.DictReader(file)]
    except (ValueError, TypeError) as error:  # a torn line too, which has more cells than the head
        raise ValueError(f"{path} is damaged: {error}; python -m ablations doctor looks for such") from None


def _inside(rows: Sequence[dict[str, float]], name: str, epoch: int | None, *, diverged: bool) -> float | None:
    """A diagnostic at an epoch, or at the last; of a diverged run the last at most.

    Where it is no number a norm is infinite, and a share what it was when it last was one.
    """
    shares = name.partition(".")[0] not in NORMS
    known = [row for row in rows if name in row and (epoch is None or row["epoch"] <= epoch)]
    if not known or (epoch is not None and known[-1]["epoch"] < epoch and not diverged):
        return None
    numbers = [row[name] if math.isfinite(row[name]) else math.inf for row in known]
    return next((number for number in reversed(numbers) if math.isfinite(number)), None) if shares else numbers[-1]


def _reached(rows: Sequence[dict[str, float]], name: str, level: tuple[str, float]) -> float | None:
    known = [row for row in rows if name in row]
    reaches: Callable[[float], bool] = (lambda x: x < level[1]) if level[0] == "<" else (lambda x: x <= level[1])
    return next((row["epoch"] for row in known if reaches(row[name])), math.inf) if known else None

"""Read a metric of a run from its record, its curve or its diagnostics; docs/your-own-question.md lists them.

A diverged run counts, and loses wherever one side is better: its errors are 100%, its losses, its seconds and the
epochs it needs are infinite, and its speed is zero. At an epoch before it diverged it has the numbers of that epoch.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ablations.analysis.results import CALIBRATION, LESIONS, METRICS, PROXIES, STRESS, Record, measured
from ablations.question.did_you_mean import instead, nearest
from ablations.records.epochs import read_epochs
from ablations.records.layout import CURVE, DIAGNOSTICS

NLL = {"val_nll": "val_loss", "test_nll": "test_loss"}
COUNTS = ("params", "macs")
TIMES = ("seconds", "epochs", "images_per_second")
DIVERGED = "diverged"
SIGNED = ("proxy_naswot", "proxy_jacob_cov")  # of any sign, so without a logarithm
NAMES = (*METRICS, *NLL, *CALIBRATION, *LESIONS, *PROXIES, *STRESS, *COUNTS, *TIMES, DIVERGED)
SIDES = {"higher": 1, "lower": -1, "none": 0}
ALONG = "train_error@best, train_error@5, epochs until train_error <= 5, diagnostics.NAME[@5], log10 train_loss"
FORMS = f"{', '.join(NAMES)}, {ALONG}"
NORMS = ("gradient_ratio", "gradient_norm", "weight_norm", "update_ratio", "response")  # without an upper bound
DIAGNOSED = (*NORMS, "dead_units", "gate_openness")  # of the network; NAME.block_01 is of the first block


class MetricError(ValueError):
    """A metric that does not exist; the message names the nearest, and what is allowed."""


@dataclass(frozen=True)
class Metric:
    """A metric that a claim can name.

    Attributes:
        text: as written in the claim.
        name: the column to read.
        epoch: None for the end of the run, 0 for the best epoch, otherwise the epoch.
        threshold: for `epochs until`, the comparison (< or <=) and the number.
        diagnostic: whether the column is in diagnostics.csv.
        log: whether to take the decimal logarithm.
        side: of a metric that a task or a study declares: +1 if larger values are better, −1 if smaller, 0 if neither.
        ends: between which such a metric lies, where its file says so.
        measure: the unit of such a metric, as its file has it.
    """

    text: str
    name: str
    epoch: int | None = None
    threshold: tuple[str, float] | None = None
    diagnostic: bool = False
    log: bool = False
    side: int | None = None
    ends: tuple[float, float] | None = None
    measure: str = ""

    @property
    def is_count(self) -> bool:
        """Whether it is equal for all seeds and known without training."""
        return self.text in COUNTS

    @property
    def is_fraction(self) -> bool:
        """Whether its mean over the seeds is a fraction of the runs."""
        return self.text == DIVERGED

    @property
    def better(self) -> int:
        """+1 if larger values are better, −1 if smaller values are, 0 if neither is."""
        if self.threshold:
            return -1
        if self.side is not None:
            return self.side
        return 0 if self.diagnostic or self.is_fraction else 1 if self.name == "images_per_second" else -1

    @property
    def is_error(self) -> bool:
        """Whether it is an error in percent."""
        return self.name.endswith("_error") and not self.threshold and self.side is None

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the largest value that a run can have; None where there is no such limit on both sides."""
        if self.is_error or self.name in CALIBRATION:
            return 0.0, 100.0
        return (-100.0, 100.0) if self.name in LESIONS else self.ends

    @property
    def unit(self) -> str:
        """The unit of a difference, with a space before it; empty where there is none."""
        if self.log:
            return " orders of magnitude"
        if self.threshold:
            return " epochs"
        if self.side is not None:
            return " points" if self.measure == "percent" else f" {self.measure}".rstrip()
        return {"seconds": " s", "epochs": " epochs"}.get(
            self.name, " points" if self.name.endswith("_error") or self.name in (*LESIONS, *CALIBRATION) else ""
        )

    def value(self, record: Record, runs: Path) -> float | None:
        """The value of one run, whose folder lies in `runs`; None if it was not measured."""
        found = self._value(record, runs)
        return found if found is None or not self.log else math.log10(found) if found > 0 else -math.inf

    def _value(self, record: Record, runs: Path) -> float | None:
        folder, diverged = runs / str(record["folder"]), record["status"] == "diverged"
        if self.diagnostic:
            return _diagnostic(_rows(folder / DIAGNOSTICS), self.name, self.epoch, diverged=diverged)
        if self.is_fraction:
            return float(diverged)
        if diverged and self.better and not self.epoch and not self.is_count:
            return self._worst
        if self.threshold:
            return _epochs_until(_rows(folder / CURVE), self.name, self.threshold)
        if self.epoch is not None:
            return self._at_epoch(_rows(folder / CURVE), record)
        known = self.name in (*METRICS, *CALIBRATION, *LESIONS) or self.side is not None
        found = measured(record, self.name) if known else record.get(self.name)
        return found if found is None or math.isfinite(found) or not self.better else self._worst

    @property
    def _worst(self) -> float:
        """What a diverged run has: the worst value that there is."""
        if self.bounds:
            return self.bounds[0] if self.better > 0 else self.bounds[1]
        return 0.0 if self.name == "images_per_second" else -self.better * math.inf

    def _at_epoch(self, rows: Sequence[dict[str, float]], record: Record) -> float | None:
        if self.epoch == 0:
            best = max if self.better > 0 else min
            return best((row[self.name] for row in rows if math.isfinite(row.get(self.name, math.nan))), default=None)
        found = next((row for row in rows if row["epoch"] == self.epoch and self.name in row), None)
        if found is None or not math.isfinite(found[self.name]):
            return self._worst if found is not None or record["status"] == "diverged" else None
        return found[self.name]


def read_metric(text: object, declared: Mapping[str, Any] | None = None) -> Metric:
    """Read a metric as it is written in a claim.

    Args:
        declared: metrics of a task beside those above, or of records made elsewhere: name → which side is better
            (higher, lower, none), or {better: higher, low: 0, high: 1, unit: …} where it lies between two ends.

    Raises:
        MetricError: there is no such metric.
    """
    words = str(text).strip()
    if declared and words in declared:
        return _declared(words, declared[words])
    if words.startswith("log10 "):
        inner = read_metric(words.removeprefix("log10 "), declared)
        if (
            inner.unit == " points"
            or inner.threshold
            or inner.is_fraction
            or inner.log
            or inner.is_count
            or inner.name in SIGNED
        ):
            raise MetricError(f"{words!r}: log10 takes a loss, a time or a diagnostic, as in log10 train_loss")
        return replace(inner, text=words, log=True)
    if found := re.fullmatch(r"epochs until (\w+) *(<=|<|>=|>) *([0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)", words):
        return replace(_along(found[1], words, declared), threshold=(found[2], float(found[3])))
    name, mark, when = words.partition("@")
    if mark and not re.fullmatch(r"best|[1-9][0-9]*", when):
        raise MetricError(f"{words!r}: after @ comes best or an epoch from 1, as in train_error@best or train_error@5")
    epoch = None if not mark else 0 if when == "best" else int(when)
    if found := re.fullmatch(r"diagnostics\.(\w+)(?:\.block_\d+)?", name):
        if found[1] not in DIAGNOSED:
            raise MetricError(f"no diagnostic {found[1]!r}{instead(found[1], DIAGNOSED, 'allowed are')}")
        if epoch == 0:
            raise MetricError(f"{words!r}: a diagnostic has no best value; give an epoch, as in {name}@5, or none")
        return Metric(words, name.partition(".")[2], epoch, diagnostic=True)
    if mark:
        return replace(_along(name, words, declared), epoch=epoch)
    if name not in NAMES:
        also = f"{', '.join(declared)}, " if declared else ""
        near = nearest(name, [*NAMES, *(declared or ())]) or ";"
        raise MetricError(f"no metric {words!r}{near} allowed are {also}{FORMS}")
    return Metric(words, NLL.get(name, name), side=0 if name in (*PROXIES, *STRESS) else None)


def _declared(name: str, about: Any) -> Metric:
    """A metric that a task or a study declares."""
    fields = dict(about) if isinstance(about, Mapping) else {"better": about}
    unit, _ = str(fields.pop("unit", "")), fields.pop("along", None)
    side, low, high = fields.pop("better", None), fields.pop("low", None), fields.pop("high", None)
    if str(side) not in SIDES or fields:
        example = "{better: higher, low: 0, high: 1}"
        raise MetricError(f"metric {name}: say which side is better: {', '.join(SIDES)}, as in {name}: {example}")
    try:
        ends = None if low is None or high is None else (float(low), float(high))
    except (TypeError, ValueError):
        raise MetricError(f"metric {name}: low and high are numbers, not {low!r} and {high!r}") from None
    if ends and not ends[0] < ends[1]:
        raise MetricError(f"metric {name}: low ({low}) lies below high ({high})")
    return Metric(name, name, side=SIDES[str(side)], ends=ends, measure=unit)


def _along(name: str, words: str, declared: Mapping[str, Any] | None) -> Metric:
    """The metric of a column of the curve, as yet without an epoch."""
    if declared and isinstance(about := declared.get(name), Mapping) and about.get("along"):
        return replace(_declared(name, about), text=words)
    along = [metric for metric in METRICS if not metric.startswith("test")]
    if name.startswith("test_"):
        raise MetricError(f"{words!r}: the test set is measured once, at the end; for single epochs take val_error")
    if name not in along:
        raise MetricError(f"{words!r}: no {name} along the epochs{instead(name, along, 'there are')}")
    return Metric(words, name)


def _rows(path: Path) -> list[dict[str, float]]:
    """The rows of a file of numbers; no rows if there is no file."""
    try:
        return read_epochs(path)
    except FileNotFoundError:
        return []


def _diagnostic(rows: Sequence[dict[str, float]], name: str, epoch: int | None, *, diverged: bool) -> float | None:
    """A diagnostic at an epoch, or at the last epoch. A run that diverged before that epoch gives its last value.

    A norm that is nan counts as infinite; of a fraction that is nan, the last finite value is taken.
    """
    known = [row for row in rows if name in row and (epoch is None or row["epoch"] <= epoch)]
    if not known or (epoch is not None and known[-1]["epoch"] < epoch and not diverged):
        return None
    numbers = [row[name] if math.isfinite(row[name]) else math.inf for row in known]
    if name.partition(".")[0] in NORMS:
        return numbers[-1]
    return next((number for number in reversed(numbers) if math.isfinite(number)), None)


def _epochs_until(rows: Sequence[dict[str, float]], name: str, threshold: tuple[str, float]) -> float | None:
    known = [row for row in rows if name in row]
    reached = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[threshold[0]]
    return next((row["epoch"] for row in known if reached(row[name], threshold[1])), math.inf) if known else None

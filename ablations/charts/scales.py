"""Choose the scale of an axis from the numbers that it shows: one rule for all charts."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ablations.analysis.metrics import Metric
from ablations.charts.looks import Spec

ROOM = 0.06  # beside the outermost numbers, as a part of the axis
TICKS = [0, 1, 5, 10, 20, 40, 60, 80, 100]  # of a square-root scale, in percent
TALL = 15.0  # percent; an axis that goes further, and has small errors too, shows them by their square roots


def domain(values: Iterable[float | None], *, least: float = -math.inf, finest: float = 0.0) -> tuple[float, float]:
    """The ends of an axis that shows these numbers.

    Zero belongs to the axis where the numbers lie on both sides of it, or where no number can be smaller and they
    come as near to it as they are apart. Otherwise they fill the axis.

    Args:
        least: the smallest number that there can be.
        finest: the shortest axis that makes sense; equal numbers lie in its middle.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return 0.0, 1.0
    low, high = min(known), max(known)
    if least == 0 and 0 <= low <= high - low:
        return 0.0, max(high, finest) * (1 + ROOM) or 1.0
    apart = max(high - low or 0.2 * abs(high), 0.002 * abs(high))  # what is drawn has four digits
    middle, half = (low + high) / 2, max(apart, finest) / 2 or 0.5
    return max(min(least, low), middle - half * (1 + 2 * ROOM)), middle + half * (1 + 2 * ROOM)


def errors(values: Iterable[float | None], title: str = "error (%)") -> Spec:
    """The encoding of an axis of errors in percent."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = domain(known, least=0.0, finest=0.5)
    tall = low == 0 and high > TALL and min(known, default=high) <= high / 8
    return {
        "type": "quantitative",
        "scale": {"type": "sqrt" if tall else "linear", "domain": [low, high], "nice": False, "zero": False},
        "axis": {"values": [tick for tick in TICKS if tick <= high]} if tall else {"tickCount": 6},
        "title": f"{title}, square-root scale" if tall else title,
    }


def numbers(values: Iterable[float | None], title: str) -> Spec:
    """The encoding of an axis of other numbers."""
    known = [value for value in values if value is not None]
    ends = list(domain(known, least=0.0 if min(known, default=0.0) >= 0 else -math.inf))
    scale = {"domain": ends, "nice": False, "zero": False}
    return {"type": "quantitative", "scale": scale, "axis": {"tickCount": 6}, "title": title}


def whole(values: Iterable[float]) -> Spec:
    """The axis of whole numbers, as epochs are: a tick at each, or at as many round ones as can be read."""
    known = [*values]
    low, high = int(min(known)), int(max(known))
    step = next(size * 10**k for k in range(20) for size in (1, 2, 5) if high - low <= 12 * size * 10**k)
    ticks = [*range(-(-low // step) * step, high + 1, step)]
    return {"grid": False, "format": "d", "labelOverlap": True, "values": ticks}


def of_metric(metric: Metric, values: Iterable[float | None]) -> Spec:
    """The encoding of an axis of a metric."""
    if metric.is_error:
        return errors(values, titled(metric))
    return numbers([0.0, 1.0] if metric.is_fraction else values, titled(metric))


def titled(metric: Metric) -> str:
    """A metric and its unit, as on an axis."""
    return f"{words(metric)}{f' ({unit})' if (unit := unit_of(metric)) else ''}"


def words(metric: Metric) -> str:
    """A metric as a person says it: `training error`, `log10 gradient ratio, epoch 1`."""
    said = metric.name.removeprefix("diagnostics.").replace("_", " ").replace(".", ", ")
    for short, long in (("train ", "training "), ("val ", "validation "), ("macs", "multiply-adds")):
        said = said.replace(short, long)
    if metric.threshold:
        said = f"epochs until {said} {metric.threshold[0]} {metric.threshold[1]:g}"
    when = {None: "", 0: ", best epoch"}.get(metric.epoch, f", epoch {metric.epoch}")
    return f"{'log10 ' * metric.log}{said}{when}"


def unit_of(metric: Metric) -> str:
    """The unit of a metric's values, as on an axis; empty where there is none."""
    if metric.is_fraction:
        return "share of the seeds"
    points = metric.unit == " points" and not metric.name.startswith("lesion")
    return "%" if points else "" if metric.log else metric.unit.strip()

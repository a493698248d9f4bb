"""Draw what searches on a table have found by then: the regret against what was trained, and against simulated time."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from ablations.analysis.results import Row
from ablations.charts import series
from ablations.charts.epoch_files import EpochFile
from ablations.charts.figure import Figure
from ablations.charts.looks import LIGHT, Spec, legend
from ablations.charts.specs import faceted, layer, tip
from ablations.records.layout import CURVE
from ablations.report.answer import Answer

POINTS = 40  # of a line
FIRST = 5  # trials, before which hardly anything is known
NOTHING = 90.0  # points; before a search has a network, it counts as wrong everywhere
WAYS = {
    "epochs": ("What the searches found for what they trained", "epochs trained"),
    "seconds": ("What the searches found by then", "simulated seconds"),
}


def regret_figures(answer: Answer) -> list[Figure]:
    """The mean test regret of each cell, against epochs and against seconds; none before there are searches."""
    files = [series.files_of(answer, row, CURVE) for row in answer.rows]
    return [figure for along in WAYS if (figure := _figure(along, answer.rows, files))]


def _figure(along: str, rows: Sequence[Row], files: Sequence[Sequence[EpochFile]]) -> Figure | None:
    lines: series.Lines = []
    for cell, (row, some) in enumerate(zip(rows, files, strict=True)):
        about = {"cell": cell, **_words(row.axes)}
        lines += [{**about, **point} for point in _points(along, some)]
    if not lines:
        return None
    title, across = WAYS[along]
    values = list(dict.fromkeys(line["hue"] for line in lines))
    colour: Spec = {"field": "hue", "type": "nominal", "title": None, "legend": legend(), "sort": None}
    colour["scale"] = {"domain": values, "range": [LIGHT[k % len(LIGHT)] for k in range(len(values))]}
    y = _scale(lines)
    mean, band = {"y": {"field": "mean", **y}}, {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    tips = [tip("hue", "search"), tip("x", across, ".3g"), tip("mean", "mean regret", ".3f"), tip("n", "searches")]
    layers = [
        layer("area", band, opacity=0.16, clip=True),
        layer("line", mean, strokeWidth=2, clip=True),
        layer("point", {**mean, "tooltip": tips}, filled=True, size=70, opacity=0),
    ]
    x: Spec = {"field": "x", "type": "quantitative", "title": f"{across} (log scale)"}
    x |= {"axis": {"grid": False, "format": "~s"}, "scale": {"type": "log", "nice": False}}
    panels = list(dict.fromkeys(line["panel"] for line in lines))
    inner = {"height": 240, "encoding": {"x": x, "color": colour}, "layer": layers}
    caption = (
        "By how much the network that a search would choose by then errs more on the test set than the best of the "
        "table, both as means over the table's seeds. Lines are means over the searches, bands their 95% intervals."
    )
    spec, table = faceted("panel", inner, panels), series.columns(lines)
    return Figure(f"regret_{along}", title, caption, spec, table, panels=min(2, len(panels)), least=320)


def _scale(lines: series.Lines) -> Spec:
    """A logarithmic axis for all panels; what lies below the least mean, or is zero, lies on its lower end."""
    low = 0.8 * min((line["mean"] for line in lines if line["mean"] > 0), default=0.01)
    for line in lines:
        line["mean"], line["low"] = max(low, line["mean"]), max(low, line["low"])
    scale = {"type": "log", "domain": [low, 1.1 * max(low, *(line["high"] for line in lines))], "nice": False}
    axis = {"tickCount": 6, "format": "~g"}
    return {"type": "quantitative", "title": "test regret (points, log scale)", "scale": scale, "axis": axis}


def _words(axes: Mapping[str, object]) -> dict[str, str]:
    """The panel and the name of a cell: samplers are compared where nothing is pruned, pruners beside them."""
    group = "sampler" if axes["pruner"] == "none" else "pruner"
    options = [f"{axis.partition('.')[2]}={value}" for axis, value in axes.items() if axis.startswith(f"{group}.")]
    panel = "samplers" if group == "sampler" else f"pruners of {axes['sampler']} search"
    return {"panel": f"{axes['table']}: {panel}", "hue": " ".join([str(axes[group]), *options])}


def _points(along: str, files: Sequence[EpochFile]) -> list[dict[str, float]]:
    """Mean and 95% interval of the mean at even distances of the logarithm, from where every search knows a network."""
    steps = [(_known(file, along), _known(file, "test_regret")) for file in files]
    begins = [next((k for k, y in enumerate(ys) if k >= FIRST and y < NOTHING), FIRST) for _, ys in steps]
    if not steps or min(len(xs) for xs, _ in steps) <= FIRST:
        return []
    low = max(xs[k] for (xs, _), k in zip(steps, begins, strict=True))
    high = min(xs[-1] for xs, _ in steps)
    found = []
    for k in range(POINTS):
        x = low * (high / low) ** (k / (POINTS - 1))
        values = [ys[bisect_right(xs, x * (1 + 1e-9)) - 1] for xs, ys in steps]
        half = 1.96 * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
        mean = fmean(values)
        found.append({"x": x, "mean": mean, "low": max(0.0, mean - half), "high": mean + half, "n": len(values)})
    return found


def _known(file: EpochFile, name: str) -> list[float]:
    return [value for value in file.column(name) if value is not None]

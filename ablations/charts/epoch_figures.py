"""Draw what runs say by epoch and by block: training curves, diagnostics of the blocks, what each block is worth."""

from __future__ import annotations

from ablations.charts import scales, series
from ablations.charts.answer_figure import FigureContent, seeds_words
from ablations.charts.figure import Figure
from ablations.charts.looks import NEUTRAL, SAFE, Spec, colours, dashes
from ablations.charts.specs import ZOOM, faceted, layer, tip
from ablations.records.task_metrics import shown_metric
from ablations.report.answer import Answer
from ablations.report.lines import wrapped

SPREAD = (("mean", "mean"), ("low", "least"), ("high", "most"))
PALE = {"condition": {"test": "datum.light", "value": 0.4}, "value": 1}
KINDS = {"gradient_norm": "gradient norm", "gate_openness": "gate openness"}


def curve_figure(answer: Answer, chosen: FigureContent) -> Figure | None:
    """Errors, or what else the task is judged by, by epoch: training thin, validation thick, a band over the seeds.

    A cell that diverged in its first epoch is one point, with a note.
    """
    lines = series.curves(answer)
    if not lines:
        return None
    looks, panels = _panelled(lines, chosen)
    metric = shown_metric(answer.plan["study"], "val").removeprefix("val_")
    ends = [line[end] for line in lines for end in ("low", "high")]
    error = metric == "error"
    y, detail = scales.errors(ends) if error else scales.numbers(ends, metric), [{"field": "cell"}, {"field": "part"}]
    parts = {"domain": ["training", "validation"], "range": [1.1, 2.8]}
    width = {"field": "part", "type": "ordinal", "scale": parts, "legend": None}
    tips = [tip("label", "cell"), tip("part", "set"), tip("epoch", "epoch"), tip("n", "seeds")]
    tips += [tip(name, f"{words} (%)" if error else words, ".2f" if error else ".4g") for name, words in SPREAD]
    mean, band = {"y": {"field": "mean", **y}}, {"y": {"field": "low", **y}, "y2": {"field": "high"}}
    note = {"x": {"value": 12}, "y": {"value": 120}, "color": {"value": NEUTRAL}, "text": {"field": "note"}}
    last = {"joinaggregate": [{"op": "max", "field": "epoch", "as": "last"}]}
    alone = [
        {**last, "groupby": ["panel"]},
        {"filter": "datum.last == 1 && datum.note != ''"},
        {"aggregate": [{"op": "count", "as": "rows"}], "groupby": ["panel", "note"]},
    ]
    single = [{**last, "groupby": ["cell", "part"]}, {"filter": "datum.last == 1"}]  # no line has one point
    line = {**mean, "strokeWidth": width, **looks, "detail": detail, "opacity": PALE}
    hover = layer("point", {**mean, "tooltip": tips}, filled=True, size=70, opacity=0, clip=True)
    layers = [
        layer("area", {**band, "detail": detail}, opacity=0.16, clip=True),
        {"params": [ZOOM], **layer("line", line, clip=True)},
        {"transform": single, **layer("point", mean, filled=True, size=40, opacity=1)},
        {"transform": alone, **layer("text", note, align="left", fontSize=12)},
        {"name": "hover", **hover},
    ]
    x: Spec = {"field": "epoch", "type": "quantitative", "title": "epoch"}
    x["axis"] = scales.whole(epochs := [line["epoch"] for line in lines])
    x["scale"] = {"domain": [1, max(2, *epochs)], "nice": False}
    inner = {"height": 200, "encoding": {"x": x, "color": looks["color"]}, "layer": layers}
    caption = (
        "Thin: training; thick: validation (the test set is used once, at the end). "
        f"Lines are means over {seeds_words(line['n'] for line in lines)}; bands reach from the lowest to the highest."
    )
    noted, longer = [line for line in lines if line["note"]], {line["cell"] for line in lines if line["epoch"] > 1}
    if noted or {line["cell"] for line in lines} - longer:
        once = "every run diverged in its first epoch" if noted else "there is one epoch"
        caption += f" A single dot: {once}."
    drawn = {line["cell"] for line in lines}
    left = [chosen.names[i] for i, row in enumerate(answer.rows) if row.n and i not in drawn]
    caption += f" Without a curve: {'; '.join(left)}." if left else ""
    return _figure("curves", "Training curves", caption, inner, lines, panels)


def damage_figure(answer: Answer, chosen: FigureContent) -> Figure | None:
    """The error added by taking out each block: a line through the means, a bar over the seeds."""
    lines = series.damages(answer)
    if not lines:
        return None
    looks, panels = _panelled(lines, chosen)
    ends = [line[end] for line in lines for end in ("low", "high")]
    y = scales.numbers([0.0, *ends], "damage (points)")  # zero: the block does nothing
    tips = [tip("label", "cell"), tip("block", "block"), tip("n", "seeds")]
    tips += [tip(name, words, "+.2f") for name, words in SPREAD]
    mean = {"y": {"field": "mean", **y}, "detail": {"field": "cell"}}
    layers = [
        layer("rule", {"y": {"field": "low", **y}, "y2": {"field": "high"}}, opacity=0.5),
        {"params": [ZOOM], **layer("line", {**mean, **looks}, strokeWidth=2, clip=True)},
        layer("point", {**mean, "tooltip": tips}, filled=True, size=50, opacity=1),
    ]
    axis = scales.whole(line["block"] for line in lines)
    x = {"field": "block", "type": "quantitative", "title": "block", "axis": axis}
    inner = {"height": 240, "encoding": {"x": x, "color": looks["color"]}, "layer": layers}
    caption = "How much worse validation becomes by taking out a block; bars reach from the lowest seed to the highest."
    return _figure("lesions", "What each block is worth", caption, inner, lines, panels)


def heat_maps(answer: Answer, chosen: FigureContent) -> list[Figure]:
    """Each diagnostic that was kept, by block and epoch: a panel a cell, those of the claims first."""
    found = series.layers(answer, KINDS)
    return [_heat_map(kind, lines, chosen) for kind, lines in found.items()]


def _heat_map(kind: str, lines: series.Lines, chosen: FigureContent) -> Figure:
    title, log = KINDS[kind], kind == "gradient_norm"
    _say(lines, chosen, [wrapped(name) for name in chosen.names])
    for line in lines:
        if log and not line["value"] > 0:  # zero has no logarithm
            line["value"] = None
    axis = {"labelOverlap": True, "ticks": False}
    colour = {"field": "value", "type": "quantitative", "title": title, "scale": {"scheme": "viridis"}}
    colour["scale"] |= {"type": "log"} if log else {"domain": [0, 1]}
    colour["legend"] = {"orient": "top", "gradientLength": 260, "tickCount": 4, "labelOverlap": True}
    colour["legend"] |= {"format": ".0e"} if log else {}
    encoding = {
        "x": {"field": "epoch", "type": "ordinal", "title": "epoch", "axis": {**axis, "labelAngle": 0, "format": "d"}},
        "y": {"field": "block", "type": "ordinal", "title": "block", "sort": "descending", "axis": axis},
        "color": colour,
        "tooltip": [tip("label", "cell"), tip("name", "block"), tip("epoch", "epoch"), tip("value", title, ".3g")],
    }
    step = min(14, max(2, round(170 / max(line["block"] for line in lines))))
    panels = dict.fromkeys(line["panel"] for line in sorted(lines, key=lambda line: line["light"]))
    spec = faceted("panel", {"height": {"step": step}, "mark": {"type": "rect"}, "encoding": encoding}, [*panels])
    caption = "Mean over the seeds; block 1 is next to the image."
    rows, epochs = series.columns(lines), len({line["epoch"] for line in lines})
    return Figure(kind, title.capitalize(), caption, spec, rows, min(4, len(panels)), 200, epochs)


def _panelled(lines: series.Lines, chosen: FigureContent) -> tuple[Spec, list[str]]:
    """Add names, colours and panels to the rows; return the encodings, and the panels, those of the claims first.

    The axis with the colours tells the lines of a panel apart, a panel holds one choice on every other axis.
    """
    hue = chosen.hue
    _say(lines, chosen, chosen.rest(hue.name if hue else None))
    for line in lines:
        line["hue"] = hue.levels[line["cell"]] if hue else ""
    looks: dict[str, Spec] = {"color": colours(hue)}
    if hue and len(hue.values) > SAFE and not hue.numeric:
        dash = dashes(hue.values, "hue", each=SAFE) | {"title": hue.label}
        looks |= {"strokeDash": dash, "color": {**looks["color"], "legend": dash["legend"]}}
    return looks, [*dict.fromkeys(line["panel"] for line in sorted(lines, key=lambda line: line["light"]))]


def _say(lines: series.Lines, chosen: FigureContent, panels: list[str]) -> None:
    """Add to each row the name and the panel of its cell, and whether no claim names it."""
    names = chosen.names
    for line in lines:
        cell = line["cell"]
        line |= {"label": names[cell], "panel": panels[cell], "light": int(cell not in chosen.focus.peers)}


def _figure(name: str, title: str, caption: str, inner: Spec, lines: series.Lines, panels: list[str]) -> Figure:
    spec, rows = faceted("panel", inner, panels), series.columns(lines)
    return Figure(name, title, caption, spec, rows, panels=min(3, len(panels)), least=300)

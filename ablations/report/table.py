"""Lay out the results as a table, for a terminal (rich) and for a README (Markdown)."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablations.analysis.results import CALIBRATION, LESIONS, METRICS, PROXIES, STRESS, Record, Row, Spread, best_row
from ablations.records.task_metrics import task_metrics
from ablations.report.lines import wrapped

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

NONE = "–"
JUDGED = {"val_error": "lowest validation error"}
KNOWN = (*METRICS, *CALIBRATION, *LESIONS, *PROXIES, *STRESS)
SIDE = {"higher": "highest", "lower": "lowest"}
LETTERS = 18  # in a line of an axis's value, where the table is too wide


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        heading: its name in a terminal, on two lines.
        texts: the aligned texts of all rows.
        spare: columns with higher numbers are left out first in a narrow terminal; 0: never.
        wanted: whether the rows have it.
    """

    name: str
    heading: str
    texts: Callable[[Sequence[Row]], list[str]]
    spare: int = 0
    wanted: Callable[[Sequence[Row]], bool] = bool


def short_count(number: float | None) -> str:
    """269722 -> 269.7 k, 40551040 -> 40.6 M."""
    if number is None:
        return NONE
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size * 0.9995:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f}  "


def short_seconds(seconds: float | None) -> str:
    """7.23 -> 7.2, 93 -> 93, 5400 -> 1.5 h."""
    if seconds is None:
        return NONE
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f}" if seconds >= 99.5 else f"{seconds:.1f}"


def spreads(values: Iterable[Spread], digits: int = 2) -> list[str]:
    """`mean ± sd` with the points and the ± below each other; the sd is left blank where n < 2."""
    values = list(values)
    means = [NONE if v.mean is None else "∞" if math.isinf(v.mean) else f"{v.mean:.{digits}f}" for v in values]
    sds = ["" if v.sd is None else f"{v.sd:.{digits}f}" for v in values]
    left, right = max(map(len, means), default=0), max(map(len, sds), default=0)
    return [
        f"{mean:>{left}}" + (f" ± {sd:>{right}}" if sd else " " * (right + 3 if right else 0))
        for mean, sd in zip(means, sds, strict=True)
    ]


def _error(metric: str) -> Callable[[Sequence[Row]], list[str]]:
    return lambda rows: spreads(row.metrics[metric] for row in rows)


def _named(metric: str) -> Callable[[Sequence[Row]], list[str]]:
    """The texts of a metric that a study names, with three or four digits."""

    def texts(rows: Sequence[Row]) -> list[str]:
        means = [abs(mean) for row in rows if (mean := row.metrics[metric].mean) is not None and math.isfinite(mean)]
        largest = max(means, default=0.0)
        return spreads((row.metrics[metric] for row in rows), 2 if largest >= 10 else 3 if largest >= 1 else 4)

    return texts


def _score(metric: str) -> Callable[[Sequence[Row]], list[str]]:
    """The texts of a score whose size says nothing: the mean alone, to three digits."""
    return lambda rows: [NONE if (mean := row.metrics[metric].mean) is None else f"{mean:.3g}" for row in rows]


def _measured(metric: str) -> Callable[[Sequence[Row]], bool]:
    return lambda rows: any(row.metrics[metric].mean is not None for row in rows)


def _counts(rows: Sequence[Row]) -> list[str]:
    return [f"{row.n}" if row.n == row.planned else f"{row.n}/{row.planned}" for row in rows]


def _diverged(rows: Sequence[Row]) -> list[str]:
    return [str(row.diverged or "") for row in rows]


COLUMNS = [
    Column("n", "n", _counts),
    Column("train error %", "train\nerror %", _error("train_error"), spare=1),
    Column("val error %", "val\nerror %", _error("val_error")),
    Column("test error %", "test\nerror %", _error("test_error")),
    Column("lesion mean", "lesion\nmean", _error("lesion_mean"), spare=2, wanted=_measured("lesion_mean")),
    Column("lesion max", "lesion\nmax", _error("lesion_max"), spare=5, wanted=_measured("lesion_max")),
    Column("diverged", "di-\nverged", _diverged, wanted=lambda rows: any(row.diverged for row in rows)),
    Column("params", "params", lambda rows: [short_count(row.params) for row in rows], spare=3),
    Column("multiply-adds", "mult-\nadds", lambda rows: [short_count(row.macs) for row in rows], spare=4),
    Column("seconds", "sec-\nonds", lambda rows: [short_seconds(row.seconds.mean) for row in rows], spare=2),
    *(Column(name, name.replace("_", "\n", 1), _score(name), spare=1, wanted=_measured(name)) for name in STRESS),
    *(Column(name, name.replace("_", "\n", 1), _score(name), spare=7, wanted=_measured(name)) for name in PROXIES),
]


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """The columns that these rows have. A study that names metrics has one for each, and no column without numbers."""
    first, *others = [column for column in COLUMNS if column.wanted(rows)] or COLUMNS[:1]
    named = [name for name in (rows[0].metrics if rows else ()) if name not in KNOWN]
    if named:
        others = [column for column in others if any(text.strip(f" {NONE}") for text in column.texts(rows))]
    about, columns = {}, [first]
    for run in (run for row in rows for run in row.runs[:1]):
        about |= task_metrics(run.get("config") or {})
    for name in named:
        head = f"{name} %" if about.get(name, {}).get("unit") == "percent" else name
        spare = 6 if name.startswith("train_") else 0
        columns.append(Column(head, head.replace("_", "\n", 1), _named(name), spare=spare))
    return columns + others


def result_table(rows: Sequence[Row], *, console: Console, judged: Collection[str] = ()) -> Table:
    """The table, as wide as the console: columns that do not fit are left out and named, those `judged` last."""
    from rich.text import Text

    def is_judged(column: Column) -> bool:
        return column.name.removesuffix(" %").replace(" ", "_") in judged

    columns = columns_of(rows)
    spare = [column for column in columns if column.spare]
    spare.sort(key=lambda column: (not is_judged(column), column.spare))
    dropped: list[str] = []
    gap = 2 if _width(rows, columns, gap=2) <= console.width else 1
    letters = 0 if _width(rows, columns, gap=gap) <= console.width else LETTERS
    while spare and _width(rows, columns, gap=gap, letters=letters) > console.width:
        columns.remove(column := spare.pop())
        dropped.append(column.name)
    table = _build(rows, columns, gap=gap, letters=letters)
    notes = caption(rows)
    if dropped:
        notes.append(f"Left out in {console.width} columns: {', '.join(reversed(dropped))}.")
    table.caption = Text("\n".join(notes), style="dim", justify="left")
    table.caption_justify = "left"
    return table


def caption(rows: Sequence[Row]) -> list[str]:
    """What a reader must know of the numbers: n, how the best cell is chosen, hardware, versions, notes of the data."""
    rule = ""
    if best_row(rows) and (judged := rows[0].judged):
        rule = f" ★ {JUDGED.get(judged[0]) or f'{SIDE[judged[1]]} {judged[0]}'}."
    lines = ["Mean ± sample standard deviation over n seeds." + rule]
    runs: list[Record] = [record for row in rows for record in row.runs]
    provenance = [record.get("provenance") or {} for record in runs]
    devices = dict.fromkeys(_hardware(p) for p in provenance if p.get("device"))
    versions = dict.fromkeys(f"{name} {v}" for p in provenance for name, v in (p.get("versions") or {}).items())
    if devices or versions:
        lines.append(" · ".join([" / ".join(devices), ", ".join(versions)]).strip(" ·"))
    return lines + [f"Data: {note}" for note in dict.fromkeys(record["note"] for record in runs if record.get("note"))]


def _hardware(provenance: Mapping[str, Any]) -> str:
    """`cpu, 1 thread, AMD EPYC`, or a GPU's name."""
    device, processor = str(provenance["device"]), provenance.get("processor")
    return f"{device}, {processor}" if processor and device.startswith("cpu") else device


def markdown(rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """The table with its caption, for a README."""
    columns = columns_of(rows)
    swept, lines = cell_texts(rows, columns)
    heads = [*map(in_markdown, swept), *(column.name for column in columns)]
    best = best_row(rows)
    out = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(swept) + "---:|" * len(columns)]
    for row, line in zip(rows, lines, strict=True):
        cells = [in_markdown(text) for text in line]
        out.append("| " + " | ".join(f"**{text}**" if row is best and text else text for text in cells) + " |")
    return "\n".join([*out, "", in_markdown(" ".join([*notes, *caption(rows)])).replace("★", "Bold:")]) + "\n"


def in_markdown(text: str) -> str:
    """Text on one line, with the special characters of Markdown escaped."""
    line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\[\]|`])", r"\\\1", line)


def cell_texts(
    rows: Sequence[Row], columns: Sequence[Column], *, letters: int = 0
) -> tuple[list[str], list[list[str]]]:
    """The swept axes, and the texts of each row: its values, broken after so many `letters` or not (0), and columns."""
    swept = list(rows[0].shown) if rows else []
    by_column = [[NONE if row.shown[axis] is None else str(row.shown[axis]) for row in rows] for axis in swept]
    by_column = [[wrapped(text, letters) if letters else text for text in texts] for texts in by_column]
    by_column += [column.texts(rows) for column in columns]
    return swept, [list(line) for line in zip(*by_column, strict=True)]


def _width(rows: Sequence[Row], columns: Sequence[Column], *, gap: int, letters: int = 0) -> int:
    swept, lines = cell_texts(rows, columns, letters=letters)
    heads = swept + [column.heading for column in columns]
    by_column = zip(heads, *lines, strict=True)
    return 1 + sum(gap + max(len(line) for text in texts for line in text.split("\n")) for texts in by_column)


def _build(rows: Sequence[Row], columns: Sequence[Column], *, gap: int, letters: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text  # what a record says is text, never markup

    swept, lines = cell_texts(rows, columns, letters=letters)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, gap - 1, 0, 0))
    table.add_column("", width=1)
    for i, head in enumerate([*swept, *(column.heading for column in columns)]):
        numeric = i >= len(swept) or all(_is_number(row.shown[head]) for row in rows)
        table.add_column(Text(head), justify="right" if numeric else "left", no_wrap=True, vertical="bottom")
    best = best_row(rows)
    for i, (row, line) in enumerate(zip(rows, lines, strict=True)):
        ends_group = len(swept) > 1 and i + 1 < len(rows) and lines[i + 1][0] != line[0]
        style = "bold" if row is best else "red" if row.diverged else "dim" if not row.n else ""
        table.add_row("★" if row is best else "", *map(Text, line), style=style, end_section=ends_group)
    return table


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)

"""Write the results and the verdicts as LaTeX tables for a paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ablations.analysis.results import Row, best_row
from ablations.analysis.verdicts import Verdict
from ablations.question.did_you_mean import instead
from ablations.report.table import COLUMNS, Column, caption, cell_texts, columns_of
from ablations.report.verdict_list import cells

SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{"±": r"$\pm$", "∞": r"$\infty$", "–": "--", "×": r"$\times$", "★": r"$\star$", "·": r"$\cdot$", "−": "$-$"},
    **{"≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\to$", "≠": r"$\neq$", "≈": r"$\approx$", "²": r"\textsuperscript{2}"},
    **{"…": r"\ldots{}", "’": "'", "‘": "`", "“": "``", "”": "''", "µ": r"$\mu$", "✓": r"$\surd$", "✗": r"$\times$"},
}


def escaped(text: str) -> str:
    """Text on one line, with LaTeX's special characters escaped; a number has a true minus."""
    line = " ".join(text.split())
    if re.fullmatch(r"-[0-9.]+(?:e[-+]?[0-9]+)?", line):
        return f"${line}$"
    return "".join(SPECIAL.get(character, character) for character in line)


def booktabs(
    rows: Sequence[Row],
    notes: Sequence[str] = (),
    *,
    columns: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
) -> str:
    r"""The results as a `tabular` for `\usepackage{booktabs}`; bold: the lowest validation error; notes as comments.

    Args:
        columns: the axes and columns wanted, in their order; without them all.
        labels: the word of the study → the word to print.
    """
    measured, labels = columns_of(rows) if rows else COLUMNS, labels or {}
    swept, texts = cell_texts(rows, measured)
    names = [*swept, *(column.name for column in measured)]
    kept = [_index(wanted, swept, measured) for wanted in columns] or list(range(len(names)))
    best = best_row(rows)
    heads = {column_key(word): text for word, text in labels.items()}
    lines = [_line([heads.get(column_key(names[k]), names[k]) for k in kept]), r"\midrule"]
    for row, line in zip(rows, texts, strict=True):
        lines.append(_line([labels.get(line[k], line[k]) for k in kept], bold=row is best))
    shape = "".join("l" if k < len(swept) else "r" for k in kept)
    return _tabular(shape, lines, [*notes, *(note.replace("★", "Bold:") for note in caption(rows))])


CLAIM_COLUMNS = {"": "r", "claim": r"p{0.3\linewidth}", "metric": "l", "expected": "l", "effect": "r"}
CLAIM_COLUMNS |= {"95% interval": "r", "n": "r", "p": "r", "published": "r", "verdict": "l"}


def claims_table(verdicts: Sequence[Verdict], notes: Sequence[str] = (), *, columns: Sequence[str] = ()) -> str:
    r"""The claims as a `tabular` for `\usepackage{booktabs}`: effect, interval, n, p and verdict of each.

    Args:
        columns: those of CLAIM_COLUMNS wanted, in their order; without them all, but for what no claim has.

    Raises:
        ValueError: the study makes no claims, or there is no such column.
    """
    if not verdicts:
        raise ValueError("the study makes no claims")
    lines = []
    for number, verdict in enumerate(verdicts, 1):
        effect, interval, n, p, _, published = cells(verdict)
        unit = verdict.unit if verdict.effect else ""
        words = [str(number), verdict.says, verdict.metric.replace("_", " "), verdict.expect, f"{effect}{unit}"]
        lines.append(dict(zip(CLAIM_COLUMNS, [*words, interval, n, p, published, verdict.outcome], strict=True)))
    if odd := [name for name in columns if name not in CLAIM_COLUMNS]:
        raise ValueError(f"no column {odd[0]!r}{instead(odd[0], [*filter(None, CLAIM_COLUMNS)], 'there are')}")
    kept = list(columns) or [name for name in CLAIM_COLUMNS if any(line[name].strip("–") for line in lines)]
    body = [_line([line[name] for name in kept]) for line in lines]
    return _tabular("".join(CLAIM_COLUMNS[name] for name in kept), [_line(kept), r"\midrule", *body], notes)


def _line(texts: Sequence[str], *, bold: bool = False) -> str:
    """A line of a table; its first cell never begins as an option of the line end before it."""
    found = [rf"\textbf{{{escaped(text)}}}" if bold and text.strip() else escaped(text) for text in texts]
    guard = "{}" if found[0].startswith(("[", "*")) else ""
    return guard + " & ".join(found) + r" \\"


def _tabular(shape: str, lines: Sequence[str], notes: Sequence[str]) -> str:
    """The table, with what a reader must know as comments above it."""
    said = [f"% {' '.join(note.split())}" for note in notes]
    head = rf"\begin{{tabular}}{{{shape}}}"
    return "\n".join([*said, head, r"\toprule", *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _index(wanted: str, swept: Sequence[str], columns: Sequence[Column]) -> int:
    """The place of a column, named as in the table, or without its unit and with underscores: `test error`."""
    names = [*swept, *(column.name for column in columns)]
    whole = {column_key(name): k for k, name in reversed(list(enumerate(names)))}
    short = {column_key(name.rpartition(".")[2]): k for k, name in reversed(list(enumerate(swept)))}
    found = {**short, **whole}.get(column_key(wanted))
    if found is None:
        raise ValueError(f"no column {wanted!r}{instead(wanted, names, 'there are')}")
    return found


def column_key(name: str) -> str:
    """A column's name without its unit, as `test error` of `test_error` and of `test error %`."""
    return name.replace("_", " ").removesuffix(" %").strip().lower()

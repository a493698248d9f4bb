"""Write the results as a LaTeX table for a paper."""

from __future__ import annotations

from collections.abc import Sequence

from ablations.analysis.results import Row, best_row
from ablations.report.table import COLUMNS, caption, cell_texts

SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"},
    **{"±": r"$\pm$", "∞": r"$\infty$", "–": "--", "×": r"$\times$", "★": r"$\star$", "·": r"$\cdot$", "−": "$-$"},
}


def escaped(text: str) -> str:
    """Text on one line, with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(character, character) for character in " ".join(text.split()))


def booktabs(rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    r"""The results as a `tabular` for `\usepackage{booktabs}`; bold: the lowest validation error; notes as comments."""
    columns = [column for column in COLUMNS if column.wanted(rows)]
    swept, texts = cell_texts(rows, columns)
    best = best_row(rows)
    heads = " & ".join(escaped(head) for head in [*swept, *(column.name for column in columns)])
    lines = [rf"\begin{{tabular}}{{{'l' * len(swept)}{'r' * len(columns)}}}", r"\toprule", rf"{heads} \\", r"\midrule"]
    for row, line in zip(rows, texts, strict=True):
        cells = [rf"\textbf{{{escaped(text)}}}" if row is best and text.strip() else escaped(text) for text in line]
        lines.append(" & ".join(cells) + r" \\")
    said = [f"% {escaped(note.replace('★', 'Bold:'))}" for note in (*notes, *caption(rows))]
    return "\n".join([*said, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"

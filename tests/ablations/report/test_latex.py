"""LaTeX tables: chosen columns, everything escaped, and as many cells in each line as columns."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ablations.analysis.results import result_rows
from ablations.analysis.verdicts import judge
from ablations.report.latex import booktabs, claims_table, escaped
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM

NASTY = r"50% & $x_1^2$ #{~} \n <a> | ≤ ± “é” −1 … → [b]"
LATEX = next(filter(None, map(shutil.which, ("pdflatex", "lualatex", "xelatex"))), None)
if LATEX and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
    LATEX = None
KNOWN = {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl"}
KNOWN |= {"pm", "infty", "times", "star", "cdot", "leq", "geq", "to", "neq", "approx", "textsuperscript", "ldots", "mu"}
KNOWN |= {"surd", "textbf", "begin", "end", "toprule", "midrule", "bottomrule", "linewidth"}


def check(text):
    """What LaTeX would stumble over: an unknown command, an open brace, a character that it takes as a command."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert {*re.findall(r"\\([A-Za-z]+)", body)} <= KNOWN
    bare = re.sub(r"\\[A-Za-z]+|\\[&%$#_{}\\]", "", body)
    assert bare.count("{") == bare.count("}")
    assert bare.count("$") % 2 == 0
    assert not re.search(r"[%#~^\\]", bare.replace("\\\\", ""))
    assert not re.search(r"_", re.sub(r"\$[^$]*\$", "", bare))
    shape = re.search(r"\\begin\{tabular\}\{(.*)\}\n", text)[1]
    columns = len(re.findall(r"[lrc]|p\{[^}]*\}", shape.replace(r"\linewidth", "")))
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert lines
    for line in lines:
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1, line
        assert not re.match(r"\s*[\[*]", line), "after a line end, LaTeX would take it for an option"
    if LATEX:
        compiled(text)


def compiled(text):
    page = "\\documentclass{article}\\usepackage{booktabs,textcomp}\\usepackage[T1]{fontenc}\\begin{document}\n"
    with TemporaryDirectory() as folder:
        Path(folder, "page.tex").write_text(f"{page}{text}\\end{{document}}\n", encoding="utf-8")
        words = [LATEX, "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
        done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def rows():
    plan = make_plan({"block": ["plain", NASTY, "[8, 20]"], "recipe.weight_decay": [0.1, 0.2]})
    return result_rows(plan, make_records(plan))


def test_everything_is_escaped(rows):
    check(booktabs(rows, [NASTY]))
    check(claims_table(judge(*claimed(says=NASTY)), [NASTY]))
    assert escaped("-1.5") == "$-1.5$"
    assert escaped("a-b") == "a-b"


def claimed(**about):
    plan = make_plan(
        claims=[{**CLAIM, **about}, {**CLAIM, "contrast": {"plus": {"block": "x"}, "minus": {"depth": 8}}}]
    )
    return plan, make_records(plan, lambda axes, seed: axes["depth"] + seed * (1 + (axes["block"] == "plain")))


def test_columns_are_chosen_in_their_order_by_name_with_or_without_unit(rows):
    text = booktabs(rows, columns=["test error", "weight_decay", "block", "n"])
    check(text)
    assert r"test error \% & recipe.weight\_decay & block & n \\" in text
    assert r"\begin{tabular}{rllr}" in text
    with pytest.raises(ValueError, match=r"no column 'tset error'.*test error"):
        booktabs(rows, columns=["tset error"])


def test_words_are_printed_as_a_person_wants(rows):
    text = booktabs(rows, columns=["block", "n"], labels={"plain": "VGG & co", "block": "network", "n": "seeds"})
    check(text)
    assert r"network & seeds \\" in text
    assert r"VGG \& co & 3 \\" in text or r"\textbf{VGG \& co}" in text


def test_a_claim_has_its_numbers_and_its_verdict():
    text = claims_table(judge(*claimed()))
    check(text)
    assert r"Plain is worse. & test error & \textgreater{} 0" in text
    assert "no verdict" in text
    chosen = claims_table(judge(*claimed()), columns=["claim", "verdict"])
    check(chosen)
    assert r"claim & verdict \\" in chosen
    with pytest.raises(ValueError, match=r"no column 'effct'.*effect"):
        claims_table(judge(*claimed()), columns=["effct"])
    with pytest.raises(ValueError, match="makes no claims"):
        claims_table([])

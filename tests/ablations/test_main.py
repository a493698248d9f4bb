"""`python -m ablations`: fast, read-only, one sentence for every mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.catalog.studies import written_studies
from ablations.records.files import write_json
from ablations.records.record import plan_path
from tests.ablations.conftest import make_plan, make_records

ROOT = Path(__file__).resolve().parents[2]
RESULTS = [path for path in sorted((ROOT / "docs/results").rglob("*.md")) if path.stem not in ("README", "claims")]


@pytest.fixture
def runs(tmp_path):
    plan = make_plan(name="headline")
    write_json(plan_path(tmp_path, "headline"), plan)
    for record in make_records(plan, lambda axes, seed: None if (axes["depth"], seed) == (56, 2) else 5.0).values():
        write_json(tmp_path / record["folder"] / "record.json", record)
    return tmp_path


def call(capsys, *words):
    status = main(list(map(str, words)))
    said = capsys.readouterr()
    return status, said.out, said.err


def test_list_shows_how_far_each_study_is_and_those_not_yet_run(runs, capsys):
    status, out, _ = call(capsys, "list", "--runs", runs)
    assert status == 0
    assert any(line.split()[:3] == ["headline", "18", "16/18"] for line in out.splitlines())
    waiting = {name: study for name, study in written_studies().items() if study is not None and name != "headline"}
    assert waiting
    for name, study in waiting.items():
        assert any(line.split()[:3] == [name, str(study["cost"]["runs"]), "–"] for line in out.splitlines())


@pytest.mark.parametrize("name", ["cifar/headline", "mine/deep/er", "headline"])
def test_a_study_in_a_folder_is_one_like_any_other(tmp_path, capsys, name):
    write_json(plan_path(tmp_path, name), plan := make_plan(name=name))
    for record in make_records(plan).values():
        write_json(tmp_path / record["folder"] / "record.json", record)
    for command in ("plan", "status", "report", "verdict", "export", "effects"):
        status, out, err = call(capsys, command, name, "--runs", tmp_path)
        assert (status, err) == (0, "")
    assert name in call(capsys, "report", name, "--runs", tmp_path)[1]
    assert call(capsys, "doctor", "--runs", tmp_path)[0] == 0
    out = call(capsys, "list", "--runs", tmp_path)[1]
    assert [line.split()[1:3] for line in out.splitlines() if line.startswith(f"{name} ")] == [["18", "18/18"]]
    picture = tmp_path / f"{name}.svg"  # as the report proposes
    assert call(capsys, "export", name, "--format", "svg", "--out", picture, "--runs", tmp_path)[0] == 0
    assert picture.exists()


def test_list_shows_the_studies_of_a_folder_under_it_and_those_in_none_first(tmp_path, capsys):
    write_json(plan_path(tmp_path, "mine/own"), make_plan(name="mine/own"))
    lines = call(capsys, "list", "--runs", tmp_path)[1].splitlines()
    names = [line.split()[0] for line in lines if line and not line.startswith((" ", "study "))]
    heads = [name for name in names if name.endswith("/")]
    assert heads == sorted(heads)
    assert {"cifar/", "mine/"} <= set(heads)
    folders = [name.rpartition("/")[0] for name in names]
    assert folders == sorted(folders), "none first, then each in one piece"
    assert sum(name == "mine/own" for name in names) == 1


def test_a_study_that_has_moved_is_told_by_its_new_name(tmp_path, capsys):
    for command in ("plan", "status", "report", "verdict", "export", "publish"):
        said = call(capsys, command, "headline_paper", "--runs", tmp_path)
        assert said == (1, "", "error: study=headline_paper is now study=cifar/headline\n")
    write_json(plan_path(tmp_path, "headline_paper"), make_plan(name="headline_paper"))
    assert call(capsys, "report", "headline_paper", "--runs", tmp_path)[0] == 0, "what was asked then is still there"


def test_list_says_what_to_expect_and_fits_80_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    plan = make_plan(name="a_study")
    plan["study"] |= {"expect": "Plain nets [of 56] fail.", "cost": {"cpu_minutes": 3}}
    write_json(plan_path(tmp_path, "a_study"), plan)
    lines = call(capsys, "list", "--runs", tmp_path)[1].splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("a_study "))
    assert lines[at].split() == ["a_study", "18", "0/18", "3", "min", "–"]
    assert [line.rstrip() for line in lines[at + 1 : at + 3]] == [
        f"  {plan['study']['question']}",
        "  Expect: Plain nets [of 56] fail.",
    ]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    "words", [["report", "s"], ["export", "s", "--format", "report"], ["export", "s", "--format", "html"]]
)
def test_every_view_says_what_to_expect_where_the_study_does(tmp_path, capsys, monkeypatch, words):
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")
    plan = make_plan(name="s")
    write_json(plan_path(tmp_path, "s"), plan)
    assert "Expect:" not in call(capsys, *words, "--runs", tmp_path)[1]
    plan["study"]["expect"] = "Plain nets fail."
    write_json(plan_path(tmp_path, "s"), plan)
    assert "Expect: Plain nets fail." in call(capsys, *words, "--runs", tmp_path)[1]


def test_report_verdict_and_plan(runs, capsys):
    _, out, _ = call(capsys, "report", "headline", "--runs", runs)
    assert "2/3" in out
    assert f"--runs {runs}" in out
    assert "makes no claims" in call(capsys, "verdict", "headline", "--runs", runs)[1]
    assert "  2/3  block=plain depth=56" in call(capsys, "plan", "headline", "--runs", runs)[1]


def test_plan_shows_equivalents_and_what_is_invalid(tmp_path, capsys):
    plan = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"]}, name="s")
    plan["invalid"] = [{"point": {"block": "residual", "shortcut": "X"}, "reason": "no shortcut X; there are A, B"}]
    write_json(plan_path(tmp_path, "s"), plan)
    _, out, _ = call(capsys, "plan", "s", "--runs", tmp_path)
    assert "= block=plain shortcut=B (the same cell)" in out
    assert "no shortcut X; there are A, B" in out


@pytest.mark.parametrize("kind", ["md", "report", "csv", "tex", "html", "svg", "png"])
def test_export_writes_the_file(runs, capsys, kind, tmp_path):
    out = tmp_path / "new" / f"headline.{kind}"
    assert call(capsys, "export", "headline", "--runs", runs, "--format", kind, "--out", out) == (0, "", "")
    assert out.stat().st_size > 200


def test_a_report_in_a_file_shows_its_picture_which_is_beside_it(runs, capsys, tmp_path):
    out = tmp_path / "new" / "headline.md"
    assert call(capsys, "export", "headline", "--runs", runs, "--format", "report", "--out", out)[0] == 0
    assert "(headline.png)" in out.read_text(encoding="utf-8")
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("page", RESULTS, ids=lambda path: path.stem)
def test_every_result_in_the_docs_shows_its_picture(page):
    assert page.with_suffix(".png").exists()
    assert f"]({page.stem}.png)" in page.read_text(encoding="utf-8")


def test_report_writes_a_page_or_all_there_is(runs, capsys, tmp_path, monkeypatch):
    page, folder = tmp_path / "new" / "page.html", tmp_path / "all"
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    status, out, err = call(capsys, "report", "headline", "--runs", runs, "--html", page, "--files", folder)
    assert "judging and drawing …" in err
    assert status == 0
    written = [Path(line) for line in out.splitlines()]
    assert all(path.stat().st_size for path in written)
    names = {"report.html", "answer.md", "results.md", "results.csv", "results.tex", "verdicts.csv"}
    names |= {f"{figure}.{kind}" for figure in ("errors", "interaction", "costs") for kind in ("svg", "png", "pdf")}
    assert {path.relative_to(folder).as_posix() for path in written[1:]} == names
    assert page.read_text(encoding="utf-8") == (folder / "report.html").read_text(encoding="utf-8")
    assert "(errors.png)" in (folder / "answer.md").read_text(encoding="utf-8")


def test_the_files_hold_the_verdicts_with_all_they_rest_on(tmp_path, capsys):
    cells = {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}}
    claim = {"says": "=Worse.", "source": "He", "metric": "test_error", "contrast": cells, "expect": "> 0"}
    open_claim = {**claim, "says": "Nowhere.", "contrast": {**cells, "minus": {"block": "highway"}}, "published": 1.5}
    plan = make_plan(name="s", claims=[claim, open_claim])
    write_json(plan_path(tmp_path, "s"), plan)
    for record in make_records(plan, lambda axes, seed: 9.0 + 2 * seed if axes["block"] == "plain" else seed).values():
        write_json(tmp_path / record["folder"] / "record.json", record)
    assert call(capsys, "report", "s", "--runs", tmp_path, "--files", tmp_path / "all")[0] == 0
    with open(tmp_path / "all" / "verdicts.csv", encoding="utf-8", newline="") as file:
        known, unknown = csv.DictReader(file)
    assert (known["claim"], known["verdict"], known["source"]) == ("'=Worse.", "supported", "He")
    assert (float(known["effect"]), int(known["n"]), known["published"]) == (10.0, 3, "")
    assert float(known["low"]) < 10 < float(known["high"])
    assert 0 < float(known["p_corrected"]) < 0.05
    assert (unknown["verdict"], unknown["effect"], unknown["published"]) == ("no verdict", "", "1.5")
    assert "**supported**: =Worse." in (tmp_path / "all" / "answer.md").read_text(encoding="utf-8")


def test_export_to_standard_output_and_a_picture_needs_a_file(runs, capsys):
    assert call(capsys, "export", "headline", "--runs", runs)[1].startswith("| block | depth | n |")
    status, _, err = call(capsys, "export", "headline", "--runs", runs, "--format", "png")
    assert status == 1
    assert "add --out headline.png" in err


@pytest.mark.parametrize("command", ["report", "verdict", "plan", "export"])
def test_an_unknown_study_is_one_sentence_with_the_nearest(runs, capsys, command):
    status, out, err = call(capsys, command, "headlin", "--runs", runs)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "did you mean headline?" in err


@pytest.mark.parametrize(
    ("words", "says", "where"),
    [
        ([], "required: COMMAND", ""),
        (["reprot"], "did you mean report?", ""),
        (["report"], "required: STUDY", " report"),
        (["export", "headline", "--format", "doc"], "invalid choice: 'doc'", " export"),
        (["list", "blocks", "--all", "of\nit"], "unrecognized arguments: --all of it", " list"),
    ],
    ids=lambda value: " ".join(value).replace("\n", "_") if isinstance(value, list) else "",
)
def test_bad_usage_is_one_sentence_with_a_pointer_to_help(capsys, words, says, where):
    with pytest.raises(SystemExit) as stopped:
        main(words)
    out, err = capsys.readouterr()
    assert (stopped.value.code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: ")
    assert says in err
    assert f"; python -m ablations{where} --help says" in err


def test_a_study_that_has_not_been_run_says_how(tmp_path, capsys):
    status, _, err = call(capsys, "report", "headline", "--runs", tmp_path)
    assert status == 1
    assert "python run.py -m study=headline" in err


def test_doctor_names_the_damaged(runs, capsys):
    assert call(capsys, "doctor", "--runs", runs)[0] == 0
    bad = next(runs.glob("*/record.json"))
    bad.write_text(json.dumps({"schema": 1})[:-2], encoding="utf-8")
    status, out, _ = call(capsys, "doctor", "--runs", runs)
    assert status == 1
    assert bad.parent.name in out.replace("\n", "")
    assert "1 damaged" in " ".join(out.split())


def test_there_must_be_a_folder_to_examine(tmp_path, capsys):
    status, out, err = call(capsys, "doctor", "--runs", tmp_path / "nowhere")
    assert (status, out) == (1, "")
    assert err == f"error: there is no folder {tmp_path / 'nowhere'}: --runs DIR says where the records are\n"


def test_a_value_that_cannot_be_read_is_one_sentence(runs, capsys):
    status, out, err = call(capsys, "effects", "headline", "block=[", "--runs", runs)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("error: 'block=[' holds a value that cannot be read")


def test_a_terminal_that_lacks_a_character_shows_the_rest(runs, monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="ascii"))
    assert main(["list", "--runs", str(runs)]) == 0
    sys.stdout.flush()
    assert b"headline" in shown.getvalue()


def test_it_starts_fast_and_imports_nothing_heavy(runs):
    heavy = ("torch", "pytorch_lightning", "hydra", "wandb", "scipy.stats", "vl_convert", "pandas", "optuna")
    script = (
        f"import sys; from ablations.__main__ import main; main(['report', 'headline', '--runs', {str(runs)!r}])\n"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"
    assert time.monotonic() - start < 5  # well under 1 s on an idle machine


@pytest.mark.parametrize("words", [["report", "headline"], ["export", "headline"], ["list", "--help"]], ids=" ".join)
def test_nothing_is_said_to_a_reader_who_has_gone(runs, words):
    read, write = os.pipe()
    os.close(read)
    call = [sys.executable, "-m", "ablations", *words, "--runs", str(runs)]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # what is left in the buffer is written at the very end
    done = subprocess.run(call, cwd=ROOT, env=buffered, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write)
    assert done.stderr == b""


def test_an_answer_is_worked_out_once_for_all_that_is_written(runs, capsys, tmp_path, monkeypatch):
    from ablations.charts import series
    from ablations.report import answer

    asked = []
    for module, name in ((answer, "judge"), (answer, "axis_effects"), (series, "curves")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, real=real, name=name, **k: asked.append(name) or real(*a, **k))
    assert call(capsys, "report", "headline", "--runs", runs, "--files", tmp_path / "all")[0] == 0
    assert sorted(asked) == ["axis_effects", "curves", "judge"]

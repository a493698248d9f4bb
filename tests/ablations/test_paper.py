"""`python -m ablations export` makes figures and tables of a paper as they are typed, or says in a sentence why not."""

from __future__ import annotations

import pytest

from ablations.__main__ import main
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, write_study


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    plan = make_plan(claims=[CLAIM])
    records = make_records(plan, lambda axes, seed: axes["depth"] / 10 + seed * (1 + (axes["block"] == "plain")))
    write_study(folder, plan, records.values(), blocks=2)
    return folder


def export(runs, words, capsys, out=None):
    typed = ["export", "headline", "--runs", str(runs), *words.split(), *(["--out", str(out)] if out else [])]
    status = main(typed)
    return status, capsys.readouterr()


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_a_picture_of_each_kind_is_written_with_its_caption_beside(runs, tmp_path, capsys, kind):
    status, said = export(
        runs, f"--format {kind} --width column --label residual=ResNet", capsys, out := tmp_path / "a"
    )
    assert status == 0
    assert out.stat().st_size > 1000
    assert "Mean ± sd over 3 seeds" in said.err
    if kind == "svg":
        assert ">ResNet<" in out.read_text()
        assert ">residual<" not in out.read_text()


def test_a_picture_says_how_many_panels_it_leaves_out(tmp_path, capsys):
    plan = make_plan({"depth": [8 + 6 * k for k in range(14)]}, seeds=[0])
    write_study(tmp_path, plan, make_records(plan).values(), blocks=1)
    assert export(tmp_path, "--format svg --figure gradient_norm", capsys, out := tmp_path / "a.svg")[0] == 0
    said = "12 of 14 panels are drawn; the page has them all."
    assert said in out.read_text()
    assert said in export(tmp_path, "--format pdf --figure gradient_norm", capsys, tmp_path / "a.pdf")[1].err


def test_another_figure_and_other_metrics_are_drawn(runs, tmp_path, capsys):
    assert export(runs, "--format svg --figure claims-0", capsys, out := tmp_path / "a.svg")[0] == 0
    assert "Plain is worse." in out.read_text()
    asked = "--format svg --width page --metric val_error --x depth --colour block --where block=plain --columns 1"
    assert export(runs, asked, capsys, out)[0] == 0
    assert ">validation error<" in out.read_text()
    assert ">training error<" not in out.read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--format pdf", "a picture needs a file: add --out headline.pdf"),
        ("--format pdf --figure curvse --out x", "no figure 'curvse'"),
        ("--format pdf --metric tset_error --out x", "no metric 'tset_error'"),
        ("--format pdf --x dept --out x", "does not sweep dept"),
        ("--format pdf --width 84 --out x", "a number with its unit"),
        ("--format pdf --label ResNet --out x", "write NAME=TEXT"),
        ("--format pdf --label reziduel=ResNet --out x", "of that name; did you mean residual?"),
        ("--format tex --label reziduel=ResNet", "of that name; did you mean residual?"),
        ("--format pdf --order block=residul,plain --out x", "no block=residul; did you mean residual?"),
        ("--format pdf --columns block --out x", "how many panels stand side by side"),
        ("--format pdf --font 90 --out x", "letters have 4 to 24 points"),
        ("--format tex --columns blok", "no column 'blok'"),
        ("--format pdf --where block=none --out x", "nothing to draw"),
    ],
)
def test_what_cannot_be_is_one_sentence(runs, tmp_path, capsys, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    status, said = export(runs, words, capsys)
    assert status == 1
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not [*tmp_path.iterdir()], "nothing half written"


def test_tables_have_the_columns_and_the_claims(runs, capsys):
    _, said = export(runs, "--format latex --columns block,depth,test_error", capsys)
    assert r"block & depth & test error \% \\" in said.out
    _, said = export(runs, "--format tex --columns block,test_error --label test_error=unseen", capsys)
    assert r"block & unseen \\" in said.out
    _, said = export(runs, "--format tex --claims", capsys)
    assert "Plain is worse." in said.out
    assert r"\toprule" in said.out

"""A site of several studies: addresses that stay, links that lead somewhere, and only what changed is written anew."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablations.__main__ import main
from ablations.records.files import write_json
from ablations.records.record import plan_path
from ablations.report.citation import claim_ids
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, HOSTILE, write_study

ROOT = Path(__file__).parents[3]
WRONG = CLAIM | {"says": "Plain is better.", "expect": "< 0"}
OPEN = CLAIM | {"says": "It is far better.", "expect": "> 4"}
NAMES = ("headline", "cifar/degradation")


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch):
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two studies; of the second, one claim is contradicted and one open."""
    for name, claims in zip(NAMES, ([CLAIM], [WRONG, OPEN, CLAIM]), strict=True):
        plan = make_plan(claims=claims, name=name)
        records = make_records(plan, lambda axes, seed: (5 if axes["block"] == "plain" else 1) + seed / 10)
        write_study(tmp_path / "runs", plan, records.values())
    return tmp_path / "runs"


def site(runs: Path, out: Path, *more: str) -> int:
    return main(["site", str(out), *more, "--runs", str(runs)])


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def broken_links(out: Path) -> list[str]:
    """The links of a site that lead nowhere inside it."""
    lost = []
    for path in out.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"]*)"', path.read_text()):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            there = target.is_file() and (
                not anchor or re.search(rf"id=\"?{re.escape(anchor)}[\">]", target.read_text())
            )
            lost += [] if there and out.resolve() in target.resolve().parents else [f"{path.name}: {link}"]
    return lost


def test_a_claim_keeps_its_address_whatever_stands_around_it():
    (first,) = claim_ids([CLAIM])
    assert re.fullmatch(r"claim-[0-9a-f]{8}", first)
    assert claim_ids([OPEN, WRONG, CLAIM])[2] == first
    assert claim_ids([CLAIM | {"says": "In other words.", "source": "A book", "published": 9.0}]) == [first]
    assert claim_ids([dict(reversed(CLAIM.items()))]) == [first]
    assert len({*claim_ids([CLAIM, WRONG, OPEN, CLAIM | {"metric": "val_error"}])}) == 4
    assert claim_ids([CLAIM, CLAIM]) == [first, f"{first}-2"]


def test_the_front_page_lists_every_claim_and_study_the_contradicted_first(runs, tmp_path):
    out = tmp_path / "site"
    assert site(runs, out) == 0
    text = (out / "index.html").read_text()
    order = [text.index(words) for words in ("Plain is better.", "It is far better.", "Plain is worse.")]
    assert order == sorted(order)
    assert text.count("Plain is worse.") == 2
    cards = text[text.index("id=studies") :]
    assert cards.index("cifar/degradation") < cards.index("headline")
    assert broken_links(out) == []
    assert {path.name for path in (out / "study").iterdir()} == {"headline", "cifar~degradation"}
    page = (out / "study" / "headline" / "index.html").read_text()
    assert f'id="{claim_ids([CLAIM])[0]}"' in page
    assert not re.search(r"(?:href|src)=\"(?:/|\w+:)", text + page), "a site works from any folder"


def test_a_study_that_was_only_planned_is_left_out(runs, tmp_path, capsys):
    write_json(plan_path(runs, "planned"), make_plan({"block": ["highway"], "depth": [8]}, name="planned"))
    assert site(runs, tmp_path / "site") == 0
    assert "2 of 2 studies written" in (said := capsys.readouterr().out)
    assert "not run yet, and left out: planned" in said
    assert "planned" not in {path.name for path in (tmp_path / "site" / "study").iterdir()}


def test_beside_a_page_lie_its_numbers_and_how_to_cite_it(runs, tmp_path):
    out = tmp_path / "site"
    assert site(runs, out, "--url", "https://example.org/x/", "--author", "Noether, Emmy") == 0
    folder = out / "study" / "headline"
    assert len([*csv.reader(io.StringIO((folder / "results.csv").read_text()))]) == 1 + 6
    assert len([*csv.reader(io.StringIO((folder / "runs.csv").read_text()))]) == 1 + 18
    cite = (folder / "cite.bib").read_text()
    name = claim_ids([CLAIM])[0]
    assert "@misc{skipbench-headline,\n" in cite
    assert "author = {Noether, Emmy}" in cite
    assert f"url = {{https://example.org/x/study/headline/index.html#{name}}}" in cite
    assert "@misc{skipbench-cifar-degradation," in (out / "study" / "cifar~degradation" / "cite.bib").read_text()


def test_typed_again_it_writes_only_what_has_changed(runs, tmp_path, capsys):
    out = tmp_path / "site"
    assert site(runs, out) == 0
    before = contents(out)
    capsys.readouterr()
    assert site(runs, out) == 0
    assert contents(out) == before
    assert "0 of 2 studies written" in capsys.readouterr().out
    plan = make_plan(claims=[WRONG, OPEN, CLAIM], name=NAMES[1])
    write_json(plan_path(runs, NAMES[1]), plan | {"study": plan["study"] | {"question": "Why?"}})
    assert site(runs, out) == 0
    changed = {name for name, found in contents(out).items() if found != before[name]}
    folder = "study/cifar~degradation"
    assert changed == {
        "index.html",
        *(f"{folder}/{name}" for name in ("index.html", "cite.bib", "study.json")),
    }
    assert site(runs, out, "headline") == 0
    assert "Why?" in (out / "index.html").read_text(), "studies that are not named stay listed"


@pytest.mark.parametrize("at", [0, 1, 2])
def test_options_stand_where_one_likes_between_the_names(runs, tmp_path, capsys, at):
    words = [str(tmp_path / "out"), NAMES[0]]
    assert main(["site", *words[:at], "--runs", str(runs), *words[at:]]) == 0
    assert "1 of 1 studies written" in capsys.readouterr().out


def test_a_study_that_cannot_be_shown_leaves_the_others_and_its_old_page(runs, tmp_path, capsys):
    out = tmp_path / "site"
    assert site(runs, out) == 0
    old = (out / "study" / "headline" / "index.html").read_bytes()
    bad = make_plan(claims=[CLAIM | {"expect": "nonsense"}], name="headline")
    write_json(plan_path(runs, "headline"), bad)
    assert site(runs, out) == 1
    assert "! headline: " in capsys.readouterr().err
    assert (out / "study" / "headline" / "index.html").read_bytes() == old
    assert broken_links(out) == []


def test_what_a_study_says_is_shown_and_not_obeyed(tmp_path):
    plan = make_plan(claims=[CLAIM | {"says": HOSTILE, "source": HOSTILE}])
    plan["study"]["question"] = HOSTILE
    write_study(tmp_path / "runs", plan, make_records(plan).values())
    assert site(tmp_path / "runs", tmp_path / "site") == 0
    text = (tmp_path / "site" / "index.html").read_text()
    assert "<script" not in text
    assert "<img src=x" not in text


def test_a_foreign_page_is_not_overwritten(runs, tmp_path, capsys):
    (tmp_path / "index.html").write_text("<h1>My home page</h1>")
    assert site(runs, tmp_path) == 1
    assert "choose another folder" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "<h1>My home page</h1>"


def test_killed_at_any_moment_it_leaves_whole_pages_and_the_next_one_ends_it(runs, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "killed"
    code = "import sys; import ablations.html.page as p; p.javascript = lambda: '// vega'\n"
    code += "from ablations.__main__ import main; sys.exit(main(sys.argv[1:]))"
    started = [sys.executable, "-c", code, "site"]
    subprocess.run([*started, whole, "--runs", runs], check=True, cwd=ROOT, capture_output=True)
    for k in range(6):  # each is killed after one file more
        process = subprocess.Popen([*started, out, "--runs", runs], cwd=ROOT, stdout=subprocess.PIPE)
        while process.poll() is None and len([*out.rglob("[!.]*.*")]) <= 2 * k:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        for path in out.rglob("[!.]*"):
            if path.is_file():
                assert path.read_bytes() == (whole / path.relative_to(out)).read_bytes()
    subprocess.run([*started, out, "--runs", runs], check=True, cwd=ROOT, capture_output=True)
    assert {name: text for name, (text, _) in contents(whole).items()} == {
        name: text for name, (text, _) in contents(out).items() if "/." not in name
    }

"""The page of a study: what it shows is what the records say, and nothing in them can do more than be shown."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from ablations.analysis.results import result_rows
from ablations.charts.epoch_files import EpochFile
from ablations.charts.figures import figures_of
from ablations.charts.pictures import picture_spec
from ablations.exports import closing_page
from ablations.html import bundle
from ablations.html.page import embedded, page
from ablations.report.answer import Answer
from ablations.report.latex import booktabs
from ablations.search.trials import trial_folder, write_trial
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.html.study_folder import CLAIM, HOSTILE, write_curve, write_study


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch):
    """The real one is seconds of work, and the browser's test has it."""
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")


class Tags(HTMLParser):
    """Counts elements and keeps the embedded data."""

    def __init__(self, text):
        super().__init__()
        self.found, self.data, self.reading = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.reading = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag):
        self.reading = False

    def handle_data(self, data):
        self.data += data if self.reading else ""


def figure(text, name):
    """A figure of the page, its columns unpacked as the page does it."""
    one = next(one for one in json.loads(Tags(text).data)["figures"] if one["name"] == name)
    for key, column in one["rows"].items():
        if isinstance(column, dict):
            pairs = zip(column["values"], column["times"], strict=True)
            one["rows"][key] = [value for value, times in pairs for _ in range(times)]
    return one


def test_the_curves_are_mean_least_and_most_of_the_seeds(plan, tmp_path):
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    rows = figure(page(Answer(plan, records, tmp_path)), "curves")["rows"]
    names = ("cell", "part", "epoch", "mean", "low", "high", "n", "note")
    lines = list(zip(*(rows[name] for name in names), strict=True))
    assert (0, "training", 2, 31.0, 30.0, 32.0, 3, "") in lines  # 60/2 + 0, 1, 2
    assert (5, "validation", 1, 71.0, 70.0, 72.0, 3, "") in lines
    assert len(lines) == 6 * 2 * 3


def test_every_figure_the_files_allow_and_no_other(tmp_path):
    plan = make_plan(claims=[CLAIM])
    records = make_records(plan, lambda axes, seed: axes["depth"] / 10 + seed + 5 * (axes["block"] == "plain") * seed)
    write_study(tmp_path, plan, records.values())
    names = [one.name for one in figures_of(Answer(plan, records, tmp_path))]
    assert names == ["claims-0", "errors", "curves", "interaction", "costs"]
    write_study(tmp_path, plan, records.values(), blocks=4)
    names = [one.name for one in figures_of(Answer(plan, records, tmp_path))]
    assert names == ["claims-0", "errors", "curves", "interaction", "gradient_norm", "gate_openness", "costs"]


def test_what_each_block_is_worth_is_drawn_where_it_was_measured(plan, tmp_path):
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    for record in records.values():
        damage = f"block,name,damage,left_out\n1,stages.0.0,{record['seed']},\n2,stages.0.1,,it resizes\n"
        (tmp_path / record["folder"] / "lesions.csv").write_text(damage, encoding="utf-8")
    (drawn,) = [one for one in figures_of(Answer(plan, records, tmp_path)) if one.name == "lesions"]
    found = {name: set(drawn.rows[name]) for name in ("block", "mean", "low", "high", "n")}
    assert found == {"block": {1}, "mean": {1}, "low": {0}, "high": {2}, "n": {3}}
    assert len(drawn.rows["cell"]) == 6
    assert picture_spec(drawn)["data"]["values"][0]["label"]


def test_the_heat_map_has_the_blocks_in_their_order(plan, tmp_path):
    records = make_records(plan)
    write_study(tmp_path, plan, records.values(), blocks=11)
    rows = figure(page(Answer(plan, records, tmp_path)), "gate_openness")["rows"]
    seen = dict(zip(rows["block"], rows["name"], strict=True))
    assert seen == {number + 1: f"stages.0.{number}" for number in range(11)}  # 10 after 9, not after 1


def test_a_search_shows_what_mattered_to_its_trials_and_no_analysis_of_its_winners(tmp_path):
    plan = make_plan({"block": ["plain", "residual"]})
    about = {"space": {"depth": [8, 56], "width": [1, 2]}, "search": {"trials": 12, "objectives": ["val_error"]}}
    plan["study"] |= about | {"tunings": [{"name": "t-12345678", "point": {}}]}
    records = make_records(plan)
    write_study(tmp_path, plan, records.values())
    for number in range(12):
        found = {"depth": 8 if number < 3 else 56, "width": 1 + number % 2}
        trial = {"tuning": "t-12345678", "number": number, "state": "complete", "values": {"val_error": 1.0 + number}}
        trial |= {"suggested": found, "point": found, "constraints": {}, "runs": [], "cell": f"c{number}", "label": "l"}
        write_trial(trial_folder(tmp_path, plan["name"], "t-12345678", number), trial)
    text = page(Answer(plan, records, tmp_path))
    assert figure(text, "importance")["rows"]["row"][0] == "depth", "it decides which trials are the best"
    assert "PED-ANOVA" in text
    assert "not in this grid" not in text
    assert "analysis of variance" not in text.lower()


def test_a_study_still_running_says_so_and_shows_the_curves_there_are(plan, tmp_path):
    records = make_records(plan, lambda axes, seed: 5.0 if axes["depth"] == 8 else None)
    write_study(tmp_path, plan, records.values())
    write_curve(tmp_path / plan["cells"][-1]["runs"][0]["folder"], epochs=2)
    text = page(Answer(plan, records, tmp_path))
    assert "Not complete: 12 of 18 runs are missing" in text
    assert {0, 3, 5} == set(figure(text, "curves")["rows"]["cell"])


def test_a_study_without_any_record_is_a_page_too(plan, tmp_path):
    text = page(Answer(plan, {}, tmp_path))
    assert "18 of 18 runs are missing" in text
    assert [one["name"] for one in json.loads(Tags(text).data)["figures"]] == []


def test_where_the_numbers_come_from_is_a_command_that_trains_them(plan, tmp_path):
    plan["command"] = "python run.py -m study=headline plan=true"
    assert "python run.py -m study=headline</dd>" in page(Answer(plan, make_records(plan), tmp_path))


def test_what_diverged_failed_or_cannot_be_built_is_named(plan, tmp_path):
    kinds = {0: {"status": "diverged", "cause": "nan"}, 1: {"status": "failed", "cause": "oom"}, 2: 5.0}
    records = make_records(plan, lambda axes, seed: kinds[seed])
    plan["invalid"] = [{"point": {"depth": 21}, "reason": "depth=21 is not 6n+2"}]
    text = page(Answer(plan, records, tmp_path, ("runs/x/record.json: damaged",)))
    for words in (
        "6 of 18 runs failed",
        "(oom)",
        "6 of 18 runs diverged, counted as the worst",
        "depth=21 is not 6n+2",
        "x/record.json",
    ):
        assert words in text


def test_nothing_in_a_record_or_a_study_becomes_markup(tmp_path):
    def study(word):
        claim = {**CLAIM, "says": word, "source": word, "contrast": {"plus": {"block": word}, "minus": {"block": "b"}}}
        plan = make_plan({"block": [word, "b"], "norm": ["x", word]}, claims=[claim, claim])
        plan["study"] |= {"question": word, "fixed": {word: word}}
        plan |= {"command": word, "invalid": [{"point": {"a": word}, "reason": word}]}
        about = {"cause": word, "note": word, "provenance": {"host": word, "device": word, "versions": {word: word}}}
        changed = {0: {**about, "status": "failed"}, 1: about, 2: {**about, "status": "diverged"}}
        return Tags(page(Answer(plan, make_records(plan, lambda axes, seed: changed[seed]), tmp_path, (word,))))

    hostile, plain = study(HOSTILE), study("word")
    assert hostile.found == plain.found
    assert json.loads(hostile.data)["axes"][0]["values"][0] == HOSTILE.replace("\u2028", " ")


def test_embedded_json_cannot_end_its_element():
    text = embedded({"a": HOSTILE})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": HOSTILE.replace("\u2028", " ")}


def test_a_damaged_curve_is_one_sentence(tmp_path):
    (tmp_path / "curve.csv").write_text("epoch,train_error\n1,about ten\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"curve.csv: column train_error holds something that is not a number"):
        EpochFile.read(tmp_path / "curve.csv").column("train_error")


def test_a_large_study_is_a_small_file(tmp_path):
    plan = make_plan({"block": ["plain", "residual"], "depth": list(range(8, 308, 6))})
    records = make_records(plan, lambda axes, seed: axes["depth"] / 7 + seed)
    write_study(tmp_path, plan, records.values(), epochs=164, blocks=12)
    assert len(records) == 300
    assert len(page(Answer(plan, records, tmp_path)).encode()) + 900_000 < 6e6


def test_a_study_that_ends_writes_its_page_only_if_that_is_quick(plan, tmp_path, monkeypatch):
    records = make_records(plan)
    monkeypatch.setattr(bundle, "kept", lambda: tmp_path / "vega.js")
    assert closing_page(Answer(plan, records, tmp_path)) is None
    (tmp_path / "vega.js").write_text("//", encoding="utf-8")
    assert closing_page(Answer(plan, records, tmp_path)) == tmp_path / ".studies" / "headline" / "report.html"
    many = make_plan({"depth": range(8, 8 + 6 * 21, 6)})
    assert closing_page(Answer(many, make_records(many), tmp_path)) is None


def test_latex_prints_what_it_is_given(plan):
    plan = make_plan({"block": ["a_b & 100% \\x", "~{$}#^"]})
    text = booktabs(result_rows(plan, make_records(plan)))
    assert r"a\_b \& 100\% \textbackslash{}x" in text
    assert r"\textasciitilde{}\{\$\}\#\textasciicircum{}" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in body} == {7}


def test_the_bundle_is_made_once_and_again_where_it_cannot_be_kept(monkeypatch, tmp_path):
    made = []
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet: made.append(snippet) or "x='</script>'")
    monkeypatch.setattr(bundle, "kept", lambda: tmp_path / "new" / "vega.js")
    assert [bundle.javascript() for _ in range(2)] == ["x='<\\/script>'"] * 2
    assert len(made) == 1
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(bundle, "kept", lambda: tmp_path / "file" / "vega.js")
    assert bundle.javascript() == bundle.javascript() == "x='<\\/script>'"
    assert len(made) == 3

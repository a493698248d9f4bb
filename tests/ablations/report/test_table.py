"""The table says what the rows say, aligned, at any width, with what a reader needs to trust it."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from ablations.analysis.results import Spread, result_rows
from ablations.report.csv_files import as_csv, results_table, runs_table
from ablations.report.table import caption, columns_of, markdown, result_table, short_count, short_seconds, spreads
from tests.ablations.conftest import make_plan, make_records


def printed(rows, width=100, judged=()):
    console = Console(file=io.StringIO(), width=width)
    console.print(result_table(rows, console=console, judged=judged))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.fixture
def rows(plan):
    errors = {8: [1.0, 2.0, 6.0], 20: [10.0, 11.0, 12.0], 56: [60.0, 61.0, None]}
    return result_rows(plan, make_records(plan, lambda axes, seed: errors[axes["depth"]][seed]))


def test_numbers_are_those_computed_by_hand(rows):
    lines = printed(rows)
    (line,) = [line for line in lines if line.split()[:2] == ["plain", "20"]]
    assert line.split() == ["plain", "20", "3", *["11.00", "±", "1.00"] * 3, "269.7", "k", "40.6", "M", "7.2"]
    assert any("3.00 ± 2.65" in line for line in lines)  # √7


def test_a_missing_run_is_visible(rows):
    assert [line.split()[2] for line in printed(rows) if " 56 " in line] == ["2/3", "2/3"]


def test_plus_minus_signs_stand_below_each_other(rows):
    columns = {tuple(i for i, sign in enumerate(line) if sign == "±") for line in printed(rows) if line.count("±") == 3}
    assert len(columns) == 1


@pytest.mark.parametrize("width", [72, 80, 100, 120, 200])
def test_nothing_is_cut_off_and_what_is_left_out_is_named(rows, width):
    lines = printed(rows, width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    assert ("mult-" in " ".join(lines)) != any("Left out" in line and "multiply-adds" in line for line in lines)
    assert sum(line.count("±") >= 2 for line in lines) == 6
    assert "error %" in lines[1]


@pytest.mark.parametrize("judged", ["stress_rate", "stress_memory", "lesion_mean", "train_error"])
def test_long_names_are_broken_before_a_number_is_cut_and_what_claims_are_about_is_left_out_last(judged):
    plan = make_plan({"block": ["plain", "manifold_hyper_connections"], "depth": [20, 110], "width": [0.25, 0.5]})
    metrics = {"stress_rate": 4.0, "stress_memory": 12.5, "lesion_mean": 21.25, "lesion_max": 50.0}
    rows = result_rows(plan, make_records(plan, lambda axes, seed: {"error": 60.0 + 9 * seed, "metrics": metrics}))
    lines = printed(rows, 72, judged=[judged])
    assert max(map(len, lines)) <= 72
    assert not any("…" in line for line in lines)
    assert sum(line.split()[0] == "manifold_hyper_" for line in lines if line) == 4
    assert judged.split("_")[1] in " ".join(lines[:3])
    left_out = " ".join(lines).partition("Left out")[2]
    assert "lesion max" in left_out
    assert judged.replace("_", " ") not in left_out.replace("_", " ")


def test_the_star_is_at_the_best_cell_by_validation(rows):
    starred = [line.split() for line in printed(rows) if line.startswith("★")]
    assert [line[1:3] for line in starred] == [["plain", "8"]]


def test_an_inactive_axis_is_a_dash():
    plan = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"]})
    assert any(
        line.strip("★ ").split()[:2] == ["plain", "–"] for line in printed(result_rows(plan, make_records(plan)))
    )


def test_the_diverged_column_is_there_only_where_it_says_something(plan):
    fine = result_rows(plan, make_records(plan))
    ill = result_rows(plan, make_records(plan, lambda axes, seed: {"status": "diverged"} if seed else 1.0))
    assert "verged" not in "".join(printed(fine))
    assert "verged" in "".join(printed(ill))


def test_of_a_study_without_cells_there_is_an_empty_table():
    """As of a search that has found nothing to train."""
    assert [column.name for column in columns_of([])] == ["n"]
    assert markdown([]).splitlines()[0] == "| n |"


def test_the_caption_names_hardware_versions_and_the_note_of_the_data(plan):
    rows = result_rows(plan, make_records(plan, lambda axes, seed: {"note": "synthetic: random images, no result"}))
    words = " ".join(caption(rows))
    assert "cpu (2 threads)" in words
    assert "torch 2.13.0+cpu" in words
    assert "synthetic: random images, no result" in words


def test_markdown_has_a_line_a_cell_and_marks_the_best(rows):
    lines = markdown(rows).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(rows)
    assert len({line.count("|") for line in table}) == 1
    assert [line for line in table if "**" in line] == [table[2]]
    assert "| plain | 56 | 2/3 | 60.50 ± 0.71 |" in table[4]


def test_csv_reads_back_to_the_numbers(rows):
    lines = list(csv.DictReader(io.StringIO(as_csv(results_table(rows)))))
    assert [(line["block"], int(line["depth"]), int(line["n"])) for line in lines[:3]] == [
        ("plain", 8, 3),
        ("plain", 20, 3),
        ("plain", 56, 2),
    ]
    assert float(lines[0]["test_error_sd"]) == pytest.approx(7**0.5)


def test_runs_are_listed_one_a_line_failed_ones_too(plan):
    rows = result_rows(
        plan, make_records(plan, lambda axes, seed: {"status": "failed", "cause": "oom"} if seed else 1.0)
    )
    heads, lines = runs_table(rows)
    assert len(lines) == 18
    assert [line[heads.index("cause")] for line in lines[:3]] == [None, "oom", "oom"]


def test_spreads_without_deviation_keep_the_place():
    given = [Spread(3.0, 0.5, 3), Spread(12.25, None, 1), Spread(None, None, 0), Spread(float("inf"), None, 2)]
    assert spreads(given) == [" 3.00 ± 0.50", "12.25       ", "    –       ", "    ∞       "]


@pytest.mark.parametrize(
    ("number", "text"),
    [(269722, "269.7 k"), (40_551_040, "40.6 M"), (3.8e9, "3.8 G"), (999_960, "1.0 M"), (12, "12"), (None, "–")],
)
def test_counts(number, text):
    assert short_count(number).strip() == text


@pytest.mark.parametrize(("seconds", "text"), [(7.23, "7.2"), (99.7, "100"), (5400, "1.5 h"), (None, "–")])
def test_seconds(seconds, text):
    assert short_seconds(seconds) == text


def test_proxies_are_shown_where_they_were_computed(plan):
    rows = result_rows(plan, make_records(plan, lambda axes, seed: {"metrics": {"proxy_synflow": 1e40 * (1 + seed)}}))
    assert all(line.split()[-1] == "2e+40" for line in printed(rows, width=140) if line.split()[:1] == ["plain"])
    assert "| proxy_synflow |" in markdown(rows)
    assert "proxy_naswot" not in markdown(rows)
    assert "proxy_synflow_mean,proxy_synflow_sd" in as_csv(results_table(rows))
    without = result_rows(plan, make_records(plan))
    assert "proxy" not in markdown(without) + as_csv(results_table(without))


def test_lesions_are_shown_where_they_were_measured(plan):
    rows = result_rows(plan, make_records(plan, lambda axes, seed: {"metrics": {"lesion_mean": 4.0 + seed}}))
    assert all("5.00 ± 1.00" in line for line in printed(rows, width=140) if line.split()[:1] == ["plain"])
    assert "lesion mean" in markdown(rows)
    assert [line["lesion_mean_mean"] for line in csv.DictReader(io.StringIO(as_csv(results_table(rows))))] == [
        "5.0"
    ] * 6
    without = result_rows(plan, make_records(plan))
    assert "lesion" not in markdown(without) + as_csv(results_table(without))

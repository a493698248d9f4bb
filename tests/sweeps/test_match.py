"""`match:` in a study: every cell raw and matched, budgets within 2% of each other, nothing trained twice for it."""

import json

import pytest

from ablations.analysis.cell_selection import select
from ablations.analysis.results import result_rows
from ablations.question.study import StudyError
from sweeps.match import Widths, budget_of, raw_and_matched
from tests.typed import typed

POINTS = [{"depth": depth, "fixed": 1} for depth in (8, 20)]


def count(point):
    """Parameters about depth · width², and the width."""
    if point["depth"] == 21:
        raise ValueError("depth=21 is not 6n+2")
    width = point.get("width", 1)
    return round(point["depth"] * 1000 * width**2), width


def test_a_raw_point_is_as_it_was_and_a_matched_one_has_its_width():
    points = raw_and_matched(POINTS)
    assert [point["budget"] for point in points] == ["raw", "matched"] * 2
    widths = Widths(points, count)
    assert [widths(point) for point in points[::2]] == POINTS
    assert widths(points[1]) == {**POINTS[0], "width": 1}, "the first sets the budget"
    matched = widths(points[3])
    assert count(matched)[0] == pytest.approx(8000, rel=0.02)
    assert matched["width"] == pytest.approx((8 / 20) ** 0.5, abs=0.01)


def test_a_point_that_cannot_be_built_says_so_and_stops_no_other():
    points = raw_and_matched([{"depth": 21}, {"depth": 8}])
    widths = Widths(points, count)
    with pytest.raises(ValueError, match="depth=21 is not 6n"):
        widths(points[1])
    assert widths(points[3])["width"] == 1


def test_without_match_nothing_is_counted():
    def never(point):
        raise AssertionError

    assert Widths(POINTS, never)(POINTS[0]) == POINTS[0]


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ({"match": "flops"}, "neither of params, macs"),
        ({"match": "macs", "space": {"depth": [8]}}, "do not go together"),
    ],
)
def test_what_cannot_be_matched_is_refused(study, words):
    with pytest.raises(StudyError, match=words):
        budget_of(study)


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["params", "macs"])
def test_a_plan_has_matched_cells_beside_the_raw_ones(tmp_path, budget):
    study = {"name": "mine", "question": "Which?", "match": budget, "seeds": [0], "fixed": {"depth": 8}}
    study["grid"] = {"block": ["residual", "highway"], "shortcut": ["A", "C"]}
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.yaml").write_text("# @package _global_\n" + json.dumps({"study": study}))
    asked = ["--config-dir", str(tmp_path), "study=mine", "plan=true"]
    done = typed("-m", f"runs={tmp_path}", "tracker=none", "hydra/launcher=basic", *asked, at=tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob(".studies/*/plan.json")
    plan = json.loads(path.read_text())
    rows = result_rows(plan, {})
    assert plan["swept"] == ["block", "shortcut", "budget", "width"]
    raw, matched = select({"budget": "raw"}, rows), select({"budget": "matched"}, rows)
    assert len(raw) == len(matched) == 4
    budgets = [getattr(row, budget) for row in matched]
    assert min(budgets) >= 0.98 * max(budgets)
    assert max(getattr(row, budget) for row in raw) > 1.05 * min(getattr(row, budget) for row in raw)
    assert {row.axes["width"] for row in raw} == {1}
    both = [row for row in raw if row in matched]
    assert all(row.shown["budget"] == "raw = matched" for row in both)

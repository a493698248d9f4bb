"""A path changes one axis at a time, the largest gain first, and names the cells that are not trained."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ablations.analysis.ablation_path import ablation_path
from ablations.report.analyses import print_path
from tests.ablations.conftest import make_plan, make_records

GRID = {"block": ["plain", "residual"], "depth": [8, 20], "norm": ["none", "batch"]}
FROM = {"block": "plain", "depth": 20, "norm": "none"}
TO = {"block": "residual", "depth": 8, "norm": "batch"}
ERRORS = {"plain": 20, "residual": 0, 8: 0, 20: 5, "none": 10, "batch": 0}


def error(axes, seed):
    """Additive: block gains 20, norm 10, depth 5."""
    return ERRORS[axes["block"]] + ERRORS[axes["depth"]] + ERRORS[axes["norm"]] + 0.1 * seed * (axes["norm"] == "none")


@pytest.fixture
def grid():
    return make_plan(GRID)


def test_the_largest_gain_comes_first_and_the_gains_add_up(grid):
    path = ablation_path(grid, make_records(grid, error), FROM, TO)
    assert [step.axis for step in path.steps] == ["block", "norm", "depth"]
    assert [step.gain for step in path.steps] == pytest.approx([20, 10.1, 5])
    assert path.start - sum(step.gain for step in path.steps) == pytest.approx(path.steps[-1].mean)
    assert (path.remaining, path.untrained) == ((), ())
    norm = path.steps[1].difference
    assert (norm.n, norm.values) == (3, pytest.approx((10, 10.1, 10.2)))


def test_what_is_not_measured_is_named_and_walked_around(grid):
    def lost(axes, seed):
        return None if (axes["block"], axes["norm"], axes["depth"]) == ("residual", "none", 20) else error(axes, seed)

    path = ablation_path(grid, make_records(grid, lost), FROM, TO)
    assert [step.axis for step in path.steps] == ["norm", "block", "depth"]
    assert path.untrained == ("python run.py -m norm=none block=residual depth=20 seed=0,1,2",)


def test_where_the_records_end_the_rest_is_named(grid):
    def ends(axes, seed):
        known = (axes["block"], axes["norm"]) in (("plain", "none"), ("residual", "batch"))
        return error(axes, seed) if known else None

    path = ablation_path(grid, make_records(grid, ends), FROM, TO)
    assert [step.axis for step in path.steps] == ["depth"]
    assert path.remaining == ("norm", "block") or path.remaining == ("block", "norm")
    console = Console(file=io.StringIO(), width=100)
    print_path(path, console)
    text = console.file.getvalue()
    assert "depth: 20 → 8" in text
    assert "The records end here; still to change: " in text
    assert text.count("python run.py -m") == 4  # two candidates before the first step, two after it


def test_an_axis_that_is_active_in_one_end_only_is_no_step():
    plan = make_plan({"block": ["plain", "residual"], "shortcut": ["A", "B"], "depth": [8, 20]})
    records = make_records(plan, lambda axes, seed: axes["depth"] + 10 * (axes["block"] == "plain"))
    path = ablation_path(plan, records, {"block": "plain", "depth": 20}, {**TO, "shortcut": "B"})
    assert [(step.axis, step.gain) for step in path.steps] == [("depth", 12), ("block", 10)]


def test_a_cell_of_another_study_may_lie_between(grid):
    records = make_records(grid, error)
    grid["cells"] = [cell for cell in grid["cells"] if all(cell["axes"][k] == v for k, v in FROM.items())] + [
        cell for cell in grid["cells"] if all(cell["axes"][k] == v for k, v in TO.items())
    ]
    assert len(ablation_path(grid, records, FROM, TO).steps) == 3


def test_infinite_losses_are_no_gain_from_each_other(grid):
    records = make_records(grid, lambda axes, seed: {"status": "diverged" if axes["block"] == "plain" else "finished"})
    path = ablation_path(grid, records, FROM, TO, metric="test_loss")
    assert path.steps[0].axis == "block"
    assert path.steps[0].gain == float("inf")
    assert path.steps[0].difference is None


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ({"block": "plain"}, TO, "block=plain matches 4 cells; name also"),
        (FROM, {"block": "highway"}, "no such cell in this study: block=highway"),
        (FROM, FROM, "the same cell"),
    ],
)
def test_ends_are_single_cells(grid, start, end, words):
    with pytest.raises(ValueError, match=words):
        ablation_path(grid, make_records(grid, error), start, end)


def test_an_end_without_a_record_says_how_to_train_it(grid):
    with pytest.raises(ValueError, match=r"has no val_error yet; train it: python run\.py -m"):
        ablation_path(grid, {}, FROM, TO)

"""Studies that search, really typed: trials trained, pruned, infeasible, equal; winners with fresh seeds."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from ablations.records.lease import here
from tests.sweeps.conftest import Typed
from tests.sweeps.search.typed import asked, plan_name, plan_of, search, stamps, trials_of, write_study
from tests.typed import typed

pytestmark = pytest.mark.slow


def test_only_active_axes_are_asked_for_and_a_small_space_is_tried_once_and_no_more(tmp_path: Path) -> None:
    space = "{gate_bias: [-1], shortcut: [A, B], block: [plain, highway], block.coupled: [true, false]}"
    write_study(tmp_path, space=space, search="{trials: 12, replicate: {top: 2, seeds: [1, 2]}}")
    done = search(tmp_path)
    assert done.returncode == 0, done.stderr
    found = trials_of(tmp_path)
    assert [trial["number"] for trial in found] == list(range(len(found)))
    suggested = {trial["point"]["block"]: set(trial["suggested"]) for trial in found}
    assert suggested == {"plain": {"block"}, "highway": {"block", "block.coupled", "shortcut", "gate_bias"}}
    trials = [trial for trial in found if trial["state"] == "complete"]
    repeated = [trial for trial in found if trial["state"] == "repeated"]
    assert len(trials) == len({trial["cell"] for trial in trials}) == 5, "every point there is, a plain net once"
    assert len(found) == 5 + len(repeated) > 5
    cells = {trial["number"]: trial["cell"] for trial in trials}
    assert all(trial["cell"] == cells[trial["same_as"]] and not trial["runs"] for trial in repeated)
    says = f"5 of 12 trials: 5 complete; besides, {len(repeated)} repeated; ended early: all 5 points were tried"
    assert says in done.stdout
    searched = {run["folder"] for trial in trials for run in trial["runs"]}
    plan = plan_of(tmp_path)
    replicated = {run["folder"] for cell in plan["cells"] for run in cell["runs"]}
    assert len(replicated) == 4
    assert replicated | searched == set(stamps(tmp_path))
    assert {run["seed"] for cell in plan["cells"] for run in cell["runs"]} == {1, 2}
    scores = {trial["cell"]: trial["values"]["val_error"] for trial in trials}
    best = sorted(scores.values())[:2]
    assert sorted(scores[cell["cell"]] for cell in plan["cells"]) == best, "the best two, on seeds no trial saw"
    assert "fresh seeds" in done.stdout
    before = stamps(tmp_path)
    left = tmp_path / "runs" / trials[0]["runs"][0]["folder"] / "lease.json"
    left.write_text(json.dumps({**here(), "pid": 2**22 + 1}))  # killed between record and release
    again = search(tmp_path)
    assert again.returncode == 0, again.stderr
    assert not left.exists()
    assert says in again.stdout
    assert stamps(tmp_path) == before
    more = search(tmp_path, "study.search.trials=14", "workers=2", "retry=failed", "plan=true")
    assert "9 to go, 5 done" in more.stdout, "who searches, and how long, is the same search"


@pytest.mark.long
def test_what_was_trained_before_is_told_and_a_wider_space_keeps_its_trials(tmp_path: Path) -> None:
    """Cells of a grid, then of a search in a smaller space: those of today's code, data, seeds and settings."""
    words = ["-m", "block=plain,residual", "depth=8", "recipe.epochs=2", f"runs={tmp_path / 'runs'}", "tracker=none"]
    grid = typed(*words, "seed=0,1", "hydra/launcher=basic", at=tmp_path)
    assert grid.returncode == 0, grid.stderr
    write_study(
        tmp_path,
        space="{block: [plain, residual], depth: [8, 14], recipe.epochs: [1, 2]}",
        search="{trials: 3, seeds: [1], constraints: [params <= 60_000], replicate: {top: 1, seeds: [5]}}",
    )
    before = stamps(tmp_path)
    done = search(tmp_path, "recipe.epochs=2", "sampler=random")
    assert done.returncode == 0, done.stderr
    assert "2 cells were trained before and are told to the sampler" in done.stdout
    assert "2 of 3 trials: 2 complete; besides, 2 trained before" in done.stdout
    assert "ended early: all 4 points were tried" in done.stdout
    assert len(stamps(tmp_path)) == len(before) + 3, "depth 14, and the winner with its fresh seed"
    assert before.items() <= stamps(tmp_path).items()
    told = "cells were trained before and are told to the sampler"
    wider = search(tmp_path, "plan=true")
    assert f"; 4 {told}" in wider.stdout
    for words in (
        ["+study.search.warm_start=false"],
        ["study.search.seeds=[2]"],
        ["block=plain,residual"],
        ["norm=group"],
    ):
        assert told not in search(tmp_path, *words, "plan=true").stdout, words
    (old, *_) = (tmp_path / "runs").glob("plain-*-d8-*s1-*/record.json")
    old.write_text(re.sub(r'("data_digest": )"\w+"', r'\1"other"', old.read_text()))
    assert f"; 3 {told}" in search(tmp_path, "plan=true").stdout, "those of other data are not"


SMALL = "{trials: 8, objectives: [val_error, macs], constraints: [params <= 20_000], replicate: {top: 9, seeds: [1]}}"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where small networks were searched by their error and their size."""
    at = tmp_path_factory.mktemp("small")
    write_study(at, space="{width: [0.5, 1, 3], depth: [8, 11, 14], block: [residual]}", search=SMALL)
    done = search(at)
    assert done.returncode == 0, done.stderr
    assert "ended early: all 9 points were tried" in done.stdout
    return at


def test_what_breaks_a_constraint_is_not_trained(small: Path) -> None:
    trials = [trial for trial in trials_of(small) if trial["state"] != "repeated"]
    states = {trial["state"] for trial in trials}
    assert states == {"complete", "infeasible"}
    for trial in trials:
        point = trial["point"]
        allowed = point["depth"] != 11 and point["width"] < 3 and not (point["width"] == 1 and point["depth"] == 14)
        assert (trial["state"] == "complete") == allowed, trial
        assert (trial["runs"] == []) == (not allowed)
    causes = {trial["cause"] for trial in trials if trial["state"] == "infeasible"}
    assert any("6n+2" in cause for cause in causes)
    assert "not params <= 20000" in causes
    assert all(trial["params"] <= 20_000 for trial in trials if trial["state"] == "complete")


def test_the_front_of_two_objectives_is_replicated(small: Path, tmp_path: Path, refused: Typed) -> None:
    complete = [trial for trial in trials_of(small) if trial["state"] == "complete"]
    values = {trial["cell"]: (trial["values"]["val_error"], trial["values"]["macs"]) for trial in complete}
    front = {c for c, v in values.items() if not any(o != v and o[0] <= v[0] and o[1] <= v[1] for o in values.values())}
    assert {cell["cell"] for cell in plan_of(small)["cells"]} == front
    write_study(tmp_path, space="{depth: [8, 14]}", search=SMALL)
    assert "several objectives cannot be pruned" in refused(*asked(tmp_path), "pruner=median")


def test_a_pruned_trial_stops_early_and_leaves_no_record(tmp_path: Path) -> None:
    few = "{trials: 6, replicate: {top: 1, seeds: [9]}}"
    write_study(tmp_path, space="{recipe.lr: {low: 1.0e-5, high: 1.0, log: true}}", search=few)
    eager = ["pruner=median", "pruner.n_startup_trials=2", "pruner.n_warmup_steps=0"]
    done = search(tmp_path, "recipe.epochs=4", *eager)
    assert done.returncode == 0, done.stderr
    (name,) = {path.name for path in (tmp_path / "runs" / ".studies").iterdir() if path.is_dir()}
    paths = (tmp_path / "runs" / ".studies" / name / "trials").glob("*/*/trial.json")
    trials = [json.loads(path.read_text()) for path in paths]
    pruned = [trial for trial in trials if trial["state"] == "pruned"]
    assert pruned
    for trial in pruned:
        (run,) = trial["runs"]
        folder = tmp_path / "runs" / run["folder"]
        assert not (folder / "record.json").exists()
        assert 1 <= len((folder / "curve.csv").read_text().splitlines()) - 1 < 4
    assert Counter(trial["state"] for trial in trials)["complete"] >= 2


def test_seeds_as_the_pruners_steps_stop_bad_cells_before_their_last_seed(tmp_path: Path) -> None:
    wilcoxon = "{trials: 6, seeds: [0, 1, 2, 3, 4], prune_by: seeds, replicate: {top: 1, seeds: [9]}}"
    write_study(tmp_path, space="{recipe.lr: [0.1, 0.00001, 0.00002, 0.00003]}", search=wilcoxon)
    done = search(tmp_path, "pruner=wilcoxon", "recipe.epochs=1")
    assert done.returncode == 0, done.stderr
    name = plan_name(tmp_path)
    paths = (tmp_path / "runs" / ".studies" / name / "trials").glob("*/*/trial.json")
    trials = [json.loads(path.read_text()) for path in paths]
    pruned = [trial for trial in trials if trial["state"] == "pruned"]
    assert any(len(trial.get("seed_values", {})) < 5 for trial in pruned)
    assert all(len(trial["seed_values"]) == 5 for trial in trials if trial["state"] == "complete")


def test_equal_tuning_gives_every_cell_the_same_trials_and_compares_the_winners(tmp_path: Path) -> None:
    tuned = "{trials: 4, seeds: [7], replicate: {top: 1, seeds: [0, 1]}}"
    write_study(
        tmp_path,
        grid="[{block: [plain, residual]}]",
        space="{recipe.lr: {low: 0.01, high: 1.0, log: true}}",
        search=tuned,
        claims="[{says: One errs less., metric: test_error, expect: '!= 0', contrast: {plus: {block: plain}, "
        "minus: {block: residual}}}]",
    )
    done = search(tmp_path)
    assert done.returncode == 0, done.stderr
    assert plan_of(tmp_path)["study"]["left_out"] == [], "the seed that chose the winners is no known one of theirs"
    rates: dict[str, list[float]] = {}
    for trial in trials_of(tmp_path):
        rates.setdefault(trial["point"]["block"], []).append(trial["point"]["recipe.lr"])
    assert rates["plain"] == rates["residual"]
    assert len(set(rates["plain"])) == 4
    cells = plan_of(tmp_path)["cells"]
    assert [cell["axes"]["block"] for cell in cells] == ["plain", "residual"]
    for cell in cells:
        ours = [trial for trial in trials_of(tmp_path) if trial["point"]["block"] == cell["axes"]["block"]]
        best = min(ours, key=lambda trial: trial["values"]["val_error"])
        assert cell["axes"]["recipe.lr"] == best["point"]["recipe.lr"]


@pytest.mark.parametrize(
    ("space", "arguments", "says"),
    [
        ("{block: [plain, nosuch]}", [], "there is no block 'nosuch'; choose from"),
        ("{nosuch: [1, 2]}", [], "nosuch"),
        ("{norm: [batch, no]}", [], "norm: YAML reads 'no', 'off' or 'false' without quotes as false"),
        ("{block: [plain, highway], block.cuopled: [true, false]}", [], "cuopled"),
        ("{depth: [8, 14]}", ["depth=8"], "every axis of the space is decided"),
        ("{depth: [8, 14]}", ["sampler=nosuch"], "choose from"),
        ("{depth: [8, 14]}", ["storage=sqlite:///x.db"], "SQLite hands one trial to two workers"),
        ("{depth: {low: 14, high: 8}}", [], "low=14 is not below high=8"),
        ("{depth: [8, 14]}", ["study.search.trials=0"], "search.trials=0 must be"),
        ("{depth: [8, 14]}", ["+study.search.warm_start=2"], "search.warm_start=2 is neither true nor false"),
        ("{depth: {low: 9, high: 20, step: 6}}", ["plan=true"], " is not 6n+2; the nearest are"),
        ("{depth: [8, 14]}", ["data=cifar10", "data_dir=nowhere"], "data_batch_1.bin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_mistake_gets_one_sentence_before_anything_trains(
    tmp_path: Path, refused: Typed, space: str, arguments: list[str], says: str
) -> None:
    write_study(tmp_path, space=space)
    assert says in refused(*asked(tmp_path), *arguments)


@pytest.mark.parametrize("told", ["worst", "failed"])
def test_a_diverged_trial_is_told_as_the_study_says_and_never_as_nan(tmp_path: Path, told: str) -> None:
    said = f"{{trials: 4, diverged: {told}, objectives: [val_loss], replicate: {{top: 1, seeds: [1]}}}}"
    write_study(tmp_path, space="{recipe.lr: [0.1, 1.0e+6], block: [residual]}", search=said)
    done = search(tmp_path, "norm=none", "init=he_fan_in", "max_consecutive_failures=9")
    assert done.returncode == 0, done.stderr
    paths = sorted((tmp_path / "runs" / ".studies" / plan_name(tmp_path) / "trials").glob("*/*/trial.json"))
    trials = [trial for trial in map(json.loads, map(Path.read_text, paths)) if trial["state"] != "repeated"]
    wild = [trial for trial in trials if trial["point"]["recipe.lr"] == 1e6]
    assert 0 < len(wild) < len(trials)
    for trial in wild:
        assert trial["state"] == ("complete" if told == "worst" else "failed")
        assert trial["values"] == ({"val_loss": 10.0} if told == "worst" else {})
    (cell,) = plan_of(tmp_path, plan_name(tmp_path))["cells"]
    assert cell["axes"]["recipe.lr"] == 0.1, "what diverged does not win"
    before = stamps(tmp_path)
    again = search(tmp_path, "norm=none", "init=he_fan_in", "max_consecutive_failures=9", "retry=diverged")
    assert again.returncode == 0, again.stderr
    trained = {name for name, stamp in stamps(tmp_path).items() if before.get(name) != stamp}
    assert trained == {run["folder"] for trial in wild for run in trial["runs"]}, "these alone are trained again"


@pytest.mark.long
def test_options_that_only_some_choices_have_may_be_fixed_or_searched(tmp_path: Path) -> None:
    budget = "{trials: 4, replicate: {top: 2, seeds: [1]}}"
    write_study(tmp_path, space="{body: [basic, se], body.reduction: [2, 4], depth: [8, 14]}", search=budget)
    done = search(tmp_path, "block=residual", "body.reduction=2", "seed=1")
    assert done.returncode == 0, done.stderr
    trials = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob(".studies/*/trials/*/*/trial.json")]
    assert sum(trial["state"] == "complete" for trial in trials) == 4
    assert {trial["point"]["body"] for trial in trials} == {"basic", "se"}
    assert all(set(trial["suggested"]) == {"body", "depth"} for trial in trials)
    axes = [json.loads(path.read_text())["axes"] for path in (tmp_path / "runs").glob("*/record.json")]
    assert {(one["body"], one.get("body.reduction")) for one in axes} == {("basic", None), ("se", 2)}
    grid = search(tmp_path, "block=residual", "body=basic,se", "plan=true")
    assert grid.returncode == 0, grid.stderr
    assert "space    body.reduction: 2, 4" in grid.stdout
    assert grid.stdout.count("tuning") >= 2

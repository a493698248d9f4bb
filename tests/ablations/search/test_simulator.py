"""A search that was really trained comes out the same on its own table; the simulated clock is that of real workers."""

import json
import subprocess
import sys
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
import yaml

import skipbench
from ablations.__main__ import main
from ablations.catalog.choices import CONF, config_files
from ablations.question.search_space import read_search
from ablations.search.additive import AdditiveGP
from ablations.search.contest import AXES, SearchResult
from ablations.search.halving import Halving
from ablations.search.in_memory import InMemory
from ablations.search.simulator import run
from ablations.search.space import Space
from ablations.search.table import Table
from ablations.search.table_files import write_table
from ablations.search.table_source import TableSource
from ablations.search.trials import read_trials
from tests.ablations.search.landscape import BLOCKS, DEPTHS, EPOCHS, made_up
from tests.sweeps.search.typed import plan_of, search, write_study
from tests.typed import typed

SPACE = (
    "{block: [plain, highway], shortcut: [A, B], gate_bias: [-1, -3], recipe.lr: {low: 0.01, high: 300.0, log: true}}"
)
SEARCH = "{trials: 10, constraints: [params <= 20_000], replicate: {top: 1, seeds: [1]}}"
PRUNED = ("pruner=median", "pruner.n_startup_trials=2", "pruner.n_warmup_steps=0")
SEARCHED = (*PRUNED, "keep=nothing", "+study.search.warm_start=true")


@pytest.mark.long
def test_a_recorded_search_comes_out_the_same_on_its_own_table(tmp_path: Path) -> None:
    """With pruned, repeated and infeasible suggestions, real-valued and conditional axes, runs that diverge.

    One cell was trained before, and is told to the sampler.
    """
    write_study(tmp_path, space=SPACE, search=SEARCH)
    known = ("block=plain", "depth=8", "recipe.lr=1", "recipe.epochs=1", "tracker=none", "keep=nothing")
    assert typed(*known, f"runs={tmp_path / 'runs'}", at=tmp_path).returncode == 0
    done = search(tmp_path, *SEARCHED)
    assert done.returncode == 0, done.stderr
    (about,) = plan_of(tmp_path)["study"]["tunings"]
    recorded, _ = read_trials(tmp_path / "runs", "mine", [about["name"]])
    assert {"complete", "pruned", "infeasible"} <= {trial["state"] for trial in recorded}
    assert [trial["number"] for trial in recorded if trial.get("warm_start")] == [0]
    assert main(["tabulate", "mine", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "t.csv.gz")]) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")}
    words = (f"simulate={tmp_path / 't.csv.gz'}", f"simulated={tmp_path / 'out.json'}")
    done = search(tmp_path, *SEARCHED, *words)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())["trials"]
    clock = ("started", "ended", "worker", "trained")
    found.sort(key=lambda trial: trial["number"])
    assert [{k: v for k, v in trial.items() if k not in clock} for trial in found] == [
        {k: v for k, v in trial.items() if k != "schema"} for trial in recorded
    ]
    winner = min((trial for trial in recorded if trial["state"] == "complete"), key=lambda t: t["values"]["val_error"])
    assert f"val_error {winner['values']['val_error']:.4g}" in done.stdout.rpartition("winner")[2]
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")}
    assert after == before, "nothing is left in the folder of runs"
    other = search(tmp_path, *SEARCHED, "+study.search.seed=1", words[0])
    assert other.returncode == 1
    assert "error: the table has no " in other.stderr, "what no trial has asked for is not in it"
    other = search(tmp_path, "recipe.epochs=4", words[0])
    assert "it lacks recipe.epochs=4 (there is 1)" in other.stderr


@pytest.fixture(scope="module")
def table() -> Table:
    return made_up()


@pytest.mark.parametrize("pruner", sorted(config_files(CONF / "pruner")))
def test_a_simulated_search_comes_out_the_same_again(table: Table, pruner: str) -> None:
    seeds = {"prune_by": "seeds", "seeds": [0, 1]} if pruner == "wilcoxon" else {}
    once, again = (skipbench.simulate(table, trials=20, pruner=pruner, workers=2, seed=3, **seeds) for _ in range(2))
    assert once.equals(again)


def test_one_worker_takes_the_seconds_of_the_table_and_the_best_never_rises(table: Table) -> None:
    found = skipbench.simulate(table, trials=20, sampler="random", seed=3)
    done = found[found.state == "complete"]
    assert len(done) == 20
    assert done.cell.is_unique
    assert [*done.ended - done.started] == pytest.approx([*done.depth])
    assert found.ended.is_monotonic_increasing
    assert found.ended.iloc[-1] == pytest.approx(done.depth.sum())
    assert [*found.best] == [*found.val_error.cummin().ffill()]
    at = done.val_error.idxmin()
    assert found.best_test_error.iloc[-1] == pytest.approx(done.val_error[at] + 1.5), "the mean over seeds 0 and 1"
    assert found.shortcut[found.block == "plain"].isna().all()
    assert found.equals(skipbench.simulate(table, trials=20, sampler="random", seed=3))
    assert not found.equals(skipbench.simulate(table, trials=20, sampler="random", seed=4))


def test_the_trials_have_the_mean_of_their_seeds(table: Table) -> None:
    found = skipbench.simulate(table, trials=8, sampler="random", seeds=[0, 1])
    for _, row in found[found.state == "complete"].iterrows():
        last = table.cell({axis: row[axis] for axis in table.axes}).query(f"epoch == {EPOCHS}")
        assert row.val_error == pytest.approx(last.val_error.mean())
        assert row.ended - row.started == pytest.approx(last.seconds.sum())


def test_a_suggestion_is_made_when_a_worker_is_free_and_knows_only_what_has_ended(table: Table) -> None:
    known: dict[int, set[int]] = {}

    class Watching(optuna.samplers.RandomSampler):
        def before_trial(self, study: Any, trial: Any) -> None:
            ended = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
            known[trial.number] = {one.number for one in ended if one.user_attrs.get("state") == "complete"}
            super().before_trial(study, trial)

    found = skipbench.simulate(table, trials=18, sampler=Watching, workers=3).set_index("number").sort_index()
    known = {number: known[number] for number in found.index}  # the sampler was tried before, in a study of its own
    done = found[found.state == "complete"]
    for number, row in found.iterrows():
        assert known[number] == {k for k in done.index if done.ended[k] <= row.started and k != number}
    for _, own in done.groupby("worker"):
        assert (own.started.to_numpy()[1:] >= own.ended.to_numpy()[:-1]).all(), "one after the other"
    assert {*found.worker} == {0, 1, 2}
    busy = (done.ended - done.started).sum()
    assert busy / 3 <= found.ended.max() <= busy / 3 + max(DEPTHS), "no worker waits"


def test_a_pruned_trial_ends_at_the_epoch_that_ended_it(table: Table) -> None:
    pruner = optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2)
    found = skipbench.simulate(table, trials=24, sampler="random", pruner=pruner)
    pruned = found[found.state == "pruned"]
    assert len(pruned) > 3
    epochs = (pruned.ended - pruned.started) / pruned.depth * EPOCHS
    assert [*epochs] == pytest.approx([*epochs.round()])
    assert epochs.min() >= 2, "not in the warm-up"
    assert pruned.val_error.isna().all()
    assert found.ended.max() < skipbench.simulate(table, trials=24, sampler="random").ended.max()


@pytest.mark.parametrize("workers", [1, 3])
def test_trials_that_pause_take_the_seconds_of_their_epochs_once(table: Table, workers: int) -> None:
    halving, limits = Halving(factor=2), ["params <= 20_000"]  # which all keep; Optuna is told once of each trial
    found = skipbench.simulate(table, trials=16, sampler="random", pruner=halving, workers=workers, constraints=limits)
    assert found.number.is_unique
    trained = found[found.state != "repeated"]
    assert set(trained.state) == {"complete", "pruned"}
    assert len(trained) == 16
    complete = trained.state == "complete"
    assert 4 <= complete.sum() <= 8
    if workers == 1:  # what is pruned had one or two of four epochs
        least, most = ((trained.depth * complete.where(complete, share)).sum() for share in (0.25, 0.5))
        assert least <= found.ended.max() <= most


def test_what_breaks_a_constraint_takes_no_time_and_no_trial(table: Table) -> None:
    found = skipbench.simulate(table, trials=10, sampler="random", constraints=["params <= 14_000"])
    refused = found[found.state == "infeasible"]
    assert {*refused.depth} == {20}
    assert {*refused.cause} == {"not params <= 14000"}
    assert (refused.ended == refused.started).all()
    assert sum(found.state == "complete") == 10


def test_a_search_ends_when_all_points_were_tried(table: Table) -> None:
    found = skipbench.simulate(table, trials=1000, sampler="random", fixed={"block": "plain"})
    assert sum(found.state == "complete") == 12
    assert found.best.iloc[-1] == table.frame.query("block == 'plain' and seed == 0 and epoch == 4").val_error.min()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            {"space": {"block": ["plain", "highway"], "depth": [8]}, "fixed": {"recipe.lr": 0.1}},
            r"block=highway \(there",
        ),
        ({"space": {"block": ["plain"], "norm": ["batch"]}}, "it lacks axis norm"),
        (
            {"space": {"block": ["plain"], "depth": [8]}},
            "recipe.lr is neither in the space nor fixed: the table has 0.03",
        ),
        ({"space": {"block": BLOCKS}, "fixed": {"depth": 8, "recipe.lr": 1}}, "shortcut is neither in the space nor"),
        ({"space": {"recipe.lr": {"low": 0.03, "high": 1}}}, r"space\.recipe\.lr: the table has 0\.03, 0\.1, 0\.3, 1"),
        ({"fixed": {"depth": 9}}, r"it lacks depth=9 \(there is 8, 14, 20\)"),
        ({"fixed": {"data": "mnist"}}, r"it lacks data=mnist \(there is digits\)"),
        ({"fixed": {"norm": "batch"}}, "it lacks axis norm"),
        ({"seeds": [0, 7]}, "it lacks seed 7"),
        ({"sampler": "tpo"}, "no sampler 'tpo'; did you mean tpe"),
        ({"pruner": "medan"}, "no pruner 'medan'; did you mean median"),
        ({"objectives": ["test_error"]}, "would select on the test set"),
        ({"workers": 0}, "workers=0 must be a whole number"),
        ({"workers": 1.5}, "workers=1.5 must be a whole number"),
        ({"seedz": [0]}, "unknown field 'seedz'; did you mean seed"),
        ({"seeds": range(3)}, "it lacks seed 2"),
        ({"seeds": "range(3)"}, "it lacks seed 2"),
        ({"space": ["block"]}, r"space: \['block'\] is not a mapping"),
        ({"space": {}}, "block is neither in the space nor fixed"),
        ({"space": {"depth": {"low": 8, "high": 10**12}}}, "not every number between 8 and 1000000000000"),
        ({"space": {"depth": {"low": 8, "high": 20, "log": "false"}}}, "space.depth.log=false is neither true nor"),
        ({"fixed": ["block"]}, r"fixed: \['block'\] is not a mapping"),
        ({"known": {"block": "plain"}}, "known: 'block' is no point"),
        ({"known": [{"block": "plain"}]}, "known: a point does not say its depth"),
        ({"replicate": 3}, "search.replicate: 3 is not a mapping"),
        ({"objectives": []}, r"search.objectives=\[\] is not a list of different metrics"),
        ({"objectives": ["val_error", "-val_error"]}, "is not a list of different metrics"),
        ({"objectives": ["accuracy"]}, "'accuracy' is none of val_error, val_loss, params"),
        ({"objectives": ["val_loss"]}, "it lacks metric val_loss"),
        ({"sampler": optuna.samplers.RandomSampler()}, "neither the name of one nor what makes one of Optuna's"),
        ({"sampler": partial(AdditiveGP, n_startup_trials="x")}, "cannot search this space: TypeError: "),
        ({"pruner": None}, "pruner=None is neither the name of one nor one of Optuna's"),
        ({"pruner": "halving", "objectives": ["val_error", "macs"]}, "several objectives cannot be pruned"),
        ({"pruner": "halving", "prune_by": "seeds"}, "this pruner counts epochs"),
        ({"pruner": "halving", "objectives": ["macs"]}, "this pruner counts epochs"),
        ({"pruner": "wilcoxon", "seeds": [0, 1]}, "this pruner compares seeds: write prune_by: seeds"),
    ],
)
def test_what_the_table_does_not_have_is_named(table: Table, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        skipbench.simulate(table, **asked)


def test_a_range_with_steps_is_covered_by_its_values(table: Table) -> None:
    space = {"block": ["residual"], "shortcut": ["A"], "depth": {"low": 8, "high": 20, "step": 6}}
    found = skipbench.simulate(table, trials=3, space=space, fixed={"recipe.lr": 0.1}, sampler="random")
    assert {*found.depth} == {8, 14, 20}
    space["depth"] = {"low": 8, "high": 20, "step": 3}
    with pytest.raises(ValueError, match=r"it lacks depth=11,17 \(there are 8, 14, 20\)"):
        skipbench.simulate(table, space=space, fixed={"recipe.lr": 0.1})


def test_a_simulation_does_not_wait_for_torch(table: Table, tmp_path: Path) -> None:
    write_table(table, tmp_path / "t.csv")
    code = "import sys, skipbench; print(len(skipbench.simulate('t.csv', trials=9))); assert 'torch' not in sys.modules"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 9


def test_a_worker_that_finds_nothing_waits_for_what_can_go_on_later(table: Table) -> None:
    """The short trial pauses, and may go on when the long one has failed, whose worker stops then."""
    frame = table.frame[(table.frame.depth == 8) | (table.frame.epoch == 1)].copy()
    frame["status"] = ["failed" if depth == 20 else "finished" for depth in frame.depth]
    frame.loc[frame.depth == 20, "epoch"] = 0
    asked = read_search({"space": {"depth": [8, 20]}, "search": {"trials": 2}})
    source = TableSource(Table(frame, table.axes, table.about), asked.seeds, {})
    space = Space(asked.space, {"block": "plain", "recipe.lr": 0.1}, source.active)
    tuning = InMemory("t", asked, space, optuna.samplers.RandomSampler, Halving(min_epochs=2, factor=2), study="s")
    short, long = sorted(run([tuning], source, workers=2, patience=1), key=lambda trial: trial["point"]["depth"])
    assert (long["state"], short["state"]) == ("failed", "complete")
    assert long["worker"] != short["worker"]
    assert short["started"] == long["ended"] > 8 * 2 / EPOCHS, "after its pause"


def test_a_search_that_pauses_comes_out_the_same_on_what_it_has_trained(table: Table) -> None:
    asked = read_search({"space": {axis: about.values for axis, about in table.axes.items()}, "search": {"trials": 16}})

    def trials_on(one: Table) -> list[dict[str, Any]]:
        source = TableSource(one, asked.seeds, {})
        space = Space(asked.space, {}, source.active)
        return run([InMemory("t", asked, space, optuna.samplers.RandomSampler, Halving(factor=2), study="s")], source)

    found = trials_on(table)
    reached = {trial["cell"]: len(trial["reported"]) for trial in found if trial["state"] in ("complete", "pruned")}
    assert len({*reached.values()}) == 3, "some pause at each of the two rungs"
    frame = table.frame[table.frame.epoch <= table.frame.cell.map(reached).astype(float).fillna(0)].copy()
    frame["status"] = ["finished" if reached[cell] == EPOCHS else "pruned" for cell in frame.cell]
    assert trials_on(Table(frame, table.axes, table.about)) == found


def test_with_as_many_workers_as_trials_it_is_successive_halving(table: Table) -> None:
    found = skipbench.simulate(table, trials=16, sampler="random", pruner=Halving(factor=2), workers=16)
    assert sum(found.state == "complete") == 16 / 2 / 2
    assert found.trained.iloc[-1] == 16 * 1 + 8 * 1 + 4 * 2


def test_more_may_be_better(table: Table) -> None:
    """A metric of which more is better leads to the choices and the regrets of the error that it is made of."""
    frame = table.frame.rename(columns={"val_error": "val_r2", "test_error": "test_r2"})
    frame[["val_r2", "test_r2"]] = 1 - frame[["val_r2", "test_r2"]] / 100
    higher = Table(frame, table.axes, {**table.about, "judged": ["val_r2", "higher"]})
    asked = {"trials": 8, "sampler": "random", "seed": 1}
    found = [skipbench.simulate(one, **asked) for one in (table, higher)]
    assert [*found[0].cell] == [*found[1].cell]
    assert [*found[1].best] == pytest.approx([*found[0].best / 100 - 1])
    assert found[1].equals(skipbench.simulate(higher, **asked, objectives=["val_r2"])), "whichever sign is written"
    errors, others = (
        SearchResult.of(trials, one, objective, [3]).metrics
        for trials, one, objective in zip(found, (table, higher), ("val_error", "-val_r2"), strict=True)
    )
    for name in ("val_regret", "test_regret", "test_regret_3"):
        assert others[name] == pytest.approx(errors[name] / 100)


def test_a_run_has_the_epochs_of_its_own_cell(table: Table) -> None:
    """Where cells differ in their epochs, what was trained is counted, and rungs end at the last of each."""
    frame = table.frame[(table.frame.depth != 8) | (table.frame.epoch <= 2)]
    short = Table(frame, table.axes, table.about)
    found = skipbench.simulate(short, trials=36, sampler="random")
    done = found[found.state == "complete"]
    assert found.trained.iloc[-1] == sum(2 if depth == 8 else EPOCHS for depth in done.depth)
    assert {*skipbench.simulate(short, trials=9, pruner="halving").state} <= {"complete", "pruned", "repeated"}


def test_a_size_that_the_table_does_not_say_is_asked_for_by_constraints_alone(table: Table) -> None:
    frame = table.frame.copy()
    frame["params"] = pd.array([None] * len(frame), "Int64")
    unsaid = Table(frame, table.axes, table.about)
    assert sum(skipbench.simulate(unsaid, trials=5).state == "complete") == 5
    with pytest.raises(ValueError, match="the table does not say the params of"):
        skipbench.simulate(unsaid, constraints=["params <= 20_000"])


def test_the_defaults_are_those_of_a_study() -> None:
    """They are written where they are read: in the table of contents of conf/, in Python's help, for comparisons."""
    chosen = yaml.safe_load((CONF / "config.yaml").read_text())["defaults"]
    said = {group: name for one in chosen if isinstance(one, dict) for group, name in one.items()}
    in_python = {name: about.default for name, about in signature(skipbench.simulate).parameters.items()}
    for name, default in AXES.items():
        assert name == "table" or in_python[name] == default
        assert name not in ("sampler", "pruner") or said[name] == default


KNOWN = [
    {"block": "plain", "depth": 8, "recipe.lr": 0.1, "note": "what is no axis does not matter"},
    {"block": "residual", "shortcut": "A", "depth": 20, "recipe.lr": 0.3},
    {"block": "residual", "shortcut": "B", "depth": 8, "recipe.lr": 0.1},
]


def test_what_was_trained_before_is_told_to_the_sampler_and_uses_up_no_trial(table: Table) -> None:
    seen: list[list[optuna.trial.FrozenTrial]] = []

    class Watching(optuna.samplers.RandomSampler):
        def before_trial(self, study: Any, trial: Any) -> None:
            seen.append(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,)))
            super().before_trial(study, trial)

    known = [*KNOWN, KNOWN[0], {**KNOWN[0], "depth": 14}]
    space = {"block": BLOCKS, "shortcut": ["A", "B"], "depth": [8, 20], "recipe.lr": [0.1, 0.3]}
    asked = {"space": space, "constraints": ["params <= 20_000"], "seeds": [0, 1]}
    found = skipbench.simulate(table, trials=9, sampler=Watching, known=known, **asked)
    told = [{axis: value for axis, value in one.items() if axis != "note"} for one in KNOWN]
    begun = seen[3]  # the sampler was tried before, in a study of its own
    assert [one.params for one in begun] == told, "once each, and not what lies outside"
    assert all(len(one.intermediate_values) == EPOCHS for one in begun), "the pruner is told, too"
    trained = found[found.state == "complete"]
    assert len(trained) == 9 == 3 * 2 * 2 - 3
    assert found.number.min() == 3
    best = min(table.cell(one).query(f"epoch == {EPOCHS}").val_error.mean() for one in told)
    assert [*found.best] == [*found.val_error.cummin().ffill().fillna(best).clip(upper=best)]
    asked["constraints"] = ["params <= 15_000"]
    assert skipbench.simulate(table, trials=2, sampler="random", known=known, **asked).number.min() == 2

"""A table becomes the study that it is of: same verdicts, whatever its form; and never silently less than it holds."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablations.analysis.claim_schema import ClaimError
from ablations.analysis.results import result_rows
from ablations.analysis.verdicts import judge
from ablations.elsewhere.claims_file import QuestionError
from ablations.elsewhere.table import TableError
from ablations.report.csv_files import as_csv, runs_table
from tests.ablations.conftest import make_plan, make_records
from tests.ablations.elsewhere.asked import DROP, GAIN, study_of, table_text, values

DEEP, SHALLOW = {"block": "plain", "depth": 56}, {"block": "plain", "depth": 20}
RESIDUAL, PLAIN = {"block": "residual", "depth": 56}, [{"block": "plain", "depth": depth} for depth in (8, 20, 56)]
CLAIMS = [
    {"says": "Falls.", "metric": "train_error", "contrast": {"plus": DEEP, "minus": SHALLOW}, "expect": "> 0"},
    {"says": "Below 8.", "metric": "val_error", "cell": {"block": "residual", "depth": 8}, "expect": "< 8"},
    {"says": "Equal.", "metric": "val_error", "contrast": {"plus": SHALLOW, "minus": DEEP}, "expect": "within 0.5"},
    {"says": "Rising.", "metric": "test_error", "order": PLAIN, "expect": "increasing"},
    {"says": "Diverges.", "metric": "diverged", "cell": RESIDUAL, "expect": "> 0.1"},
    {"says": "Loss.", "metric": "train_loss", "contrast": {"plus": RESIDUAL, "minus": DEEP}, "expect": "> 0"},
    {"says": "Interacts.", "metric": "test_error", "expect": "> 0", "contrast": {
        "plus": {"plus": DEEP, "minus": SHALLOW},
        "minus": {"plus": {"block": "residual", "depth": 8}, "minus": {"block": "residual", "depth": 20}},
    }},
]  # fmt: skip


def trained(axes: dict[str, Any], seed: int) -> float | dict[str, Any]:
    """Errors with some noise; of residual-56 two seeds diverge, and of residual-20 the last one fails."""
    error = 3.0 + 0.1 * axes["depth"] * (axes["block"] == "plain") + math.sin(7 * seed + axes["depth"]) / 2
    if (axes["block"], axes["depth"]) == ("residual", 56) and seed in (1, 3):
        losses = dict.fromkeys(("train_loss", "val_loss", "test_loss"))
        return {"status": "diverged", "error": 90.0, "metrics": losses}
    if (axes["block"], axes["depth"], seed) == ("residual", 20, 4):
        return {"status": "failed", "cause": "oom"}
    return error


def jsonl(text: str) -> str:
    return "\n".join(json.dumps(row) for row in csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("seeds", [[0, 1, 2, 3, 4], {"from": 3, "most": 30}], ids=["fixed", "until decided"])
@pytest.mark.parametrize("form", [".csv", ".jsonl"])
def test_a_study_that_is_exported_and_judged_as_a_table_has_the_same_verdicts(
    tmp_path: Path, seeds: Any, form: str
) -> None:
    plan = make_plan(claims=CLAIMS, seeds=range(5))
    plan["study"]["seeds"] = seeds
    records = make_records(plan, trained)
    wanted = judge(plan, records, runs=tmp_path)
    text = as_csv(runs_table(result_rows(plan, records)))
    study = study_of(
        tmp_path, text if form == ".csv" else jsonl(text), f"t{form}", claims=CLAIMS, metrics=None, seeds=seeds
    )
    found = judge(study.plan, study.records)

    def facts(verdicts: list[Any]) -> list[Any]:
        return [
            (
                one.says,
                one.outcome,
                one.p,
                one.adjusted,
                one.level,
                one.n,
                one.diverged,
                one.effect and one.effect.values,
            )
            for one in verdicts
        ]

    assert facts(found) == facts(wanted)
    assert {one.outcome for one in found} >= {
        "supported",
        "contradicted",
        "no verdict" if isinstance(seeds, list) else "supported",
    }


def test_values_are_equal_however_they_are_written(tmp_path: Path) -> None:
    rows = ["model,lr,dropout,seed,accuracy"]
    for seed in ("0", "1.0", "2"):
        rows += [f"big,1e-3,True,{seed},0.9{seed[0]}", f"big,0.10,false,{seed},0.8{seed[0]}", f"big,,TRUE,{seed},0.5"]
    claim = GAIN | {"contrast": {"plus": {"lr": "1e-3", "dropout": True}, "minus": {"lr": "0.10", "dropout": "FALSE"}}}
    study = study_of(tmp_path, "\n".join(rows), claims=[claim])
    assert [cell["axes"] for cell in study.plan["cells"]] == [
        {"lr": 0.001, "dropout": True},
        {"lr": 0.1, "dropout": False},
        {"dropout": True},  # an axis without a value is not active
    ]
    assert judge(study.plan, study.records)[0].effect.mean == pytest.approx(0.1)
    assert study.plan["study"]["grid"] == [{"lr": [0.001, 0.1], "dropout": [False, True]}]


COMMITS = ["1234500", "12345e2", "0123456", "12e4567", "abcdef0"]


def test_names_that_look_like_numbers_stay_names(tmp_path: Path) -> None:
    rows = [
        "commit,seed,accuracy",
        *(f"{commit},{seed},0.{seed}" for commit in COMMITS for seed in "123"),
    ]
    claim = GAIN | {"contrast": {"plus": {"commit": "1234500"}, "minus": {"commit": "12345e2"}}}
    study = study_of(tmp_path, "\n".join(rows), claims=[claim])
    assert [cell["axes"]["commit"] for cell in study.plan["cells"]] == COMMITS


def test_numbers_of_a_claims_file_are_those_of_hydra(tmp_path: Path) -> None:
    from ablations.elsewhere.claims_file import read_claims_file

    file = tmp_path / "claims.yaml"
    file.write_text(
        yaml.safe_dump({"claims": [GAIN]}) + "metrics: {a: higher}\nquestion: [1e-3, 0123, 1:30, 12, 0.5, 2026-01-01]\n"
    )
    assert read_claims_file(str(file))["question"] == [0.001, "0123", "1:30", 12, 0.5, "2026-01-01"]


@pytest.mark.parametrize("word", ["nan", "NaN", "inf", "-Infinity"])
@pytest.mark.parametrize(("side", "expect"), [("higher", "> 0"), ("lower", "< 0")])
def test_a_run_that_is_not_finite_has_diverged_and_loses(tmp_path: Path, word: str, side: str, expect: str) -> None:
    better = [value if side == "higher" else -value for value in (0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97)]
    worse = [value - 0.1 if side == "higher" else value + 0.1 for value in better]
    whole = study_of(
        tmp_path, table_text(worse, better), claims=[GAIN | {"expect": expect}], metrics={"accuracy": side}
    )
    text = table_text(worse, [word] * 8)
    broken = study_of(tmp_path, text, claims=[GAIN | {"expect": expect}], metrics={"accuracy": side})
    assert {record["status"] for name, record in values(broken).items() if name.startswith("drop")} == {"diverged"}
    (good,), (bad,) = judge(whole.plan, whole.records), judge(broken.plan, broken.records)
    assert good.outcome == "supported"
    assert bad.outcome != "supported"
    assert bad.diverged == 8
    assert bad.p > 0.5


def test_what_is_empty_is_named_and_not_left_out(tmp_path: Path) -> None:
    study = study_of(tmp_path, table_text(drop=[0.92, "", 0.93, 0.94]))
    (verdict,) = judge(study.plan, study.records)
    assert verdict.outcome == "no verdict"
    assert verdict.reason == "accuracy was not measured in drop-s1 (line 7) (finished)"


WANDB = """\
"Name","State","Notes","User","Tags","Created","Runtime","optimizer.lr","seed","val/acc"
"drop-0","finished","-","me","","2026-05-01T10:00:00.000Z","61","0.1","0","0.92"
"drop-1","finished","","me","","2026-05-01T10:00:00.000Z","61","0.1","1","0.93"
"drop-2","crashed","","me","","2026-05-01T10:00:00.000Z","3","0.1","2",""
"drop-2b","finished","","me","","2026-05-01T10:00:00.000Z","61","0.1","2","0.925"
"drop-3","finished","","me","","2026-05-01T10:00:00.000Z","61","0.1","3","NaN"
"drop-4","running","","me","","2026-05-01T10:00:00.000Z","9","0.1","4",""
"base-0","finished","","me","","2026-05-01T10:00:00.000Z","61","0.01","0","0.90"
"base-1","finished","","me","","2026-05-01T10:00:00.000Z","61","0.01","1","0.91"
"base-2","finished","","me","","2026-05-01T10:00:00.000Z","61","0.01","2","0.905"
"base-3","killed","","me","","2026-05-01T10:00:00.000Z","5","0.01","3",""
"base-4","finished","","me","","2026-05-01T10:00:00.000Z","61","0.01","4","0.907"
"""


def test_an_export_of_wandb_is_understood(tmp_path: Path) -> None:
    claim = GAIN | {"metric": "val/acc", "contrast": {"plus": {"optimizer.lr": 0.1}, "minus": {"optimizer.lr": 0.01}}}
    study = study_of(tmp_path, WANDB, claims=[claim], metrics={"val/acc": "higher"})
    assert {name: record["status"] for name, record in values(study).items()} == {
        **dict.fromkeys(("0.1-s0", "0.1-s1", "0.1-s2", "0.01-s0", "0.01-s1", "0.01-s2", "0.01-s4"), "finished"),
        "0.1-s3": "diverged",
        "0.01-s3": "failed",
    }
    assert [note.split(": ", 1)[1] for note in study.notes] == [
        "9 runs in 2 cells (optimizer.lr), 4 to 5 seeds each",
        "1 failed and repeated (line 4)",
        "1 not finished yet (line 7)",
        "Name, Notes, User, Tags, Created, Runtime",
    ]
    (verdict,) = judge(study.plan, study.records)
    assert (verdict.n, verdict.diverged) == (3, 0), "the failed seed 3 is waited for, and named"
    assert "0.01-s3 (line 11)" in verdict.reason


def test_a_run_in_progress_is_waited_for_so_that_the_fastest_do_not_decide(tmp_path: Path) -> None:
    done = [f"{line},finished" for line in table_text().splitlines()[1:]]
    for late, n in (("drop,3", 3), ("drop,1", 0)):
        rows = [f"{late},,running" if line.startswith(late) else line for line in done]
        study = study_of(tmp_path, "\n".join(["model,seed,accuracy,status", *rows]))
        assert judge(study.plan, study.records)[0].n == n, "a seed counts if all before it are there"


def test_seeds_can_be_names(tmp_path: Path) -> None:
    text = table_text().replace(",0,", ",ann,").replace(",1,", ",bob,").replace(",2,", ",cid,").replace(",3,", ",dee,")
    by_name, by_number = study_of(tmp_path, text), study_of(tmp_path)
    found, wanted = judge(by_name.plan, by_name.records)[0], judge(by_number.plan, by_number.records)[0]
    assert (found.p, found.n) == (wanted.p, 4)


def test_a_fixed_design_is_judged_when_all_its_runs_are_there(tmp_path: Path) -> None:
    seeds = [0, 1, 2, 3]
    assert judge(*parts(study_of(tmp_path, seeds=seeds)))[0].outcome == "supported"
    short = study_of(tmp_path, table_text(drop=DROP[:3]), seeds=seeds)
    assert judge(*parts(short))[0].outcome == "no verdict"
    more = study_of(tmp_path, table_text((*DROP, 0.1), (*DROP, 0.1)), seeds=seeds)
    assert "left out: 2 of a seed outside of the design (line 6, 11)" in more.notes


def parts(study: Any) -> tuple[Any, Any]:
    return study.plan, study.records


def test_only_pairs_count_towards_the_end_of_looking(tmp_path: Path) -> None:
    study = study_of(tmp_path, table_text([0.9, 0.91, 0.92, 0.93] * 3, DROP), seeds={"from": 3, "most": 4})
    assert judge(study.plan, study.records)[0].n == 4


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("model,run_seed,accuracy\na,0,1\n", {}, "no column seed; did you mean run_seed? its columns are model, run_seed"),
    ("model,run_seed,accuracy\na,0,1\n", {}, "runs of equal seed are pairs"),
    ("model,seed,acuracy\na,0,1\n", {}, "runs.csv has no column accuracy; did you mean acuracy?"),
    ("modell,seed,accuracy\na,0,1\n", {}, "runs.csv has no column model; did you mean modell?"),
    ("model,seed,accuracy\na,0,1\nb,,1\n", {}, "runs.csv, line 3: seed is empty; runs of equal seed are pairs"),
    ("model,seed,accuracy\na,0,1\nb,1,91%\n", {}, "line 3: accuracy is '91%', not a number like 0.95, or nan"),
    ('model;seed;accuracy\na;0;"0,91"\n', {}, "line 2: accuracy is '0,91', not a number"),
    ("model,seed,accuracy,state\na,0,1,finishd\n", {}, "line 2: state is 'finishd'; did you mean finished? known are"),
    ("model,seed,accuracy,lr\na,0,1,1\na,0,2,2\n", {}, "csv, line 3: model=a, seed=0 is in line 2 already; if it is"),
    ("model,seed,accuracy,lr\na,0,1,1\na,0,2,2\n", {}, "as in `columns: {axes: [model, lr]}`; they differ in lr"),
    ("model,seed,accuracy\na,0,1\na,0,1\n", {}, "model=a, seed=0 is in line 2 already; keep one of them"),
    (table_text(), {"metrics": None}, "which side of accuracy is better? write `metrics: {accuracy: higher}`"),
    (table_text(), {"metrics": {"accuracy": "up"}}, "metric accuracy: say which side is better: higher, lower, none"),
    (table_text(), {"seeds": {"from": 3, "most": 3}}, "'Dropout helps.' has 4 seeds, and looking ends at 3; `seeds: {"),
    (table_text(), {"seeds": 5}, "seeds is {from: 3, most: 30}, or a list of at least three; not 5"),
    (table_text(), {"seeds": {"from": 2, "most": 9}}, "seeds is {from: 3, most: 30}, or a list"),
    (table_text(), {"claims": None}, "claims.yaml: has no claims; it takes question, claims, metrics, columns, seeds"),
    (table_text(), {"claims": "x"}, "claims is written claims: [{says: Dropout helps., metric: accuracy, …}], not 'x'"),
    (table_text(), {"colums": {}}, "unknown field 'colums'; did you mean columns?"),
    (table_text(), {"columns": {"sed": "seed"}}, "'sed'; did you mean seed? columns takes seed, status, axes"),
    (table_text(), {"columns": {"axes": ["seed"]}}, "claims name model, which is not one of the axes seed"),
    (table_text(), {"claims": [GAIN | {"expect": "up"}]}, "expect is"),
    (table_text(), {"claims": [GAIN | {"metric": "accuracy@best"}]}, "no column accuracy@best; did you mean accuracy?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "asked", "says"), WRONG)
def test_what_is_wrong_is_one_sentence_with_the_nearest_choice(
    tmp_path: Path, text: str, asked: dict[str, Any], says: str
) -> None:
    with pytest.raises((TableError, QuestionError, ClaimError)) as raised:
        study_of(tmp_path, text, **asked)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_value_that_no_run_has_is_open_and_says_which_there_are(tmp_path: Path) -> None:
    claim = GAIN | {"contrast": {"plus": {"model": "dorp"}, "minus": {"model": "base"}}}
    (verdict,) = judge(*parts(study_of(tmp_path, claims=[claim])))
    assert (verdict.outcome, verdict.reason) == (
        "no verdict",
        "no such cell in this study: model=dorp; model is base, drop",
    )


def test_runs_without_a_partner_are_counted_aloud(tmp_path: Path) -> None:
    lone = "'Dropout helps.': seeds left out, for want of a run in every cell: 2"
    longer = study_of(tmp_path, table_text(drop=(*DROP, 0.5, 0.4)))
    assert lone in longer.notes
    assert not [note for note in study_of(tmp_path).notes if "for want" in note]

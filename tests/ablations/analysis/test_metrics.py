"""A metric is read from the right file; a diverged run counts; what was not measured is None."""

from __future__ import annotations

import math

import pytest

from ablations.analysis.metrics import MetricError, read_metric
from ablations.records.task_metrics import judged_by, of_all, task_metrics

CURVE = "epoch,lr,train_loss,train_error,val_error\n1,.1,2,60,70\n2,.1,.5,20,30\n3,.1,.1,4,35\n4,.1,.2,5,\n"
BROKEN = "epoch,lr,train_loss,train_error\n1,.1,2,60\n2,.1,nan,90\n"
RECORD = {
    "folder": "run",
    "status": "finished",
    "metrics": {"train_error": 5.0, "train_loss": 0.2, "test_error": 9.0, "lesion_mean": 4.5, "proxy_synflow": 1e40},
    "params": 10,
    "macs": 20,
    "seconds": 1.5,
    "epochs": 4,
}
DIVERGED = RECORD | {"status": "diverged", "metrics": {"train_error": 90.0, "train_loss": None, "proxy_snip": 3.0}}


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "curve.csv").write_text(CURVE)
    (tmp_path / "run" / "diagnostics.csv").write_text(
        "epoch,gradient_ratio,response,dead_units\n1,3,1,0.5\n3,7,nan,nan\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("train_error", 5.0),
        ("val_loss", None),
        ("train_error@best", 4.0),
        ("val_error@best", 30.0),
        ("train_error@2", 20.0),
        ("train_error@9", None),
        ("val_error@4", None),
        ("val_loss@best", None),
        ("epochs until train_error <= 20", 2.0),
        ("epochs until train_error < 20", 3.0),
        ("epochs until train_loss <= 0.01", math.inf),
        ("epochs until val_loss <= 1", None),
        ("lesion_mean", 4.5),
        ("lesion_max", None),
        ("proxy_synflow", 1e40),
        ("log10 proxy_synflow", 40.0),
        ("proxy_snip", None),
        ("diverged", 0.0),
        ("params", 10),
        ("macs", 20),
        ("seconds", 1.5),
        ("diagnostics.gradient_ratio", 7.0),
        ("diagnostics.gradient_ratio@1", 3.0),
        ("diagnostics.gradient_ratio@4", None),
        ("diagnostics.response", math.inf),
        ("log10 diagnostics.gradient_ratio", math.log10(7)),
        ("log10 diagnostics.response", math.inf),
        ("log10 train_loss", math.log10(0.2)),
        ("diagnostics.dead_units", 0.5),
        ("diagnostics.response.block_03", None),
    ],
)
def test_a_finished_run(text, value, runs):
    assert read_metric(text).value(RECORD, runs) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("train_error", 100.0),
        ("test_error", 100.0),
        ("train_loss", math.inf),
        ("proxy_snip", 3.0),
        ("log10 train_loss", math.inf),
        ("val_nll", math.inf),
        ("val_ece", 100.0),
        ("lesion_mean", 100.0),
        ("diverged", 1.0),
        ("train_error@best", 100.0),
        ("train_loss@best", math.inf),
        ("train_loss@1", 2.0),
        ("train_loss@2", math.inf),
        ("train_error@2", 90.0),
        ("train_error@5", 100.0),
        ("train_loss@5", math.inf),
        ("epochs until train_error <= 60", math.inf),
        ("seconds", math.inf),
        ("epochs", math.inf),
        ("images_per_second", 0.0),
        ("params", 10),
        ("diagnostics.gradient_ratio@4", 7.0),
    ],
)
def test_a_diverged_run_loses_wherever_one_side_is_better(text, value, runs):
    (runs / "run" / "curve.csv").write_text(BROKEN)
    assert read_metric(text).value(DIVERGED, runs) == value


DECLARED = {"f1": {"better": "higher", "low": 0, "high": 1}, "regret": "lower", "reward": "higher", "angle": "none"}


@pytest.mark.parametrize(
    ("name", "diverged"), [("f1", 0.0), ("regret", math.inf), ("reward", -math.inf), ("angle", 0.5)]
)
def test_a_metric_that_a_study_declares_knows_its_worst_value(name, diverged, tmp_path):
    metric = read_metric(name, DECLARED)
    record = RECORD | {"metrics": {name: 0.5}}
    assert metric.value(record, tmp_path) == 0.5
    assert metric.value(record | {"status": "diverged"}, tmp_path) == diverged


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ("bigger", "say which side is better: higher, lower, none"),
        ({"low": 0}, "say which side is better"),
        ({"better": "higher", "odd": 1}, "say which side is better"),
        ({"better": "higher", "low": "a", "high": 1}, "low and high are numbers, not 'a' and 1"),
        ({"better": "higher", "low": 1, "high": 1}, "low .1. lies below high .1."),
    ],
)
def test_a_metric_that_is_declared_badly_is_refused(about, words):
    with pytest.raises(MetricError, match=words):
        read_metric("f1", {"f1": about})


def test_without_the_files_nothing_was_measured(tmp_path):
    for text in ("train_error@best", "epochs until train_error <= 5", "diagnostics.gradient_ratio"):
        assert read_metric(text).value(RECORD, tmp_path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("test_loss@3", "measured once"),
        ("train_eror@best", "did you mean train_error"),
        ("train_error@0", "an epoch from 1"),
        ("train_error@last", "best or an epoch"),
        ("epochs until params < 3", "no params along the epochs; there are train_loss"),
        ("diagnostics.response@best", "give an epoch"),
        ("diagnostics.gradnorm_ratio", "did you mean gradient_ratio"),
        ("test_eror", "did you mean test_error"),
        ("log10 train_error", "a loss, a time or a diagnostic"),
        ("log10 proxy_jacob_cov", "a loss, a time or a diagnostic"),
        ("log10 params", "a loss, a time or a diagnostic"),
        ("accuracy", "epochs until train_error <= 5"),
    ],
)
def test_what_nobody_records_is_refused(text, words):
    with pytest.raises(MetricError, match=words):
        read_metric(text)


def test_units():
    named = ("train_error@best", "train_loss", "seconds", "epochs until train_error < 5", "params")
    assert [read_metric(text).unit for text in named] == [" points", "", " s", " epochs", ""]


TASK = {
    "val_r2": {"better": "higher", "along": True},
    "val_hamming": {"better": "lower", "unit": "percent", "low": 0, "high": 100, "along": True},
    "test_r2": {"better": "higher"},
}


def test_a_metric_of_a_task_has_its_epochs_and_the_best_is_on_its_better_side(tmp_path):
    folder = tmp_path / RECORD["folder"]
    folder.mkdir(parents=True)
    (folder / "curve.csv").write_text("epoch,val_r2,val_hamming\n1,0.2,30\n2,0.7,40\n3,0.5,20\n")

    def value(text):
        return read_metric(text, TASK).value(RECORD, tmp_path)

    assert (value("val_r2@best"), value("val_hamming@best"), value("val_r2@1")) == (0.7, 20, 0.2)
    assert value("epochs until val_r2 >= 0.5") == 2
    assert value("epochs until val_r2 > 0.9") == math.inf
    until = read_metric("epochs until val_r2 >= 0.5", TASK)
    assert (until.better, until.unit) == (-1, " epochs"), "sooner is better, whichever side of the metric is"
    assert value("val_r2") is None, "the end of the run is the record's to say"


def test_the_test_set_of_a_task_has_no_epochs():
    with pytest.raises(MetricError, match="measured once"):
        read_metric("test_r2@2", TASK)
    with pytest.raises(MetricError, match=r"no metric 'val_r3'; did you mean val_r2"):
        read_metric("val_r3", TASK)


def test_a_metric_in_percent_is_in_points_and_bounded():
    metric = read_metric("val_hamming", TASK)
    assert (metric.unit, metric.bounds, metric.better) == (" points", (0.0, 100.0), -1)


def test_the_config_of_a_run_says_what_its_task_reports_and_is_judged_by():
    mine = {"better": "higher", "unit": "percent", "function": {"_target_": "mine.f"}}
    task = {"judged": "mse", "metrics": {"mse": {"better": "lower"}}, "further": {"mine": mine}}
    config = {"recipe": {"task": task}}
    declared = task_metrics(config)
    assert set(declared) == {f"{part}_{name}" for part in ("train", "val", "test") for name in ("mse", "mine")}
    assert declared["val_mine"] == {"better": "higher", "unit": "percent", "along": True}
    assert "along" not in declared["test_mine"]
    assert judged_by(config) == ("val_mse", "lower")
    assert judged_by({"recipe": {"task": {"further": {"mine": mine}}}}) == judged_by({}) == ("val_error", "lower")
    assert of_all([config, {}])[1] is None, "runs of different tasks are not compared"
    task["metrics"]["mse"]["whole"] = True
    assert "train_mse" not in task_metrics(config)

"""A metric is read from the right file; a diverged run counts; what was not measured is None."""

from __future__ import annotations

import math

import pytest

from ablations.analysis.metrics import MetricError, read_metric

CURVE = "epoch,lr,train_loss,train_error,val_error\n1,.1,2,60,70\n2,.1,.5,20,30\n3,.1,.1,4,35\n4,.1,.2,5,\n"
BROKEN = "epoch,lr,train_loss,train_error\n1,.1,2,60\n2,.1,nan,90\n"
RECORD = {
    "folder": "run",
    "status": "finished",
    "metrics": {"train_error": 5.0, "train_loss": 0.2, "test_error": 9.0, "lesion_mean": 4.5},
    "params": 10,
    "macs": 20,
    "seconds": 1.5,
    "epochs": 4,
}
DIVERGED = RECORD | {"status": "diverged", "metrics": {"train_error": 90.0, "train_loss": None}}


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

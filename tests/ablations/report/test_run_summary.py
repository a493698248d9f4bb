"""The end of a single run is told whatever its cause holds."""

from pathlib import Path

import pytest

from ablations.report.run_summary import print_run
from tests.ablations.records.test_record import WHOLE


def test_a_cause_is_text_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    record = {**WHOLE, "status": "failed", "cause": "error: [/red] [bold]x", "metrics": {}, "seconds": 0.0}
    print_run(record, Path("runs/plain"))
    assert "error: [/red] [bold]x" in " ".join(capsys.readouterr().out.split())


def test_a_path_can_be_copied_from_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    folder = Path("/somewhere/far/away/from/here/runs/plain-batch-d8-s0-01234567")
    record = {**WHOLE, "status": "failed", "cause": "nan", "metrics": {}, "seconds": 0.0, "epochs": 1}
    print_run(record, folder)
    out = capsys.readouterr().out
    assert f"{folder}/record.json\n" in out
    assert f"{folder}/traceback.txt\n" in out
    assert "1 epoch in" in " ".join(out.split())


def test_proxies_are_shown_and_where_they_were_asked_for_in_vain_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = {"val_error": 3.0, "proxy_synflow": 1.25e40, "proxy_naswot": None}
    print_run({**WHOLE, "seconds": 1.0, "metrics": metrics}, Path("runs/plain"), proxies=True)
    out = capsys.readouterr().out
    assert "proxies   synflow 1.25e+40\n" in out
    assert "it has no numbers of proxies=true" not in out
    print_run({**WHOLE, "seconds": 1.0, "metrics": {"val_error": 3.0}}, Path("runs/plain"), proxies=True)
    assert "it has no numbers of proxies=true; with retrain=true" in " ".join(capsys.readouterr().out.split())


def test_so_are_the_numbers_of_stress(capsys: pytest.CaptureFixture[str]) -> None:
    print_run(
        {**WHOLE, "seconds": 1.0, "metrics": {"stress_rate": 4.0, "stress_gain": 1.54321}}, Path("x"), stress=True
    )
    out = capsys.readouterr().out
    assert "stress    rate 4, gain 1.543\n" in out
    assert "it has no" not in out
    print_run({**WHOLE, "seconds": 1.0, "metrics": {"val_error": 3.0}}, Path("x"), stress=True)
    assert "it has no numbers of stress=true; with retrain=true" in " ".join(capsys.readouterr().out.split())


def test_a_longer_run_says_what_it_went_on_from(capsys: pytest.CaptureFixture[str]) -> None:
    print_run({**WHOLE, "seconds": 1.0, "metrics": {}, "continued": "shorter-s0-01234567"}, Path("runs/longer"))
    assert "went on   from runs/shorter-s0-01234567\n" in capsys.readouterr().out

"""The end of a single run is told whatever its cause holds."""

from pathlib import Path

import pytest

from ablations.single import print_run
from tests.ablations.test_records import WHOLE


def test_a_cause_is_text_not_markup(capsys: pytest.CaptureFixture[str]) -> None:
    record = {**WHOLE, "status": "failed", "cause": "error: [/red] [bold]x", "metrics": {}, "seconds": 0.0}
    print_run(record, Path("runs/plain"))
    assert "error: [/red] [bold]x" in " ".join(capsys.readouterr().out.split())

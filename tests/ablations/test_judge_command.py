"""`python -m ablations judge`: the sentences and the page of `verdict`, JSON for programs, and an exit status."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ablations.__main__ import main
from tests.ablations.elsewhere.asked import BASE, DROP, GAIN, table_text, written
from tests.pages import TEXTS

ROOT = Path(__file__).parents[2]
LOSS = GAIN | {"says": "It hurts.", "expect": "< 0"}
HUGE = GAIN | {"says": "Nobody knows.", "expect": "> 0.018"}


@pytest.fixture
def judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """judged(claims, options…): status, standard output and errors."""

    def call(*options: str, text: str = "", **asked: Any) -> tuple[int, str, str]:
        status = main(["judge", *written(tmp_path, text, **asked), *options])
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.mark.parametrize(
    ("claims", "status"),
    [([GAIN], 0), ([GAIN, GAIN], 0), ([HUGE], 3), ([GAIN, HUGE], 3), ([LOSS], 4), ([GAIN, LOSS, HUGE], 4)],
)
def test_the_exit_status_says_what_the_verdicts_say(judged: Any, claims: list[Any], status: int) -> None:
    found, out, err = judged(claims=claims)
    assert (found, err) == (status, "")
    assert all(claim["says"] in out for claim in claims)
    found, out, _ = judged("--json", claims=claims)
    assert (found, json.loads(out)["exit"]) == (status, status)


def test_bad_input_is_one_sentence_and_1_and_bad_usage_2(judged: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for status, out, err in (judged(text="model,seed\na,0\n"), judged(claims=None), judged(text="model\n")):
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert err.startswith("error: ")
    for words in ([], ["one"], ["a", "b", "--what"]):
        with pytest.raises(SystemExit) as stopped:
            main(["judge", *words])
        assert stopped.value.code == 2
        assert re.fullmatch(
            r"error: .*; python -m ablations judge --help says what is allowed\n", capsys.readouterr().err
        )


def no_constant(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def test_json_is_strict_and_has_the_fields_of_the_page(judged: Any) -> None:
    for text in (table_text(), table_text(drop=["nan"] * 4), table_text(BASE[:1], DROP[:1])):
        _, out, _ = judged("--json", text=text, claims=[GAIN, HUGE])
        found = json.loads(out, parse_constant=no_constant)
        _, _, part = TEXTS["docs/judging-other-results.md"].partition("## For programs")
        rows = re.findall(r"^\| `([\w.]+)` \|", part, re.MULTILINE)
        assert [*found, *(f"verdicts.{key}" for key in found["verdicts"][0])] == rows
    (first, second) = json.loads(judged("--json", claims=[GAIN, HUGE])[1])["verdicts"]
    assert (first["outcome"], first["n"], first["horizon"], first["more_seeds"]) == ("supported", 4, 30, None)
    assert first["p"] <= first["level"]
    assert first["cells"] == [{"model": "drop"}, {"model": "base"}]
    assert second["outcome"] == "inconclusive"
    assert second["p"] > second["level"]


def test_the_page_is_that_of_a_study(judged: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablations.html.page.javascript", lambda: "// vega")
    status, out, _ = judged("--html", str(tmp_path / "page.html"), question="Does dropout help?", claims=[GAIN, HUGE])
    assert (status, out.splitlines()[-1]) == (3, str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert "Does dropout help?" in page
    assert "Dropout helps." in page
    assert "python -m ablations judge" in page
    assert "run.py" not in page.partition("<script")[0], "nothing here can train these runs"
    row = page.partition("<td>drop</td>")[2].partition("</tr>")[0]
    assert "0.9233" in row, "the metric that the claims are about has a column"


def test_nothing_that_cannot_be_trained_here_is_advised(judged: Any) -> None:
    _, out, _ = judged(claims=[HUGE])
    assert "more seed" in out
    assert "python" not in out


def test_a_budget_makes_each_further_question_harder(judged: Any, tmp_path: Path) -> None:
    budget = ["--json", "--budget", str(tmp_path / "b" / "budget.json")]
    levels = []
    for k in range(6):
        found = json.loads(judged(*budget, claims=[GAIN | {"expect": f"> 0.00{k}1"}])[1])
        assert found["budget"]["question"] == k + 1
        levels.append(found["verdicts"][0]["level"])
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] < levels[0] / 20
    out = judged("--budget", budget[-1])[1]
    assert "question 7 of" in out
    assert "asked again" in judged("--budget", budget[-1])[1]


def test_ten_thousand_runs_are_judged_without_what_is_slow(tmp_path: Path) -> None:
    cells = [(model, lr) for model in range(50) for lr in range(10)]
    lines = [f"m{m},{lr},{s},{0.9 + m / 1e3 + (s * 7 % 5) / 1e3}" for m, lr in cells for s in range(20)]
    claim = GAIN | {"contrast": {"plus": {"model": "m49", "lr": 1}, "minus": {"model": "m0", "lr": 1}}}
    files = written(tmp_path, "\n".join(["model,lr,seed,accuracy", *lines]), claims=[claim])
    code = (
        f"import sys; from ablations.__main__ import main; status = main(['judge', *{files!r}]); "
        "print(status, {'torch', 'pandas', 'statsmodels', 'optuna', 'wandb', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
    assert "10000 runs in 500 cells (lr, model), 20 seeds each" in done.stdout

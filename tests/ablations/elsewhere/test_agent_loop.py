"""A loop of edits that do nothing keeps one in at most 5% of loops; what is simulated is what `judge` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ablations.analysis.claim_schema import check_claims
from ablations.analysis.looking import t_critical
from ablations.analysis.verdicts import judge
from ablations.elsewhere.as_json import exit_status
from ablations.elsewhere.budget import level_of, share_of
from ablations.elsewhere.study import table_study
from ablations.elsewhere.table import Row, Table
from benchmarks import agent_loop
from tests.ablations.elsewhere.asked import GAIN, study_of, table_text


@pytest.mark.parametrize("noise", agent_loop.NOISES)
@pytest.mark.parametrize("fresh", [False, True])
def test_a_loop_with_a_budget_keeps_nothing_that_does_nothing(noise: str, fresh: bool) -> None:
    rules, draw = agent_loop.RULES, agent_loop.NOISES[noise]
    found = agent_loop.loops(400, 60, rules["with the budget"], draw, fresh=fresh, seed=1)
    assert (found.kept > 0).mean() <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
    naive = agent_loop.loops(100, 60, rules["p < 0.05, two-sided, after each seed"], draw, seed=1)
    assert (naive.kept > 0).mean() > 0.4


@pytest.mark.parametrize("digits", [12, 2], ids=["fine", "counted"])
def test_the_simulation_is_what_judge_does(tmp_path: Path, digits: int) -> None:
    """Ten edits, of which some help, judged by the real code through tables and a ledger."""
    rng = np.random.default_rng(4)
    there, outcomes = rng.normal(0, 0.1, agent_loop.MOST).round(digits), []
    for number in range(1, 11):
        gain = (0.0, 0.3, -0.5, 0.0, 2.0)[number % 5]
        edit = (rng.normal(0, 0.1, agent_loop.MOST) + gain).round(digits)
        critical = t_critical(level_of(number), agent_loop.MOST)
        (took,), (better,) = agent_loop.first_look(edit[None], there[None], critical)
        seeds, status = real(tmp_path, number, edit, there)
        assert (seeds, status == 0) == (took, better)
        outcomes.append(status)
    assert {*outcomes} == {0, 3, 4}


def test_equal_gains_do_not_show_that_there_is_no_spread(tmp_path: Path) -> None:
    """An accuracy on 100 images can rise by three images in all of three seeds by chance; a fine number cannot."""
    counted = study_of(tmp_path, table_text((0.90, 0.93, 0.95), (0.93, 0.96, 0.98)))
    fine = study_of(tmp_path, table_text((0.90, 0.93, 0.95), (0.93001, 0.96002, 0.98003)))
    assert judge(counted.plan, counted.records)[0].p > 1e-3
    assert judge(fine.plan, fine.records)[0].p < 1e-4


def real(folder: Path, number: int, edit: np.ndarray, there: np.ndarray) -> tuple[int, int]:
    """Judge after each seed until the edit is decided; return the seeds and the exit status."""
    contrast = {"plus": {"edit": f"e{number}"}, "minus": {"edit": "there"}}
    asked = {"claims": [GAIN | {"contrast": contrast}], "metrics": {"accuracy": "higher"}, "columns": {}}
    asked["seeds"] = {"from": agent_loop.FIRST, "most": agent_loop.MOST}
    assert check_claims(asked)
    rows: list[Row] = []
    for seed in range(agent_loop.MOST):
        for name, values in ((f"e{number}", edit), ("there", there)):
            rows.append(Row(len(rows), {"edit": name, "seed": seed, "accuracy": repr(float(values[seed]))}))
        if seed + 1 < agent_loop.FIRST:
            continue
        study = table_study(Table("runs", "row", ("edit", "seed", "accuracy"), tuple(rows)), asked, command="")
        share = share_of(study.plan, study.records, folder / "budget.json")
        assert share.number == number
        study.plan["study"]["level"] = share.level
        status = exit_status(judge(study.plan, study.records))
        if status != 3:
            return seed + 1, status
    return agent_loop.MOST, 3

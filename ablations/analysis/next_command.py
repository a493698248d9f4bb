"""Build the shell command that trains what a study lacks, or seeds until its claims are decided."""

from __future__ import annotations

import re
import shlex

from ablations.analysis.results import Plan
from ablations.question.seeds import UNTIL_DECIDED
from ablations.records.typed_command import STARTS

NOT_REPEATED = ("plan=", "retry=", "workers=")  # settings of one call, not of the study


def training_command(plan: Plan) -> str:
    """The command that trains what the plan lacks, quoted for the shell, without NOT_REPEATED settings.

    A recorded command that does not start `run.py` or `skipbench` is never suggested: a copied record may hold any.
    """
    command = plan.get("command") or ""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    if not any(words[: len(start)] == start for start in (*STARTS, ["python", "-m", "ablations", "judge"])):
        words = ["python", "run.py", "-m", f"study={plan['name']}"]
    return shlex.join(word for word in words if not word.startswith(NOT_REPEATED))


def until_decided(plan: Plan, *, retry: bool = False) -> str:
    """The command that adds seeds to the cells of open claims until these are decided; `retry`: failed runs too."""
    failed = " retry=failed" * retry
    if not isinstance(plan["study"].get("seeds"), list):
        return training_command(plan) + failed
    plain = re.sub(r"\s(?:'seed=[^']*'|\"seed=[^\"]*\"|seed=\S+)", "", training_command(plan))
    return f"{plain} seed={UNTIL_DECIDED}{failed}"

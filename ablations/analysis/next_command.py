"""Build the shell command that trains what a study lacks, or more seeds."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ablations.analysis.results import Plan

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
    if words[:2] != ["python", "run.py"] and words[:1] != ["skipbench"]:
        words = ["python", "run.py", "-m", f"study={plan['name']}"]
    return shlex.join(word for word in words if not word.startswith(NOT_REPEATED))


def _with_seeds(command: str, seeds: Sequence[int]) -> str:
    """The command with its seeds replaced."""
    plain = re.sub(r"\s(?:'seed=[^']*'|\"seed=[^\"]*\"|seed=\S+)", "", command)
    listed = f"range({len(seeds)})" if list(seeds) == list(range(len(seeds))) else ",".join(map(str, seeds))
    return f"{plain} {shlex.quote(f'seed={listed}')}"


def more_seeds(plan: Plan, total: int, *, retry: bool = False) -> str:
    """The command that trains `total` seeds of every cell: the seeds of the plan, and the next free numbers.

    Args:
        retry: also train failed runs again.
    """
    command = training_command(plan) + " retry=failed" * retry
    seeds = sorted({run["seed"] for cell in plan["cells"] for run in cell["runs"]})
    if total <= len(seeds):
        return command
    fresh = (seed for seed in range(total + len(seeds)) if seed not in seeds)
    return _with_seeds(command, sorted([*seeds, *(next(fresh) for _ in range(total - len(seeds)))]))

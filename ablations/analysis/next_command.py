"""What to type next, as a shell takes it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from ablations.analysis.results import Plan

ASKED_ONCE = ("plan=", "retry=", "workers=")  # of a command, and not meant for the next one


def again(plan: Plan) -> str:
    """The command that trains what the plan misses: quoted, and ours, whoever wrote it; without what is asked once."""
    command = plan.get("command") or ""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    if words[:2] != ["python", "run.py"] and words[:1] != ["skipbench"]:
        words = ["python", "run.py", "-m", f"study={plan['name']}"]
    return shlex.join(word for word in words if not word.startswith(ASKED_ONCE))


def with_seeds(command: str, seeds: Sequence[int]) -> str:
    """The command with these seeds in place of its own."""
    plain = re.sub(r"\s(?:'seed=[^']*'|\"seed=[^\"]*\"|seed=\S+)", "", command)
    listed = f"range({len(seeds)})" if list(seeds) == list(range(len(seeds))) else ",".join(map(str, seeds))
    return f"{plain} {shlex.quote(f'seed={listed}')}"


def more_seeds(plan: Plan, total: int, *, retry: bool = False) -> str:
    """The command that trains `total` seeds of every cell: those there are, and the next numbers.

    Args:
        retry: the failed ones too.
    """
    command = again(plan) + " retry=failed" * retry
    seeds = sorted({run["seed"] for cell in plan["cells"] for run in cell["runs"]})
    if total <= len(seeds):
        return command
    fresh = (seed for seed in range(total + len(seeds)) if seed not in seeds)
    return with_seeds(command, sorted([*seeds, *(next(fresh) for _ in range(total - len(seeds)))]))

"""Read and write the trials of a search, one file each, and choose the best of them.

The file is `runs/.studies/<study>/trials/<tuning>/<number>/trial.json`, written by the worker that trains the trial. A
tuning is one Optuna study: the whole space, or the space inside one cell of the study's grid. Optuna's storage can be
rebuilt from these files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ablations.records.files import SCHEMA, RecordError, read_json, write_json
from ablations.records.record import study_folder

STATES = ("running", "complete", "pruned", "infeasible", "failed")
FIELDS = ("tuning", "number", "state", "point", "suggested", "cell", "label", "runs", "values", "constraints")

Trial = dict[str, Any]


def tunings_folder(runs: Path, study: str) -> Path:
    """The folder with the trials of a study."""
    return study_folder(runs, study) / "trials"


def trial_folder(runs: Path, study: str, tuning: str, number: int) -> Path:
    """The folder of one trial; the worker that trains it holds a lease there."""
    return tunings_folder(runs, study) / tuning / f"{number:04d}"


def write_trial(folder: Path, trial: Trial) -> None:
    """Write the current state of a trial."""
    write_json(folder / "trial.json", {"schema": SCHEMA, **trial})


def read_trial(path: Path) -> Trial:
    """Read and check one `trial.json`.

    Raises:
        RecordError: the file is damaged or holds something else.
    """
    trial = read_json(path)
    if absent := [key for key in FIELDS if key not in trial]:
        raise RecordError(f"{path}: has no {', '.join(absent)}")
    if trial["state"] not in STATES:
        raise RecordError(f"{path}: state {trial['state']!r} is none of {', '.join(STATES)}")
    return trial


def read_trials(runs: Path, study: str, tunings: Iterable[str]) -> tuple[list[Trial], list[str]]:
    """The trials of the given tunings, sorted by number, and an error message for each damaged file."""
    trials: list[Trial] = []
    problems: list[str] = []
    for tuning in tunings:
        for path in sorted((tunings_folder(runs, study) / tuning).glob("*/trial.json")):
            try:
                trials.append(read_trial(path))
            except RecordError as error:
                problems.append(str(error))
    return trials, problems


def distinct_trials(trials: Iterable[Trial]) -> list[Trial]:
    """The complete trials, without repeated cells."""
    cells: dict[str, Trial] = {}
    for trial in trials:
        if trial["state"] == "complete":
            cells.setdefault(trial["cell"], trial)
    return list(cells.values())


def pareto_front(trials: Iterable[Trial], objectives: Sequence[str]) -> list[Trial]:
    """The complete trials that no other trial dominates, sorted by the objectives in their order.

    One trial dominates another if it is better in one objective and worse in none. With a single objective, all
    complete trials are returned.
    """
    known = sorted(distinct_trials(trials), key=lambda trial: [trial["values"][name] for name in objectives])
    if len(objectives) == 1:
        return known
    return [trial for trial in known if not any(_dominates(other, trial, objectives) for other in known)]


def best_trials(trials: Iterable[Trial], objectives: Sequence[str], top: int) -> list[Trial]:
    """The `top` trials with the lowest objective; with several objectives, `top` trials evenly spaced on the front."""
    found = pareto_front(trials, objectives)
    if len(objectives) == 1 or len(found) <= top:
        return found[:top]
    return [found[round(k * (len(found) - 1) / max(1, top - 1))] for k in range(top)]


def _dominates(one: Trial, other: Trial, objectives: Sequence[str]) -> bool:
    pairs = [(one["values"][name], other["values"][name]) for name in objectives]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

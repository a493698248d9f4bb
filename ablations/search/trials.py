"""Read and write the trials of a search, one file each, and choose the best of them.

The file is `runs/.studies/<study>/trials/<tuning>/<number>/trial.json`, written by the worker that trains the trial. A
tuning is one Optuna study: the whole space, or the space inside one cell of the study's grid. What was trained before
the search began, and told to the sampler, stands in `trials/<tuning>/warm_start.json`: complete trials with the first
numbers. Optuna's storage can be rebuilt from these files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablations.records.files import SCHEMA, RecordError, read_json, write_json
from ablations.records.record import study_folder

STATES = ("running", "paused", "complete", "pruned", "infeasible", "repeated", "failed")
UNCOUNTED = ("infeasible", "repeated")  # states of suggestions that use up no trial
WARM_START = "warm_start.json"
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
    """Read and check one `trial.json`; RecordError for a damaged one."""
    return _checked(path, read_json(path))


def _checked(path: Path, trial: Trial) -> Trial:
    if absent := [key for key in FIELDS if key not in trial]:
        raise RecordError(f"{path}: has no {', '.join(absent)}")
    if trial["state"] not in STATES:
        raise RecordError(f"{path}: state {trial['state']!r} is none of {', '.join(STATES)}")
    return trial


def write_warm_start(runs: Path, study: str, tuning: str, trials: Sequence[Trial]) -> None:
    """Write what a tuning was told before its first suggestion."""
    write_json(
        tunings_folder(runs, study) / tuning / WARM_START, {"schema": SCHEMA, "trials": list(trials)}, indent=None
    )


def read_warm_start(runs: Path, study: str, tuning: str) -> list[Trial] | None:
    """What a tuning was told before its first suggestion; None if it has not begun; RecordError for a damaged file."""
    path = tunings_folder(runs, study) / tuning / WARM_START
    return [_checked(path, trial) for trial in read_json(path).get("trials", [])] if path.exists() else None


def read_trials(runs: Path, study: str, tunings: Iterable[str]) -> tuple[list[Trial], list[str]]:
    """The suggestions of the given tunings, sorted by number, and an error message for each damaged file."""
    trials: list[Trial] = []
    problems: list[str] = []
    for tuning in tunings:
        try:
            trials += read_warm_start(runs, study, tuning) or []
        except RecordError as error:
            problems.append(str(error))
        for path in sorted((tunings_folder(runs, study) / tuning).glob("*/trial.json")):
            try:
                trials.append(read_trial(path))
            except RecordError as error:
                problems.append(str(error))
    return trials, problems


def uses_trial(about: Mapping[str, Any]) -> bool:
    """Whether a suggestion uses up one of the search's trials, by its file or Optuna's user attributes."""
    return about.get("state") not in UNCOUNTED and not about.get("warm_start")


def reached(trial: Mapping[str, Any]) -> int:
    """The last epoch that a trial has reported; 0 before the first."""
    return max((int(epoch) for epoch, _ in trial.get("reported", ())), default=0)


def epochs_words(trials: Iterable[Trial], seeds: int) -> str:
    """What was trained where trials pause or are pruned by epochs: `124 of 500 epochs`; empty elsewhere.

    Args:
        seeds: of each trial.
    """
    ours = [trial for trial in trials if uses_trial(trial) and trial.get("epochs")]
    early = [trial for trial in ours if trial["state"] in ("paused", "pruned")]
    if not early or any(trial.get("seed_values") or not trial.get("reported") for trial in early):
        return ""
    first = sum(map(reached, ours))
    further = sum(trial["epochs"] * max(0, len(trial.get("seed_values", ())) - 1) for trial in ours)
    return f"{first + further} of {sum(trial['epochs'] for trial in ours) * seeds} epochs"


def commonest_cause(suggestions: Iterable[Mapping[str, Any]]) -> str | None:
    """The reason for which most suggestions were infeasible."""
    free = (about for about in suggestions if about.get("state") == "infeasible")
    causes = Counter(about["cause"] for about in free if "cause" in about)  # another process may be about to write it
    return causes.most_common(1)[0][0] if causes else None


def free_words(trials: Iterable[Trial]) -> str:
    """What used up no trial: `12 trained before, 3 infeasible (most often: depth=13 is not 6n+2; …), 2 repeated`."""
    some = list(trials)
    counts = Counter("trained before" if trial.get("warm_start") else trial["state"] for trial in some)
    words = [f"{counts[kind]} {kind}" for kind in ("trained before", *UNCOUNTED) if counts[kind]]
    cause = commonest_cause(some)
    return ", ".join(f"{word} (most often: {cause})" if word.endswith("infeasible") else word for word in words)


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

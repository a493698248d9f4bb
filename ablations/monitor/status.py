"""Read from a study's files how far it is: what is done, who trains what, what went wrong, how long it will take."""

from __future__ import annotations

import math
import os
import socket
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.analysis.needed import Needed
from ablations.question.search_space import is_curve, read_search
from ablations.records.epochs import read_epochs
from ablations.records.files import RecordError
from ablations.records.layout import CURVE, RECORD
from ablations.records.lease import held, holder
from ablations.records.record import Record, read_record
from ablations.records.task_metrics import ERROR
from ablations.search.trials import distinct_trials, epochs_words, free_words, read_trials, uses_trial

if TYPE_CHECKING:
    from rich.console import Group

MAX_LINES = 16
STEADY = 30.0  # seconds of training after which its start weighs little


@dataclass(frozen=True)
class Training:
    """A run that some process is training now."""

    label: str
    epoch: int
    epochs: int | None
    error: float | None  # of the last epoch, on the training set, percent
    worker: str = ""  # its process, with the machine's name where it is another

    @property
    def share(self) -> float:
        return self.epoch / self.epochs if self.epochs else 0.0


@dataclass(frozen=True)
class Status:
    """A look at a study.

    Attributes:
        share: of the whole work that is done, by cost, unfinished epochs counted.
        best: label and judged validation metric of the best run so far.
        judged: the name of that metric.
        most: runs that are needed if no claim is decided before.
    """

    planned: int
    done: int
    diverged: int
    failed: int
    training: tuple[Training, ...]
    share: float
    best: tuple[str, float] | None
    unit: str = "runs"
    judged: str = ERROR[0]
    most: int = 0
    besides: str = ""  # of a search: what used up no trial
    early: str = ""  # of a search: what paused or was pruned, and the epochs trained


class Watch:
    """Look at a grid again and again: at the runs that are needed by then. Each record is read once."""

    def __init__(self, plan: Mapping[str, Any], runs: Path) -> None:
        self.runs = runs
        self.judged, self.better = plan.get("study", {}).get("judged") or ERROR
        entries = [(run, cell) for cell in plan["cells"] for run in (*cell["runs"], *cell["further"])]
        self.needed = Needed(plan if any(cell["further"] for cell in plan["cells"]) else None, runs)
        self.cells = {run["folder"]: (run["label"], cell) for run, cell in entries}
        self.costs = {run["folder"]: max(1, cell.get("cost") or 1) for run, cell in entries}
        self.done: dict[str, Record] = {}

    def look(self) -> Status:
        wanted = self.needed.folders()
        planned = [folder for folder in self.cells if wanted is None or folder in wanted]
        training, share = [], 0.0
        for folder in planned:
            if self._ended(folder):
                share += self.costs[folder]
            elif held(self.runs / folder):
                label, cell = self.cells[folder]
                now = _training(self.runs / folder, label, cell.get("epochs"))
                training.append(now)
                share += now.share * self.costs[folder]
        done = [self.done[folder] for folder in planned if folder in self.done]
        finished = [(one["label"], one["metrics"].get(self.judged)) for one in done if one["status"] == "finished"]
        return Status(
            planned=len(planned),
            done=len(done),
            diverged=sum(one["status"] == "diverged" for one in done),
            failed=sum(one["status"] == "failed" for one in done),
            training=tuple(training),
            share=share / max(1, sum(self.costs[folder] for folder in planned)),
            best=(max if self.better == "higher" else min)(
                (pair for pair in finished if pair[1] is not None), key=lambda pair: pair[1], default=None
            ),
            judged=self.judged,
            most=len(self.cells),
        )

    def _ended(self, folder: str) -> bool:
        """Whether a run has a record; False for a damaged one, which `doctor` and the report name."""
        path = self.runs / folder / RECORD
        if folder not in self.done and os.path.exists(path):  # False for a folder that may not be read
            try:
                self.done[folder] = read_record(path)
            except RecordError:
                return False
        return folder in self.done


class TrialWatch:
    """Look at a search again and again."""

    def __init__(self, plan: Mapping[str, Any], runs: Path) -> None:
        self.runs, self.name = runs, plan["name"]
        self.tunings = [tuning["name"] for tuning in plan["study"]["tunings"]]
        search = read_search(plan["study"])
        self.trials, self.seeds = search.trials, len(search.seeds)
        self.over = {tuning["name"] for tuning in plan["study"]["tunings"] if "ended" in tuning}
        self.objectives = search.objectives

    def look(self) -> Status:
        trials, _ = read_trials(self.runs, self.name, self.tunings)
        done = [trial for trial in trials if trial["state"] != "running" and uses_trial(trial)]
        ended = Counter(trial["tuning"] for trial in done)  # more than are asked for, where that was lowered since
        planned = sum(max(ended[name], 0 if name in self.over else self.trials) for name in self.tunings)
        training = [
            _training(self.runs / run["folder"], run["label"], trial.get("epochs"))
            for trial in trials
            if trial["state"] == "running"
            for run in trial["runs"]
            if held(self.runs / run["folder"])
        ]
        counts = Counter(trial["state"] for trial in done)
        early = [f"{counts[state]} {state}" for state in ("paused", "pruned") if counts[state]]
        epochs = epochs_words(trials, self.seeds)
        first = self.objectives[0]
        best = min(distinct_trials(trials), key=lambda trial: trial["values"][first], default=None)
        return Status(
            planned=planned,
            done=len(done),
            diverged=0,
            failed=sum(trial["state"] == "failed" for trial in done),
            training=tuple(training),
            share=len(done) / max(1, planned),
            best=(best["label"], best["values"][first]) if best and is_curve(first) else None,
            unit="trials",
            judged=first,
            besides=free_words(trials),
            early="; ".join((", ".join(early), epochs)) if epochs else "",
        )


class Pace:
    """Estimate the seconds left from the share of the work done since something was first seen in training.

    At first most of the time goes into starting: there is no estimate until a run has ended or `STEADY` has passed.
    """

    def __init__(self) -> None:
        self.begun: tuple[float, Status] | None = None

    def left(self, status: Status) -> float | None:
        now = time.monotonic()
        if self.begun is None:
            self.begun = (now, status) if status.training else None
            return None
        since, first = self.begun
        starting = status.done <= first.done and now - since < STEADY
        if starting or status.share <= first.share:
            return None
        return (now - since) * (1 - status.share) / (status.share - first.share)


def headline(status: Status, left: float | None = None) -> str:
    """Say in one line how far a study is: `12 of 27 runs, 1 failed, about 40 s left`.

    Where claims that stay open would get further seeds: `12 of 19 runs, 48 at most, 40 s left or more`.
    """
    words = [f"{status.done} of {status.planned} {status.unit}"]
    further = status.done < status.planned < status.most
    words += [f"{status.most} at most"] if further else []
    words += [f"{status.diverged} diverged"] if status.diverged else []
    words += [f"{status.failed} failed"] if status.failed else []
    if left is not None and status.done < status.planned:
        words.append(f"{span(left)} left or more" if further else f"about {span(left)} left")
    return ", ".join(words)


def span(seconds: float) -> str:
    """Write a time as 40 s, 12 min or 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def picture(status: Status, left: float | None = None) -> Group:
    """A bar, a line for each run in training, the best so far: for a terminal."""
    from rich.columns import Columns
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    top = Columns([ProgressBar(total=1.0, completed=status.share, width=30), Text(headline(status, left))])
    width = max((len(now.worker) for now in status.training), default=0)
    label = max((len(now.label) for now in status.training), default=0)
    lines = [
        Text(f"  {now.worker:>{width}}  {now.label:<{label}}  {_epochs(now)}", style="dim", no_wrap=True)
        for now in status.training[:MAX_LINES]
    ]
    if len(status.training) > MAX_LINES:
        lines.append(Text(f"  and {len(status.training) - MAX_LINES} more", style="dim"))
    if status.early:
        lines.append(Text(f"  {status.early}", style="dim"))
    if status.besides:
        lines.append(Text(f"  besides, {status.besides}", style="dim"))
    if status.best:
        label, value = status.best
        words = f"validation error {value:.2f}%" if status.judged == ERROR[0] else f"{status.judged} {value:.4g}"
        lines.append(Text(f"  best so far {label}: {words}", style="dim"))
    return Group(top, *lines)


def _epochs(now: Training) -> str:
    of = f" of {now.epochs}" if now.epochs else ""
    at = min(now.epoch + 1, now.epochs or math.inf)  # after the last epoch the run is tested
    return f"epoch {at}{of}" + (f", training error {now.error:.1f}%" if now.error is not None else "")


def _training(folder: Path, label: str, epochs: int | None) -> Training:
    try:
        rows = read_epochs(folder / CURVE)
    except (OSError, ValueError):  # no file yet, or a damaged one, which `doctor` names
        rows = []
    return Training(label, len(rows), epochs, rows[-1].get("train_error") if rows else None, _worker(folder))


def _worker(folder: Path) -> str:
    who = holder(folder)
    host, pid = who.get("host"), who.get("pid", "")
    return f"{pid}" if host in (None, socket.gethostname()) else f"{host}:{pid}"

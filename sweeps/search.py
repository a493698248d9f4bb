"""Search a study's space: open an Optuna study for each tuning, let workers carry out the trials, find the best."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict
from rich.console import Console
from rich.markup import escape

from ablations.identity.run import digest
from ablations.monitor.status import TrialWatch
from ablations.plan.plan import Plan, point_words
from ablations.question.did_you_mean import instead
from ablations.question.search_space import OTHERS, Choice, Search, read_search
from ablations.question.study import Point, StudyError
from ablations.records.files import aside, write_json
from ablations.records.layout import RECORD
from ablations.records.lease import release_orphan
from ablations.records.provenance import command
from ablations.records.record import plan_path, read_record, usable
from ablations.records.task_metrics import ERROR, judged_by, task_metrics
from ablations.search.suggestions import check_pruner, check_sampler
from ablations.search.trials import best_trials, read_trials, trial_folder, tunings_folder, uses_trial
from sweeps.compose.active_options import active_point
from sweeps.compose.arguments import Arguments
from sweeps.compose.compose import Composer
from sweeps.compose.fast_compose import FastComposer
from sweeps.data import data_digest
from sweeps.spaces import SpaceComposer, trained_before
from sweeps.workers.launch import launch_workers, others_gave_up
from sweeps.workers.live_status import watched
from sweeps.workers.resources import Resources
from sweeps.workers.trial_worker import TrialWorker, open_tunings, sampler_and_pruner
from sweeps.workers.worker import Application


def open_search(study: dict[str, Any], typed: Arguments) -> Search:
    """Read the search of a study, without the axes that the command line decides; StudyError where none is left."""
    decided = {*typed.chosen, *typed.swept}
    study["space"] = {axis: value for axis, value in study["space"].items() if axis not in decided}
    search = read_search(study)
    if not search.space:
        raise StudyError("every axis of the space is decided on the command line; leave one of them open")
    return search


class Searching:
    """The search of one study.

    Args:
        points: what the tunings differ in, one each: the study's grid, with what is fixed.
    """

    def __init__(self, study: dict[str, Any], search: Search, points: list[Point], composer: Composer) -> None:
        self.study, self.composer = study, composer
        self.config = config = composer.master
        self.runs = Path(config.runs)
        self.fast = FastComposer(composer)
        search = self.search = self.with_objectives(search, points[0])
        sampler, pruner = sampler_and_pruner(config)
        check_pruner(search, pruner)
        check_sampler(search, sampler)
        composed = SpaceComposer(composer, self.fast)
        self.order, code = composed.asking_order(search.space, points)
        question = {key: study.get(key) for key in ("space", "search")}
        question["search"] = {k: v for k, v in (question["search"] or {}).items() if k not in ("trials", "replicate")}
        made = {"question": question, "code": code, "by": OmegaConf.to_container(config.sampler)}
        made["left_out"] = [word for word in composer.rest if word.startswith("~")]  # the rest says how, not what
        made["pruner"] = OmegaConf.to_container(config.pruner)
        grid_axes = [axis for axis in points[0] if len({repr(point.get(axis)) for point in points}) > 1]
        self.points = {
            _name(point, grid_axes) + digest({**made, "point": point, "data": self.data_of(point)})[:8]: point
            for point in points
        }
        study["tunings"] = [{"name": name, "point": point} for name, point in self.points.items()]
        self.spaces = {name: composed.space(search, self.order, point) for name, point in self.points.items()}
        for space in self.spaces.values():
            composed.refuse_infeasible(space)
        told = search.warm_start or not config.simulate  # a simulation begins with nothing known, unless it says so
        self.known = trained_before(self.runs, study["name"], search, self.spaces, composed) if told else {}

    def with_objectives(self, search: Search, point: Point) -> Search:
        """Let a search that names no objective have the metric its task is judged by; give each its better side.

        Raises:
            StudyError: the task does not have a metric, or no side of it is better.
        """
        config = self.fast(active_point(point, self.fast)).run.config
        judged = judged_by(config)
        known = dict([judged]) | {"val_loss": "lower", "train_loss": "lower"}
        known |= {"train_error": "lower"} if judged == ERROR else {}
        declared = task_metrics(config).items()
        known |= {name: about["better"] for name, about in declared if about.get("along")}
        said = self.study.get("search") or {}
        objectives = []
        for name in search.objectives if "objectives" in said else [judged[0]]:
            plain = name.lstrip("-")
            side = known.get(plain, "lower" if name in OTHERS else None)
            if side is None:
                near = instead(plain, [*known, *OTHERS], "there are")
                raise StudyError(f"search.objectives: this task is judged by {judged[0]} and has no {plain}{near}")
            if side == "none":
                raise StudyError(f"search.objectives: neither side of {plain} is better")
            objectives.append(f"-{plain}" if side == "higher" else plain)
        if objectives != search.objectives:
            self.study["search"] = {**said, "objectives": objectives}
        return replace(search, objectives=objectives)

    def data_of(self, point: Point) -> str | None:
        """Digest of the data at a point: a search on other data is another search. None where it is not here yet."""
        data = self.fast(active_point(point, self.fast)).run.config["data"]
        return data_digest(data["source"], Path(self.config.data_dir)) if "source" in data else None

    def plan(self) -> dict[str, Any]:
        """The plan that is written before there are winners."""
        return Plan(self.study["name"], self.study, [], command()).as_json()

    def summary(self) -> str:
        """Summarise the search: `3 tunings × 20 trials in up to 90 points: 19 to go, 41 done; minimises val_error`."""
        trials, _ = read_trials(self.runs, self.study["name"], self.points)
        done = Counter(one["tuning"] for one in trials if one["state"] != "running" and uses_trial(one))
        left = sum(max(0, self.search.trials - done[name]) for name in self.points)  # a tuning may have more by now
        points = "1 point" if self.search.size == 1 else f"up to {self.search.size:,.0f} points"
        size = points if self.search.size < float("inf") else "a continuous space"
        tunings = f"{len(self.points)} tunings × " if len(self.points) > 1 else ""
        limits = "".join(f", {limit}" for limit in self.search.constraints)
        folder = tunings_folder(self.runs, self.study["name"])
        other = {path.name for path in folder.glob("*")} - set(self.points)
        older = "; an earlier search, of other code, space, sampler or pruner, is kept beside it" if other else ""
        known = sum(map(len, self.known.values()))
        were = "cell was trained before and is" if known == 1 else "cells were trained before and are"
        told = f"; {known} {were} told to the sampler" * bool(known)
        return (
            f"{tunings}{self.search.trials} trials in {size}: {left} to go, {done.total()} done; "
            f"minimises {' and '.join(self.search.objectives)}{limits}{told}{older}"
        )

    def carry_out(self, application: Application, console: Console) -> None:
        """Carry out the trials that are left, with as many workers as the launcher has places."""
        name = self.study["name"]
        write_json(plan_path(self.runs, name), self.plan())
        tunings = open_tunings(self.config, name, self.search, self.spaces)
        with console.status("telling the sampler what is known …"):
            for tuning in tunings:
                tuning.begin(self.known[tuning.name])
                if self.config.retry:
                    self.rename_records(tuning.retry(self.config.retry))
        left = len(self.open_folders(tunings)) + sum(tuning.left() + tuning.goes_on() for tuning in tunings)
        if left:
            self.launch(tunings, left, application, console)
        else:
            for folder in self.leases():
                release_orphan(folder)
        for tuning, about in zip(tunings, self.study["tunings"], strict=True):
            tuning.end_paused()
            if why := tuning.why_ended():
                about["ended"] = why
                console.print(f"[yellow]![/] {escape(f'the search ended early: {why}')}", highlight=False)

    def launch(self, tunings: list[Any], most: int, application: Application, console: Console) -> None:
        """Start workers, as many as the launcher has places, and at most so many."""
        places, name = Resources.of(self.config, most=most), self.study["name"]
        with open_dict(self.config):
            self.config.study.name = name
        application = replace(application, threads=places.threads)
        worker = TrialWorker(application, name, self.search, self.spaces, self.fast)
        with watched(TrialWatch(self.plan(), self.runs), console):
            while True:
                launch_workers(worker, places.workers, self.leases, application, console)
                open_now = self.open_folders(tunings)
                if not others_gave_up(open_now, lambda folder: folder not in self.open_folders(tunings)):
                    return

    def rename_records(self, trials: list[Any]) -> None:
        """Rename the records of some trials, so that these are trained again."""
        for run in (run for trial in trials for run in trial["runs"]):
            path = self.runs / run["folder"] / RECORD
            if usable(path) and read_record(path)["status"] == self.config.retry:
                aside(path, self.config.retry)

    def leases(self) -> list[Path]:
        """List the folders in which a killed worker of this search may have left a lease."""
        name, (known, _) = self.study["name"], read_trials(self.runs, self.study["name"], self.points)
        trials = [trial for trial in known if not trial.get("warm_start")]
        folders = [trial_folder(self.runs, name, trial["tuning"], trial["number"]) for trial in trials]
        return [*folders, *(self.runs / run["folder"] for trial in trials for run in trial["runs"])]

    def open_folders(self, tunings: list[Any]) -> list[Path]:
        """List the folders of unfinished trials."""
        found = [(tuning.name, number) for tuning in tunings for number in tuning.unfinished()]
        return [trial_folder(self.runs, self.study["name"], *place) for place in found]

    def winners(self) -> list[Point]:
        """Return the best points of every tuning, which are trained again with fresh seeds."""
        found = []
        for name in self.points:
            trials, _ = read_trials(self.runs, self.study["name"], [name])
            found += [trial["point"] for trial in best_trials(trials, self.search.objectives, self.search.top)]
        return found


def _name(point: Point, axes: list[str]) -> str:
    """Name a tuning by the axes in which it differs from the others: `plain-20-`."""
    text = "-".join(str(point[axis]) for axis in axes if axis in point)
    return re.sub(r"[^A-Za-z0-9._=+-]+", "_", text)[:60].lstrip(".") + "-" * bool(text)


def listing(searching: Searching) -> list[str]:
    """List the whole space: a line an axis, a line a tuning."""
    space = searching.search.space
    lines = [f"space    {axis}: {_options(space[axis])}" for axis in searching.order]
    return lines + [f"tuning   {point_words(point)}" for point in searching.points.values()]


def _options(options: Any) -> str:
    if isinstance(options, Choice):
        return ", ".join(map(str, options.values))
    step = f" in steps of {options.step:g}" if options.step else ""
    return f"{options.low:g} to {options.high:g}{step}{', on a logarithmic scale' if options.log else ''}"

"""Carry out the simulated searches that a study compares: plan them, search what has no record, print the results."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ablations.analysis.claim_checks import check_answerable
from ablations.analysis.claim_schema import check_claims
from ablations.identity.run import Run
from ablations.plan import plan as planning
from ablations.plan.plan import Plan
from ablations.question.study import Point, StudyError
from ablations.records.lease import claim
from ablations.records.provenance import command
from ablations.records.record import read_records
from ablations.records.recorder import Recorder
from ablations.search.contest import JUDGED, Contest
from ablations.search.table_files import read_table
from sweeps.closing import print_results
from sweeps.planning import announce, set_stale_aside, write_plan
from sweeps.question import Question
from sweeps.workers.forkserver import start_forkserver
from sweeps.workers.resources import Resources

table_of = cache(read_table)  # read once a process
CHUNK = 4  # searches that a process is handed at once
PRELOADED = ["sweeps.workers.parent_death", __name__, "ablations.search.additive"]


def compare_searches(question: Question, config: DictConfig, console: Console) -> None:
    """Carry out the searches that have no record yet, on as many cores as the launcher has places; print the results.

    Raises:
        StudyError: a table, an axis or a value is not there; before anything is searched.
    """
    if not question.seeds.fixed:
        raise StudyError("study.seeds: searches on a table are compared with a fixed list of seeds, as range(200)")
    contest = Contest.read(question.study)
    plan = make_plan(question, contest)
    runs = Path(config.runs)
    records, problems = read_records(runs)
    problems += set_stale_aside(plan, records, config)
    with console.status("trying each search …"):
        for cell in plan.cells:
            if cell.missing(records):
                contest.try_out(cell.run, table_of(contest.tables[cell.run.axes["table"]]))
    announce(plan, records, problems, question, config, console)
    if config.plan:
        return
    write_plan(plan, records, runs)
    missing = [run for _, run in plan.missing(records)]
    if missing:
        carry_out(contest, missing, config, console)
    print_results(plan, config, console, trained=bool(missing))


def make_plan(question: Question, contest: Contest) -> Plan:
    """Make the plan of the searches, whose claims are checked; StudyError, ClaimError where the study is malformed."""
    study: dict[str, Any] = question.study | {"judged": JUDGED, "metrics": contest.metrics}

    def describe(point: Point) -> tuple[Run, list[str], dict[str, Any]]:
        return contest.run(point), [], {}

    cells, invalid = planning.make_cells(question.whole_points, question.seeds, describe)
    for cell in cells:
        cell.epochs = contest.search["trials"]
    plan = Plan(study["name"], study, question.swept, command(), cells, invalid)
    if cells:
        check_claims(study)
        check_answerable(plan.as_json())
    return plan


def carry_out(contest: Contest, missing: list[Run], config: DictConfig, console: Console) -> None:
    """Carry out searches, on as many cores as the launcher has places; each leaves its record."""
    launcher, runs = config.hydra.runtime.choices["hydra/launcher"], Path(config.runs).absolute()
    chunks = [missing[k : k + CHUNK] for k in range(0, len(missing), CHUNK)]
    columns = (TextColumn("searches"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress, ExitStack() as stack:
        bar = progress.add_task("searches", total=len(missing))
        work: Any = map
        if (workers := Resources.of(config, most=len(chunks)).workers) > 1:
            start_forkserver(launcher, PRELOADED)
            pool = stack.enter_context(get_context("forkserver").Pool(workers))  # ended by whatever ends the body
            work = pool.imap_unordered
        for done in work(partial(search_some, contest, runs), chunks):
            progress.advance(bar, done)


def search_some(contest: Contest, runs: Path, some: Sequence[Run]) -> int:
    """Carry out some searches that no other process has claimed; return how many were to be done."""
    for run in some:
        with claim(folder := runs / run.folder) as ours:
            if ours:
                search(contest, run, folder)
    return len(some)


def search(contest: Contest, run: Run, folder: Path) -> None:
    """Carry out one search and write its record, in which trials stand for epochs."""
    recorder, began = Recorder(run, folder), perf_counter()
    recorder.begin(params=None, macs=None, note="", data_digest=run.config["table"])
    found = contest.carry_out(run, table_of(contest.tables[run.axes["table"]]))
    recorder.curve(found.rows)
    trials, seconds = len(found.rows), perf_counter() - began
    done = {"metrics": found.metrics, "epochs": trials, "steps": trials, "seconds": seconds, "device": "simulated"}
    recorder.finish(SimpleNamespace(**done, diverged=False, lesions=(), predictions={}), batch_size=1)

"""Plan a study: find its cells, what is trained already, what is stale, and what cannot be built."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from ablations.analysis.preregistration import register
from ablations.analysis.results import ASKED_FOR
from ablations.analysis.until_decided import expected_runs, with_needed_seeds
from ablations.identity.run import Run
from ablations.plan import plan as planning
from ablations.plan import staleness
from ablations.plan.plan import Cell, Plan
from ablations.question.study import Point, StudyError
from ablations.records.files import write_json
from ablations.records.layout import RECORD
from ablations.records.provenance import command
from ablations.records.record import Record, plan_path, read_records, study_folder
from sweeps.answerable import asked_for, settle_claims
from sweeps.cli.errors import as_value_error
from sweeps.compose.active_options import active_point, refuse_unknown
from sweeps.compose.arguments import Arguments
from sweeps.compose.compose import Composer
from sweeps.compose.fast_compose import FastComposer
from sweeps.data import data_digest
from sweeps.match import Widths
from sweeps.preflight import count
from sweeps.question import Question
from sweeps.validate import check_cells
from sweeps.workers.forkserver import start_forkserver


def make_plan(question: Question, typed: Arguments, composer: Composer) -> Plan:
    """Make the plan of a question: its cells and runs."""
    study = question.study

    fast = FastComposer(composer)
    refuse_unknown(question.whole_points, study.get("space") or {}, {*typed.swept, *typed.chosen}, fast)

    def counted(point: Point) -> tuple[int, float]:
        with as_value_error():
            point = active_point(point, fast)
            if not fast.is_active("width", point):
                raise ValueError("match needs a width to change, and this network takes none: leave match out")
            config, data_dir = fast(point).run.config, Path(composer.master.data_dir)
            return count(config, study["match"], data_dir), fast.node("width", point)

    bare = Widths(question.whole_points, counted)

    def compose(point: Point) -> tuple[Run, list[str], dict[str, Any]]:
        point = active_point(bare(point), fast)
        with as_value_error():
            run, settings = fast(point)
        return run, composer.overrides(point), settings

    cells, invalid = planning.make_cells(question.whole_points, question.seeds, compose)
    plan = Plan(study["name"], study, question.swept, command(), cells, invalid)
    settle_claims(plan, question, typed, composer.master)
    return plan


def grow(plan: Plan, records: dict[str, Any], runs: Path) -> None:
    """Plan the seeds that the open claims need by the records there are."""
    for cell, planned in zip(plan.cells, with_needed_seeds(plan.as_json(), records, runs)["cells"], strict=True):
        cell.grow(len(planned["runs"]))


def plan_and_check(
    question: Question, typed: Arguments, composer: Composer, console: Console
) -> tuple[Plan, dict[str, Any], list[str]]:
    """Plan a question, check what is missing, and write the plan.

    Returns:
        The plan, the records there are, and a sentence for each record that cannot be used.
    """
    config, runs = composer.master, Path(composer.master.runs)
    launcher = config.hydra.runtime.choices["hydra/launcher"]
    asked = len(question.points) * len(question.seeds.first)
    if not config.plan and sum(1 for _ in runs.glob(f"*/{RECORD}")) < asked:  # so something will be missing
        start_forkserver(launcher)
    plan = make_plan(question, typed, composer)
    records, problems = read_records(runs)
    grow(plan, records, runs)
    if config.retry and not config.plan:
        staleness.set_aside_for_retry(plan, records, config.retry, runs)
    problems += set_stale_aside(plan, records, config) + set_unmeasured_aside(plan, records, config)
    plan.find_relabelled(records)
    grow(plan, records, runs)
    if plan.missing(records) and not config.plan:
        start_forkserver(launcher)
    with console.status("checking what is to be trained …"):
        check_cells(plan, composer, records)
    goes_on = not config.plan and (not plan.invalid or (config.on_invalid == "skip" and plan.cells))
    if goes_on or plan.name == config.study.name or not plan.untouched(records):  # else only asked, in passing
        write_plan(plan, records, runs)
    return plan, records, problems


def write_plan(plan: Plan, records: dict[str, Any], runs: Path) -> None:
    """Register the claims of a plan, and write it to `runs/.studies/<study>/plan.json`."""
    plan.study |= register(plan.as_json(), records, study_folder(runs, plan.name), date.today().isoformat())
    write_json(plan_path(runs, plan.name), plan.as_json(), indent=None)


def announce(
    plan: Plan, records: dict[str, Any], problems: list[str], question: Question, config: DictConfig, console: Console
) -> None:
    """Print what will be trained, what is reused and what cannot be used; with `plan=true` cell by cell.

    Raises:
        StudyError: a cell cannot be built, and it is not only asked.
    """
    if not config.plan:
        refuse_invalid(plan, config.on_invalid)
    words = planning.summary(plan, question.seeds, records, why=not config.plan)
    console.print(f"[bold]{escape(plan.name)}[/]: {escape(words)}", highlight=False)
    print_notes([*question.notes, *problems], console)
    if config.plan:
        if not question.seeds.fixed:
            least, expected, most = expected_runs(plan.as_json(), records, Path(config.runs))
            if least < most:
                print(f"{least} runs at least, about {expected}, {most} at most, until every claim is decided")
        print("\n".join(planning.listing(plan, records)))


def print_notes(notes: list[str], console: Console) -> None:
    """Print what of a question does not hold as it is written, a line each."""
    for note in notes:
        console.print(f"[yellow]![/] {escape(note)}", highlight=False)


def refuse_invalid(plan: Plan, on_invalid: str) -> None:
    """Raise StudyError if a cell cannot be built; with `on_invalid=skip` only if none can be."""
    if not plan.invalid:
        return
    point, reason = plan.invalid[0]
    if on_invalid == "stop":
        more = f"; {len(plan.invalid) - 1} more cannot be built (plan=true names them)" * (len(plan.invalid) > 1)
        left_out = "nothing was trained" + " (on_invalid=skip leaves such cells out)" * bool(plan.cells)
        raise StudyError(f"{planning.point_words(point)}: {reason}{more}; {left_out}")
    if not plan.cells:
        raise StudyError(f"nothing can be built: {reason}")


def set_stale_aside(plan: Plan, records: dict[str, Any], config: DictConfig) -> list[str]:
    """Set aside records of other code or data, or accept them with `stale=accept`; return a sentence for each kind."""
    accepted = config.stale == "accept"
    changed = staleness.on_other_data(plan, records, partial(data_digest, folder=Path(config.data_dir)))
    if changed and not accepted:
        if config.plan:
            for identity in changed:
                del records[identity]
        else:
            staleness.set_aside(changed, records, "stale", Path(config.runs))
    stale = staleness.stale_records(plan, records)
    if accepted:
        staleness.accept(plan, stale)
    words = [staleness.data_words(changed, accepted=accepted)] if changed else []
    return words + ([staleness.stale_words(plan, stale, accepted=accepted)] if stale else [])


def set_unmeasured_aside(plan: Plan, records: dict[str, Record], config: DictConfig) -> list[str]:
    """Set aside records that lack numbers for which their cells ask, as of `stress=true`; say so in a sentence.

    What such a record has of the numbers that only some ask for is measured again, too.
    """
    lacking: dict[str, Record] = {}
    unmeasured: set[str] = set()
    again: list[tuple[Cell, set[str]]] = []
    for cell in plan.cells:
        asked = asked_for(cell, config)
        for run in cell.all_runs:
            record = records.get(run.identity)
            if record is None or record["status"] == "failed":
                continue
            has = {setting for setting, names in ASKED_FOR.items() if record["metrics"].keys() & {*names}}
            if asked - has:
                lacking[run.identity] = record
                unmeasured |= asked - has
                again.append((cell, has))
    for cell, has in again:
        cell.settings = {**cell.settings, **dict.fromkeys(has, True)}
    if config.plan:
        for identity in lacking:
            del records[identity]
    else:
        staleness.set_aside(lacking, records, "unmeasured", Path(config.runs))
    many = f"{len(lacking)} record{' has' if len(lacking) == 1 else 's have'}"
    what = " or ".join(f"{setting}=true" for setting in ASKED_FOR if setting in unmeasured)
    return [f"{many} no numbers of {what}: trained again, which changes no other number"] * bool(lacking)

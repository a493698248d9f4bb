"""A sweep from the command line to the report: plan, check, train what is missing, tell."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape

from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.results import result_rows
from ablations.analysis.verdicts import answerable, check_answers, check_claims
from ablations.identity.run import Run, digest
from ablations.plan import plan as planning
from ablations.plan import staleness as reuse
from ablations.plan.plan import Plan
from ablations.question.study import Point, StudyError, merge
from ablations.records.layout import RECORD
from ablations.records.lease import release_orphan
from ablations.records.provenance import command, public
from ablations.records.record import NAME, plan_path, read_records, write_json
from sweeps.cli.errors import as_value_error
from sweeps.cli.settings import check_folder, check_setting, check_settings
from sweeps.closing import print_results
from sweeps.compose.arguments import Arguments, parse
from sweeps.compose.compose import Composer
from sweeps.compose.fast_compose import FastComposer
from sweeps.match import Widths, budget_of, doubled
from sweeps.preflight import data_digest
from sweeps.validate import check_cells
from sweeps.workers.forkserver import start_forkserver
from sweeps.workers.launch import launch


def sweep(arguments: list[str], *, context: HydraContext, main: TaskFunction, config: DictConfig) -> None:
    """Train what a study misses and report.

    Raises:
        StudyError, ValueError, OSError: bad input, before anything is trained.
        SystemExit: 2 when runs failed.
    """
    console = Console()
    check_settings(config, arguments, sweep=True)
    if config.trainer.get("devices", 1) != 1:  # Lightning would start the whole sweep again for each of them
        raise StudyError(f"trainer.devices={config.trainer.devices}: a run of a sweep has one device; leave out -m")
    runs = Path(config.runs)
    typed = parse(arguments, context.config_loader)
    composer = Composer(context.config_loader, config, typed.rest)
    question = resolve_question(typed, config)
    for axis, value in (pair for point in question.points for pair in point.items()):
        check_setting(axis, value)
    check_folder(config)
    started = time.time()
    if question.study.get("space"):
        winners = search_first(question, typed, composer, context=context, main=main, console=console)
        if winners is None:
            return
        question = winners
    plan, records, problems = planned(question, typed, composer, console)
    announce(plan, records, problems, len(question.seeds), console)
    if config.plan:
        print("\n".join(planning.listing(plan, records)))
        return
    refuse_invalid(plan, config.on_invalid)
    missing = plan.missing(records)
    if missing:
        launch(plan, missing, rest=typed.rest, context=context, main=main, config=config, console=console)
    for run in (run for cell in plan.cells for run in cell.runs.values()):
        release_orphan(runs / run.folder)  # of a worker that was killed between its record and giving up its lease
    print_results(plan, config, console, started if missing else None)


def planned(
    question: Question, typed: Arguments, composer: Composer, console: Console
) -> tuple[Plan, dict[str, Any], list[str]]:
    """The plan of a question, checked and written; the records there are; a sentence for each that cannot be used."""
    config, runs = composer.master, Path(composer.master.runs)
    launcher = config.hydra.runtime.choices["hydra/launcher"]
    asked = len(question.points) * len(question.seeds)
    if not config.plan and sum(1 for _ in runs.glob(f"*/{RECORD}")) < asked:  # so something will be missing
        start_forkserver(launcher)
    plan = make_plan(question, typed, composer)
    records, problems = read_records(runs)
    if config.retry and not config.plan:
        reuse.set_aside(plan, records, config.retry, runs)
    problems += set_stale_aside(plan, records, config)
    if plan.missing(records) and not config.plan:
        start_forkserver(launcher)
    with console.status("checking what is to be trained …"):
        check_cells(plan, composer, records)
    if not config.plan or plan.name == config.study.name or not plan.untouched(records):  # else only asked, in passing
        write_json(plan_path(runs, plan.name), plan.as_json(), indent=None)
    return plan, records, problems


def announce(plan: Plan, records: dict[str, Any], problems: list[str], seeds: int, console: Console) -> None:
    """Say what will be trained and what is reused, and what cannot be."""
    console.print(f"[bold]{escape(plan.name)}[/]: {escape(planning.summary(plan, seeds, records))}", highlight=False)
    for problem in problems:
        console.print(f"[yellow]![/] {escape(problem)}", highlight=False)


def refuse_invalid(plan: Plan, on_invalid: str) -> None:
    """Raise StudyError where cells cannot be built: any, or all, as `on_invalid` has it."""
    if not plan.invalid:
        return
    point, reason = plan.invalid[0]
    if on_invalid == "stop":
        left_out = "nothing was trained (on_invalid=skip leaves such cells out)"
        raise StudyError(f"{planning.point_words(point)}: {reason}; {left_out}")
    if not plan.cells:
        raise StudyError(f"nothing can be built: {reason}")


def set_stale_aside(plan: Plan, records: dict[str, Any], config: DictConfig) -> list[str]:
    """Let records of other code, or of other data, answer the plan if that was asked for; a sentence for each kind."""
    accepted = config.stale == "accept"
    data_dir = Path(config.data_dir)
    changed = reuse.on_other_data(plan, records, lambda source: data_digest(source, data_dir))
    if changed and not accepted:
        if config.plan:
            for identity in changed:
                del records[identity]
        else:
            reuse.put_away(changed, records, "stale", Path(config.runs))
    stale = reuse.stale_records(plan, records)
    if accepted:
        reuse.accept(plan, stale)
    words = [reuse.data_words(changed, accepted=accepted)] if changed else []
    return words + ([reuse.stale_words(plan, stale, accepted=accepted)] if stale else [])


@dataclass
class Question:
    """What is asked: the chosen study with what the command line says about its axes.

    Attributes:
        points: without what the study has fixed.
        swept: the axes that vary.
    """

    study: dict[str, Any]
    points: list[Point]
    seeds: list[int]
    swept: list[str]

    @property
    def whole_points(self) -> list[Point]:
        """The points with what is fixed."""
        return [{**(self.study.get("fixed") or {}), **point} for point in self.points]


def resolve_question(typed: Arguments, config: DictConfig) -> Question:
    """The question of the chosen study and the command line.

    Raises:
        StudyError: no study is chosen, or it is malformed.
    """
    study: Any = OmegaConf.to_container(config.study, resolve=True) if config.get("study") else {}
    if not isinstance(study, dict) or not study.get("name"):
        raise StudyError("no study is chosen; choose one with study=NAME (python -m ablations list shows them)")
    if not NAME.fullmatch(str(study["name"])):
        raise StudyError(f"study.name={study['name']} is a folder's name too: letters, digits, and . _ = + - inside")
    check_claims(study)
    adhoc = {axis: value for axis, value in {**typed.swept, **typed.chosen}.items() if axis != "seed"}
    points, seeds, swept = merge(study, typed.chosen, typed.swept)
    name = f"{study['name']}-{digest(adhoc)[:6]}" if adhoc else study["name"]
    if adhoc:
        study["grid"] = points
        for word in ("cost", "expect"):  # of the grid as it is written
            study.pop(word, None)
    if budget_of(study):
        points, swept = doubled(points), [*swept, BUDGET, "width"]
    if set(typed.swept) - {"seed"}:
        study["question"] = f"A grid of your own: {public(command())}"
    return Question(study | {"name": name, "seeds": seeds}, points, seeds, swept)


def make_plan(question: Question, typed: Arguments, composer: Composer) -> Plan:
    """The plan of a question."""

    study = question.study

    def counted(point: Point) -> tuple[int, float]:
        from sweeps.preflight import count

        with as_value_error():
            made = composer(point)
            return count(made, study["match"]), made.width

    bare = Widths(question.whole_points, counted)
    fast = FastComposer(composer)

    def compose(point: Point) -> tuple[Run, list[str], dict[str, Any]]:
        point = bare(point)
        with as_value_error():
            run, settings = fast(point)
        return run, composer.overrides(point), settings

    cells, invalid = planning.make_cells(question.whole_points, question.seeds, compose)
    plan = Plan(study["name"], study, question.swept, command(), cells, invalid)
    if {*typed.swept, *typed.chosen} - {"seed"}:  # another grid: of the study's claims those that it can still answer
        rows = result_rows(plan.as_json(), {})
        study["claims"] = [claim for claim in study.get("claims") or [] if answerable(claim, rows)]
    elif not study.get("space") and not invalid:
        check_answers(plan.as_json())
    return plan


def search_first(
    question: Question,
    typed: Arguments,
    composer: Composer,
    *,
    context: HydraContext,
    main: TaskFunction,
    console: Console,
) -> Question | None:
    """Search the study's space; the question that is left then: the winners, with fresh seeds. None under `plan`."""
    from sweeps.search import Searching, listing, open_space

    config = composer.master
    if "seed" in {**typed.chosen, **typed.swept}:  # of the winners: what is asked for is more evidence on them
        asked = dict(question.study.get("search") or {})
        asked["replicate"] = {**(asked.get("replicate") or {}), "seeds": question.seeds}
        question.study["search"] = asked
    search = open_space(question.study, typed)
    points = question.whole_points
    searching = Searching(question.study, search, points, composer)
    console.print(f"[bold]{question.study['name']}[/]: {escape(searching.summary())}", highlight=False)
    if config.plan:
        console.print("\n".join(listing(searching)), highlight=False, markup=False)
        return None
    start_forkserver(config.hydra.runtime.choices["hydra/launcher"])
    check_cells(make_plan(question, typed, composer), composer, {})  # whether the data is there
    searching.carry_out(context=context, main=main, console=console)
    swept = list(dict.fromkeys([*question.swept, *search.space]))
    question.study["seeds"] = search.fresh
    return Question({**question.study, "fixed": {}}, searching.winners(), search.fresh, swept)

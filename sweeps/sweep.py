"""Do a sweep from its first word to its report: plan, check, train what is missing, print the results."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from ablations.question.seeds import seed_design
from ablations.question.study import StudyError
from ablations.records.lease import release_orphan
from sweeps.cli.from_python import answer
from sweeps.cli.settings import check_folder, check_hydra_folders, check_setting, check_settings
from sweeps.closing import closing_prepared, print_results, tracker_of
from sweeps.compose.active_options import shown
from sweeps.compose.arguments import Arguments, parse
from sweeps.compose.compose import Composer, plain_tree, refuse_nested
from sweeps.compose.unused import refuse_unused
from sweeps.planning import announce, make_plan, plan_and_check, print_notes
from sweeps.question import Question, resolve_question
from sweeps.validate import check_cells
from sweeps.workers.forkserver import start_forkserver
from sweeps.workers.launch import launch
from sweeps.workers.worker import Application


def sweep(arguments: list[str], *, context: HydraContext, main: TaskFunction, config: DictConfig) -> None:
    """Train what a study misses and report.

    Raises:
        StudyError, ValueError, OSError: bad input, before anything is trained.
        SystemExit: 2 when runs failed.
    """
    console = Console()
    arguments, sys.argv[1:] = shown(arguments), shown(sys.argv[1:])
    refuse_nested(plain_tree(config), config.hydra.runtime.choices)
    check_settings(config, config.hydra, arguments, sweep=True)
    check_hydra_folders(config.hydra)
    if config.trainer.get("devices", 1) != 1:  # Lightning would start the whole sweep again for each of them
        raise StudyError(f"trainer.devices={config.trainer.devices}: a run of a sweep has one device; leave out -m")
    runs = Path(config.runs)
    if (config.get("study") or {}).get("tables"):
        refuse_searches(arguments)
    typed = parse(arguments, context.config_loader)
    composer = Composer(context.config_loader, config, typed.rest)
    application = Application(main, context, config, typed.rest)
    question = resolve_question(typed, config, composer.brought_by)
    refuse_unused(config, config.hydra, {axis for point in question.whole_points for axis in point})
    refuse_other_name(config)
    for axis, value in (pair for point in question.points for pair in point.items()):
        check_setting(axis, value)
    check_folder(config)
    tracker_of(config)
    if config.simulated and not config.simulate:
        raise StudyError("simulated= names a file for the trials of a simulated search: add simulate=TABLE")
    if config.simulate and not question.study.get("space"):
        own = "asks tables of its own" if question.study.get("tables") else "does not search"
        raise StudyError(f"simulate: {question.study['name']} {own}; it is for a study with a space")
    if question.study.get("tables"):
        from sweeps.searches import compare_searches

        compare_searches(question, config, console)
        return
    if question.study.get("space"):
        winners = search_first(question, typed, composer, application, console)
        if winners is None:
            return
        question = winners
    plan, records, problems = plan_and_check(question, typed, composer, console)
    announce(plan, records, problems, question, config, console)
    if config.plan:
        return
    missing = plan.missing(records)
    if missing:
        with closing_prepared([runs / run.folder for _, run in missing], config):
            launch(plan, missing, application, console)
    for run in (run for cell in plan.cells for run in cell.all_runs):
        release_orphan(runs / run.folder)  # of a worker that was killed between its record and giving up its lease
    answer(study=plan.name, runs=str(runs.absolute()))
    print_results(plan, config, console, trained=bool(missing))


def refuse_other_name(config: DictConfig) -> None:
    """Raise StudyError for a study whose file has another name: by that one alone it would be found again."""
    file, name = config.hydra.runtime.choices.get("study"), (config.get("study") or {}).get("name")
    typed = any(word.lstrip("+").startswith("study.name=") for word in config.hydra.overrides.task)
    if file and name not in (None, "", file) and not typed:
        raise StudyError(f"study={file} says name: {name} in its file; write name: {file}, or rename the file")


def refuse_searches(arguments: list[str]) -> None:
    """Raise StudyError for a sampler or a pruner that is typed beside a study which compares several."""
    if odd := [word for word in arguments if re.match(r"[+~]*(sampler|pruner)\b", word)]:
        raise StudyError(f"{odd[0]}: this study compares searches; name them in its grid, as sampler: [tpe, additive]")


def search_first(
    question: Question, typed: Arguments, composer: Composer, application: Application, console: Console
) -> Question | None:
    """Search the study's space. Return the question of its winners with fresh seeds, or None if nothing is trained."""
    from sweeps.search import Searching, listing, open_search

    config = composer.master
    if "seed" in {**typed.chosen, **typed.swept}:  # of the winners: what is asked for is more evidence on them
        asked = dict(question.study.get("search") or {})
        asked["replicate"] = {**(asked.get("replicate") or {}), "seeds": list(question.seeds.first)}
        question.study["search"] = asked
    search = open_search(question.study, typed)
    if not config.simulate:
        if not config.plan:
            start_forkserver(config.hydra.runtime.choices["hydra/launcher"])
        plan = make_plan(question, typed, composer)
        if not config.plan:
            check_cells(plan, composer, {})  # whether the data is there
        print_notes(question.notes, console)
    searching = Searching(question.study, search, question.whole_points, composer)
    console.print(f"[bold]{question.study['name']}[/]: {escape(searching.summary())}", highlight=False)
    if config.plan:
        console.print("\n".join(listing(searching)), highlight=False, markup=False)
        return None
    if config.simulate:
        from sweeps.simulate import simulate

        simulate(searching, console)
        return None
    searching.carry_out(application, console)
    swept = list(dict.fromkeys([*question.swept, *search.space]))
    question.study["seeds"] = search.fresh
    return Question({**question.study, "fixed": {}}, searching.winners(), seed_design(search.fresh), swept)

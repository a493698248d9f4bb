"""Carry out `python -m ablations effects` and `path`: what the records say beyond the claims."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ablations.commands import plain_console
from ablations.records.task_metrics import shown_metric


def effects(options: argparse.Namespace) -> None:
    from ablations.analysis.anova import axis_effects
    from ablations.report.analyses import print_effects, print_importance
    from ablations.report.answer import Answer

    answer = Answer.read(options.study, options.runs)
    plan, records = answer.plan, answer.records
    if plan["study"].get("tunings"):
        from ablations.question.search_space import read_search

        if options.json:
            print(json.dumps([{**asdict(one), "named": one.named} for one in answer.importance], indent=1))
        else:
            print_importance(answer.importance, read_search(plan["study"]).objectives, plain_console())
        return
    where = choice(" ".join(options.where))
    metric = options.metric or shown_metric(plan["study"], "test")
    measured = axis_effects(plan, records, metric=metric, where=where, runs=options.runs)
    if options.json:
        print(json.dumps(asdict(measured), indent=1))
    else:
        print_effects(measured, plain_console())


def path(options: argparse.Namespace) -> None:
    from ablations.analysis.ablation_path import ablation_path
    from ablations.report.analyses import print_path
    from ablations.report.answer import Answer

    answer = Answer.read(options.study, options.runs)
    ends = choice(options.start), choice(options.end)
    metric = options.metric or shown_metric(answer.plan["study"], "val")  # an order is chosen, and so by validation
    found = ablation_path(answer.plan, answer.records, *ends, metric=metric, runs=options.runs)
    print_path(found, plain_console())


def add_analyses(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the two to the command line."""
    one = command(
        effects, "what each axis does, and two together (analysis of variance); of a search, what mattered (PED-ANOVA)"
    )
    one.add_argument("--json", action="store_true", help="for programs")
    one.add_argument("where", nargs="*", metavar="AXIS=VALUE", help="only the cells that agree, as in norm=batch")
    two = command(path, "from one cell to another, one axis at a time in the order of gain")
    two.add_argument("start", metavar="FROM", help='a cell, as in "block=plain depth=56"')
    two.add_argument("end", metavar="TO", help='a cell, as in "block=residual depth=56"')
    for each in (one, two):
        part = "test" if each is one else "validation"
        each.add_argument("--metric", help=f"what a claim may be about (by default the task's on the {part} set)")


def choice(words: str) -> dict[str, Any]:
    """`block=plain depth=56` as axes and values.

    Raises:
        ValueError: a word is not axis=value.
    """
    import yaml

    pairs = [word.partition("=") for word in words.split()]
    for axis, equals, value in pairs:
        if not (axis and equals and value):
            raise ValueError(f"{axis + equals + value!r} is not AXIS=VALUE, as in block=plain")
    try:
        return {axis: _read(yaml.safe_load(value)) for axis, _, value in pairs}
    except yaml.YAMLError as error:
        raise ValueError(f"{words!r} holds a value that cannot be read: write AXIS=VALUE, as in block=plain") from error


def _read(value: Any) -> Any:
    """Read 1e-2 as a number; YAML 1.1 takes it for a word."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value

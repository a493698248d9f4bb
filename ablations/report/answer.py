"""Work out what the records say about a study, once for all views of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ablations.analysis.anova import AxisEffects, axis_effects
from ablations.analysis.next_command import training_command
from ablations.analysis.results import Plan, Record, Row, result_rows
from ablations.analysis.until_decided import with_needed_seeds
from ablations.analysis.verdicts import Verdict, judge, level_of
from ablations.catalog.studies import chosen_plan
from ablations.question.wording import counted
from ablations.records.kept import kept_in, short_bytes
from ablations.records.record import read_records
from ablations.records.task_metrics import shown_metric
from ablations.records.typed_command import from_here
from ablations.report.comparability import published_settings
from ablations.report.completeness import incomplete, outdated_words
from ablations.report.verdict_list import reading_notes

if TYPE_CHECKING:
    from ablations.search.importance import Importance  # with Optuna, which only a search needs


@dataclass(frozen=True)
class Answer:
    """A study and its records; each result is computed when it is first asked for, and kept.

    Attributes:
        published: the plan as it is in its file.
        problems: a sentence for each damaged record.

    Raises:
        ClaimError: from `verdicts`, where a claim of the study is malformed.
    """

    published: Plan
    records: Mapping[str, Record]
    runs: Path
    problems: tuple[str, ...] = ()

    @classmethod
    def read(cls, study: str, runs: Path) -> Answer:
        """Read the plan of the study called `study`, and the records; ValueError where there is no such study."""
        plan, (records, problems) = chosen_plan(runs, study), read_records(runs)
        return cls(plan, records, runs, tuple(problems))

    @cached_property
    def plan(self) -> Plan:
        """The plan with the seeds that its open claims need so far."""
        return with_needed_seeds(self.published, self.records, self.runs)

    @cached_property
    def rows(self) -> list[Row]:
        return result_rows(self.plan, self.records)

    @cached_property
    def verdicts(self) -> list[Verdict]:
        found = judge(self.plan, self.records, runs=self.runs, images=True)
        settings = published_settings(self.plan, self.rows)
        return [replace(verdict, setting=setting) for verdict, setting in zip(found, settings, strict=True)]

    @property
    def verdicts_here(self) -> list[Verdict]:
        """The verdicts, with the commands that run from the current folder."""
        return [replace(verdict, command=from_here(verdict.command, self.runs)) for verdict in self.verdicts]

    @property
    def cautions_here(self) -> list[str]:
        """The cautions, with the command that runs from the current folder."""
        command = training_command(self.plan)
        return [line.replace(command, from_here(command, self.runs)) for line in self.cautions]

    @cached_property
    def incomplete(self) -> list[str]:
        """What is missing: a sentence for runs, a sentence for trials."""
        return incomplete(self.plan, self.rows, self.runs)

    @cached_property
    def cautions(self) -> list[str]:
        """What a reader must know before the numbers: what is missing, and which runs other code has trained."""
        return [*self.incomplete, *outdated_words(self.plan, (run for row in self.rows for run in row.runs))]

    @cached_property
    def effects(self) -> AxisEffects | str:
        """What each axis does to the test error, or the reason why that cannot be said."""
        try:
            metric = shown_metric(self.plan["study"], "test")
            return axis_effects(self.plan, self.records, metric=metric, runs=self.runs)
        except ValueError as error:
            return f"No analysis of variance: {error}."

    @cached_property
    def importance(self) -> list[Importance]:
        """How much each axis of a search decides which trials are the best, a tuning each."""
        from ablations.search.importance import search_importance

        return search_importance(self.plan, self.runs)

    @cached_property
    def disk(self) -> str:
        """What the weights of the study's runs take of the disk: `2.1 MB of weights of 27 runs`; empty for nothing."""
        records = [record for row in self.rows for record in row.runs]
        kept = kept_in(self.runs / record["folder"] for record in records)
        size = short_bytes(sum(one.size for one in kept))
        return f"{size} of weights of {counted(len(kept), 'run')}" if kept else ""

    @property
    def footnotes(self) -> list[str]:
        """How the verdicts are to be read, and of what they speak."""
        notes = reading_notes(self.verdicts, level_of(self.plan["study"]))
        own = {row.axes.get("split") for row in self.rows} == {"seed"}
        split = "new splits of the data (split=seed)" if own else "this split of the data"
        scope = f"Verdicts speak of new seeds and {split}; an interval over new images speaks of these too."
        return [*notes, scope] if notes else []

    @property
    def is_search(self) -> bool:
        return bool(self.plan["study"].get("tunings"))

    @property
    def question(self) -> str:
        return str(self.plan["study"].get("question") or self.plan["name"])

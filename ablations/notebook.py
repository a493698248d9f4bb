"""Show a record, a study and its figures to a Python program: as data frames, and as HTML in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.question.did_you_mean import instead
from ablations.records.layout import RECORD
from ablations.records.record import read_record
from ablations.report.answer import Answer
from ablations.report.frames import curves_frame, diagnostics_frame, frame

if TYPE_CHECKING:
    from pandas import DataFrame

    from ablations.charts.figure import Figure


@dataclass(frozen=True)
class Record:
    """What one run left behind: its `folder`, and as `data` its record.json, whose fields docs/records.md lists."""

    folder: Path
    data: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read the record in a folder; ValueError where there is none."""
        return cls(folder, read_record(folder / RECORD))

    @property
    def label(self) -> str:
        return self.data["label"]

    @property
    def status(self) -> str:
        """`finished`, `diverged` or `failed`."""
        return self.data["status"]

    @property
    def cause(self) -> str | None:
        """Why a run diverged or failed."""
        return self.data["cause"]

    @property
    def axes(self) -> Mapping[str, Any]:
        """The choices that mattered."""
        return self.data["axes"]

    @property
    def metrics(self) -> dict[str, float | None]:
        """Errors in percent, losses in nats."""
        return self.data["metrics"]

    def curve(self) -> DataFrame:
        """A row an epoch: learning rate, losses, errors, seconds."""
        return curves_frame([self._here], self.folder.parent)

    def diagnostics(self) -> DataFrame:
        """A row a block of every epoch: gradients, weights, updates; `block_number` 0 is the whole network."""
        return diagnostics_frame([self._here], self.folder.parent)

    @property
    def _here(self) -> dict[str, Any]:
        return {**self.data, "folder": self.folder.name}

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:.4g}" for name, value in self.metrics.items() if value is not None)
        return (
            f"<Record {self.label}: {self.status}{f' ({self.cause})' if self.cause else ''}, {numbers or 'no metric'}>"
        )

    def _repr_html_(self) -> str:
        from ablations.html.tables import table

        sizes = {key: self.data.get(key) for key in ("params", "macs", "epochs", "seconds")}
        known = {name: value for name, value in {**self.metrics, **sizes}.items() if value is not None}
        numbers = {name: f"{value:,}" if isinstance(value, int) else f"{value:.4g}" for name, value in known.items()}
        chosen = ", ".join(f"{axis}={value}" for axis, value in self.axes.items())
        ended = f"{self.status} ({self.cause})" if self.cause else self.status
        words = [f"<b>{escape(self.label)}</b> {escape(ended)}", table([*numbers], [[*numbers.values()]], left=0)]
        return "".join([*words, *(f"<small>{escape(text)}</small><br>" for text in (chosen, str(self.folder)))])


@dataclass(frozen=True)
class Chart:
    """One figure of a study: a picture in a notebook, with its data and its Vega-Lite specification."""

    figure: Figure

    @property
    def spec(self) -> dict[str, Any]:
        """The whole figure as Vega-Lite, data included: `altair.Chart.from_dict(chart.spec)` goes on from it."""
        from ablations.charts.pictures import picture_spec

        return picture_spec(self.figure)

    @property
    def data(self) -> DataFrame:
        """The numbers that are drawn."""
        from pandas import DataFrame

        return DataFrame(self.figure.rows)

    def save(self, path: str | Path) -> None:
        """Write the picture; the ending says how: `.svg`, `.png` or `.pdf`."""
        from ablations.charts.pictures import picture
        from ablations.paper import PICTURES

        kind = Path(path).suffix.removeprefix(".")
        if kind not in PICTURES:
            raise ValueError(f"{path}: a picture ends in .{', .'.join(PICTURES)}")
        Path(path).write_bytes(picture(self.figure, kind))

    def __repr__(self) -> str:
        return f"<Chart {self.figure.name}: {self.figure.title}>"

    def _repr_svg_(self) -> str:
        from ablations.charts.pictures import svg

        whole = svg(self.figure)  # a browser's letters may be wider than those it was measured with
        return whole.replace("<svg ", '<svg style="overflow: visible" ', 1)


@dataclass(frozen=True)
class Study:
    """A study with the records that there were when it was read."""

    answer: Answer

    @classmethod
    def read(cls, name: str, runs: Path) -> Study:
        """Read a study's plan and the records in `runs`; ValueError where there is no such study."""
        return cls(Answer.read(name, runs))

    @property
    def name(self) -> str:
        return self.answer.plan["name"]

    @property
    def question(self) -> str:
        return self.answer.question

    def table(self) -> DataFrame:
        """A row a cell: swept axes, number of seeds, mean and standard deviation (n − 1) of every metric, sizes."""
        from ablations.report.csv_files import results_table

        return frame(results_table(self.answer.rows))

    def verdicts(self) -> DataFrame:
        """A row a claim: verdict, effect with its 95% interval, n, p, and the p that was needed."""
        from ablations.report.csv_files import verdicts_table

        return frame(verdicts_table(self.answer.verdicts))

    def records(self) -> DataFrame:
        """A row a run of this study."""
        from ablations.report.csv_files import runs_table

        return frame(runs_table(self.answer.rows))

    def curves(self) -> DataFrame:
        """A row an epoch of every run of this study."""
        return curves_frame(self._runs, self.answer.runs)

    def diagnostics(self) -> DataFrame:
        """A row a block of every epoch of every run of this study; `block_number` 0 is the whole network."""
        return diagnostics_frame(self._runs, self.answer.runs)

    @cached_property
    def figures(self) -> Mapping[str, Chart]:
        """Every figure of the study's page, by name."""
        from ablations.charts.figures import figures_of

        return {figure.name: Chart(figure) for figure in figures_of(self.answer)}

    def figure(self, name: str | None = None) -> Chart:
        """A figure by its name; without one the figure that answers the study.

        Raises:
            ValueError: there is no such figure, or nothing is trained yet.
        """
        from ablations.charts.pictures import study_picture

        if name is None:
            main = study_picture(self.answer)
            if main is None:
                raise ValueError(f"{self.name} has nothing to draw: no run is finished")
            return Chart(main)
        if name not in self.figures:
            raise ValueError(f"{self.name} has no figure {name!r}{instead(name, list(self.figures), 'there are')}")
        return self.figures[name]

    @property
    def _runs(self) -> list[dict[str, Any]]:
        return [dict(run) for row in self.answer.rows for run in (*row.runs, *row.failures)]

    def __repr__(self) -> str:
        rows, counts = self.answer.rows, Counter(verdict.outcome for verdict in self.answer.verdicts)
        said = ", ".join(f"{n} {outcome}" for outcome, n in counts.items()) or "no claims"
        failed = f", {n} failed" if (n := sum(row.failed for row in rows)) else ""
        return f"<Study {self.name}: {len(rows)} cells, {sum(row.n for row in rows)} runs{failed}; {said}>"

    def _repr_html_(self) -> str:
        from ablations.html.tables import table
        from ablations.report.table import cell_texts, columns_of
        from ablations.report.verdict_list import SIGNS, evidence_words

        wanted = columns_of(self.answer.rows)
        swept, lines = cell_texts(self.answer.rows, wanted)
        heads = [*swept, *(column.name for column in wanted)]
        parts = [f"<b>{escape(self.name)}</b> {escape(self.question)}", table(heads, lines, left=len(swept))]
        for verdict in self.answer.verdicts:
            sign = SIGNS[verdict.outcome][0]
            words = escape(evidence_words(verdict))
            parts.append(f"<p>{sign} {escape(verdict.says)} <b>{verdict.outcome}</b><br><small>{words}</small></p>")
        parts += [f"<p>{escape(sentence)}</p>" for sentence in (*self.answer.incomplete, *self.answer.problems)]
        return "".join(parts)

"""Say which runs of a study are needed by now: all of a list of seeds, or those that its open claims need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ablations.analysis.until_decided import with_needed_seeds
from ablations.records.files import RecordError
from ablations.records.layout import RECORD
from ablations.records.record import Record, read_record


@dataclass
class Needed:
    """Judges the claims of a plan again as records come, each read once; without a plan every run is needed."""

    plan: Mapping[str, Any] | None = None
    runs: Path = Path("runs")
    records: dict[str, Record] = field(default_factory=dict)
    known: set[str] | None = None

    @property
    def settled(self) -> bool:
        """Whether further runs can never be needed."""
        return self.plan is None

    def folders(self) -> set[str] | None:
        """The folders of the runs that are needed by now; None for all."""
        if self.plan is None:
            return None
        if self._read_new(self.plan) or self.known is None:
            now = with_needed_seeds(self.plan, self.records, self.runs)
            self.known = {run["folder"] for cell in now["cells"] for run in cell["runs"]}
        return self.known

    def _read_new(self, plan: Mapping[str, Any]) -> bool:
        """Read the records that are new; return whether there were any."""
        before = len(self.records)
        for cell in plan["cells"]:
            for run in (*cell["runs"], *cell["further"]):
                path = self.runs / run["folder"] / RECORD
                if run["identity"] not in self.records and path.exists():
                    try:
                        self.records[run["identity"]] = read_record(path)
                    except RecordError:  # it is trained again
                        continue
        return len(self.records) > before

"""Find the records that the runs of a study left under older code: of the same settings, and of the same seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ablations.analysis.results import Plan, Record
from ablations.identity.run import digest

SHOWN = 8  # digits of a hash
NAMED = 3  # changed files that a sentence names


class Version(NamedTuple):
    """The records of a cell under one version of its code; `changed`: file → its hash then and its hash now."""

    records: Sequence[Record]
    changed: Mapping[str, tuple[str, str]]

    @property
    def finished(self) -> str:
        return max(_provenance(record, "finished") for record in self.records)

    def is_called(self, name: str) -> bool:
        """Whether a name means this version: the first digits of the hash of a changed file, or of the git commit."""
        hashes = [before for before, _ in self.changed.values()]
        return any(known.startswith(name) for known in (*hashes, *(_provenance(r, "git") for r in self.records)))

    @property
    def words(self) -> str:
        """`lightning_modules/networks/blocks.py d2562adf → 77ab01c9 (git f06a9937c17f, 2026-11-28)`."""
        files = [f"{file} {before[:SHOWN]} → {now[:SHOWN]}" for file, (before, now) in self.changed.items()]
        more = f" and {len(files) - NAMED} more files" if len(files) > NAMED else ""
        git = ", ".join(sorted({_provenance(record, "git") for record in self.records} - {""}))
        return f"{', '.join(files[:NAMED])}{more} ({f'git {git}, ' if git else ''}{self.finished[:10]})"


def older_plan(plan: Plan, records: Mapping[str, Record], name: str = "") -> tuple[dict[str, Any], list[str]]:
    """The plan of a study with the records of older code as its runs, and a sentence for each version of the code.

    `name` says which version; without one it is the newest of each cell.

    Raises:
        ValueError: there is no older record, or none of that version.
    """
    by_config: dict[str, list[Record]] = {}
    for record in records.values():
        if "config" in record and "code" in record and record["status"] != "failed":
            by_config.setdefault(digest(record["config"]), []).append(record)
    cells, taken, left = [], {}, {}
    for cell in plan["cells"]:
        versions = _versions(cell, records, by_config)
        chosen = next((one for one in versions if not name or one.is_called(name)), None)
        for one in versions:
            (taken if one is chosen else left)[one.words] = one
        if chosen is not None:
            fields = ("identity", "label", "folder", "seed")
            runs = [{key: record[key] for key in fields} for record in chosen.records]
            cells.append({**cell, "runs": sorted(runs, key=lambda run: run["seed"]), "further": []})
    if not cells:
        known = f"; there are: {'; '.join(left)}" if left else ""
        if not known and not name:
            known = "; after a change of the code, type the study's command again first: it trains what has changed"
        of = f"of the code {name!r}" if name else "of older code with the settings of a run that is trained now"
        raise ValueError(f"{plan['name']} has no record {of}{known}")
    notes = [f"older code: {words}" for words in taken]
    notes += [f"not compared: {words}; --code HASH chooses it" for words in left if not name]
    return {**plan, "cells": cells}, notes


def _versions(
    cell: Mapping[str, Any], records: Mapping[str, Record], by_config: Mapping[str, Sequence[Record]]
) -> list[Version]:
    """The older versions of a cell's code that left records, the newest first."""
    now = next((records[run["identity"]] for run in cell["runs"] if run["identity"] in records), None)
    if now is None or "config" not in now or "code" not in now:
        return []
    found: dict[str, list[Record]] = {}
    for record in by_config.get(digest(now["config"]), ()):
        if record["cell"] != now["cell"]:
            found.setdefault(record["cell"], []).append(record)
    versions = []
    for some in found.values():
        before, after = some[0]["code"], now["code"]
        files = sorted(file for file in {*before, *after} if before.get(file) != after.get(file))
        versions.append(Version(some, {file: (before.get(file, "none"), after.get(file, "none")) for file in files}))
    return sorted(versions, key=lambda one: one.finished, reverse=True)


def _provenance(record: Record, field: str) -> str:
    return str((record.get("provenance") or {}).get(field) or "")

"""Read the studies of conf/study and the plans of those that have been run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ablations.catalog.choices import CONF, config_files
from ablations.question.did_you_mean import instead
from ablations.records.record import plans, read_plan
from ablations.records.typed_command import from_here

STUDIES = CONF / "study"


def written_studies() -> dict[str, Mapping[str, Any] | None]:
    """Read the studies of conf/study as they are written, by name; a file without a study has None."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where libyaml is there
    found: dict[str, Mapping[str, Any] | None] = {}
    for word, path in config_files(STUDIES).items():
        try:
            data = yaml.load(path.read_text(encoding="utf-8"), loader)
            study = data.get("study") or {}
            found[study.get("name") or word] = study if "question" in study else None
        except (yaml.YAMLError, OSError, AttributeError):
            found[word] = None
    return found


def new_name(study: str) -> str | None:
    """Return `study=degradation_paper is now study=cifar/degradation`, or None for what is no old name.

    The studies of larger data were called `NAME_paper`, the searches among them `search_NAME_cifar`. They are now in
    folders named after their data.
    """
    stem = study.removesuffix("_cifar" if study.startswith("search_") else "_paper")
    moved = [word for word in config_files(STUDIES) if word.endswith(f"/{stem}")] if stem != study else []
    return f"study={study} is now study={moved[0]}" if moved else None


def duration(minutes: float | None) -> str:
    """Write minutes as `3 min`, `26 h` or `15 d`, and as a dash where nobody should try, or nobody knows."""
    if not minutes:
        return "–"
    if minutes < 120:
        return f"{minutes:g} min"
    return f"{minutes / 60:.0f} h" if minutes < 2 * 24 * 60 else f"{minutes / 60 / 24:.0f} d"


def chosen_plan(runs: Path, study: str) -> dict[str, Any]:
    """Read the plan of the study called `study`.

    Raises:
        ValueError: there is none; says its new name, the nearest one, or how to run it.
    """
    names = plans(runs)
    if study in names:
        return read_plan(runs, study)
    if written_studies().get(study) is not None:
        command = from_here(f"python run.py -m study={study}", runs)
        raise ValueError(f"{study} has not been run into {runs}/ yet; {command}")
    if moved := new_name(study):
        raise ValueError(moved)
    known = list(dict.fromkeys([*names, *(name for name, written in written_studies().items() if written is not None)]))
    empty = "" if names else f"; nothing has been run into {Path(runs).absolute()}"
    raise ValueError(f"no study {study!r}{instead(study, known, 'there are')}; list shows all{empty}")

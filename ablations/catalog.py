"""The studies one can name: those that have been run, and those written in conf/study."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from ablations.records import plans, read_plan

STUDIES = Path(__file__).resolve().parents[1] / "conf" / "study"


def written_studies() -> dict[str, str | None]:
    """Name → question of the studies in conf/study; a file without a study has None."""
    import yaml

    found: dict[str, str | None] = {}
    for path in sorted(STUDIES.glob("*.yaml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            study = data.get("study") or {}
            found[study.get("name") or path.stem] = str(study["question"]) if "question" in study else None
        except (yaml.YAMLError, OSError, AttributeError):
            found[path.stem] = None
    return found


def chosen_plan(runs: Path, study: str) -> dict[str, Any]:
    """The plan of the study called `study`.

    Raises:
        ValueError: there is none; says which there are, and the nearest.
    """
    names = plans(runs)
    if study in names:
        return read_plan(runs, study)
    if written_studies().get(study) is not None:
        raise ValueError(f"{study} has not been run into {runs}/ yet; python run.py -m study={study}")
    known = list(
        dict.fromkeys([*names, *(name for name, question in written_studies().items() if question is not None)])
    )
    near = difflib.get_close_matches(study, known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"no study {study!r}; {hint}there are: {', '.join(known) or 'none'}")

"""Read a file of claims, which says what is asked of a table of runs.

Its fields:
    question: Is it better with dropout?      optional
    claims: [...]                             as in a study, see ablations/analysis/claim_schema.py
    metrics: {accuracy: higher, wer: lower}   which side is better, of each metric that a claim is about; if it lies
                                              between two ends, {accuracy: {better: higher, low: 0, high: 1}}
    columns: {seed: seed, status: State}      optional: the columns of seed, status and `axes`, a list
    seeds: {from: 3, most: 30}                optional: looked at after any seed, up to 30; a list is a fixed design
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ablations.analysis.metrics import MetricError, read_metric
from ablations.elsewhere.values import INTEGER, NUMBER
from ablations.question.did_you_mean import instead

FORMS = {
    "claims": (list, "[{says: Dropout helps., metric: accuracy, …}]"),
    "metrics": (dict, "{accuracy: higher}"),
    "columns": (dict, "{seed: seed, axes: [model, lr]}"),
}
FIELDS = ("question", *FORMS, "seeds")
COLUMNS = ("seed", "status", "axes")
SEEDS = {"from": 3, "most": 30}


class QuestionError(ValueError):
    """Says in one sentence what is wrong in a file of claims, and what is allowed."""


def read_claims_file(file: str) -> dict[str, Any]:
    """Read a file of claims; `seeds`, `metrics` and `columns` are always there.

    Raises:
        QuestionError: it is no YAML, or a field is unknown or has another form.
        OSError: it cannot be read.
    """
    import yaml

    try:
        asked = yaml.load(Path(file).read_text(encoding="utf-8-sig"), _loader())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise QuestionError(f"{file}: no good YAML ({' '.join(str(error).split())})") from None
    if not isinstance(asked, dict) or not asked.get("claims"):
        raise QuestionError(f"{file}: has no claims; it takes {', '.join(FIELDS)}")
    if odd := [str(key) for key in asked if key not in FIELDS]:
        raise QuestionError(f"{file}: unknown field {odd[0]!r}{instead(odd[0], FIELDS, 'allowed are')}")
    for name, (kind, example) in FORMS.items():
        asked[name] = kind() if asked.get(name) is None else asked[name]
        if not isinstance(asked[name], kind):
            raise QuestionError(f"{file}: {name} is written {name}: {example}, not {str(asked[name])[:40]!r}")
    asked["metrics"] = {str(metric): about for metric, about in asked["metrics"].items()}
    try:
        for metric in asked["metrics"]:
            read_metric(metric, asked["metrics"])
    except MetricError as error:
        raise QuestionError(f"{file}: {error}") from None
    if odd := [str(key) for key in asked["columns"] if key not in COLUMNS]:
        raise QuestionError(f"{file}: unknown column {odd[0]!r}{instead(odd[0], COLUMNS, 'columns takes')}")
    if not isinstance(asked["columns"].get("axes") or [], list):
        raise QuestionError(f"{file}: axes is a list of columns, like [model, lr]")
    asked["seeds"] = asked.get("seeds") or dict(SEEDS)
    if not _good_seeds(asked["seeds"]):
        said = asked["seeds"]
        raise QuestionError(f"{file}: seeds is {{from: 3, most: 30}}, or a list of at least three; not {said!r}")
    return asked


def _good_seeds(seeds: Any) -> bool:
    if isinstance(seeds, list):
        return len(seeds) >= SEEDS["from"] and len({*map(str, seeds)}) == len(seeds)
    if not isinstance(seeds, dict) or set(seeds) != {*SEEDS}:
        return False
    first, most = seeds["from"], seeds["most"]
    return type(first) is int and type(most) is int and SEEDS["from"] <= first <= most


def _loader() -> type:
    """A YAML reader with the numbers of YAML 1.2 and of Hydra: `1e-3` is a number, and `0123` and `1:30` are texts."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012
            start: [(tag, pattern) for tag, pattern in known if not tag.endswith((":int", ":float", ":timestamp"))]
            for start, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    for tag, pattern in (("int", INTEGER), ("float", NUMBER)):
        Loader.add_implicit_resolver(
            f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern.pattern})$"), list("-+.0123456789")
        )
    return Loader

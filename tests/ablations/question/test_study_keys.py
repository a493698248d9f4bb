"""Every key of a study file, misspelt at any level, is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from omegaconf import OmegaConf

from ablations.analysis.claim_schema import check_claims
from ablations.catalog.choices import CONF, config_files
from ablations.question.search_space import read_search
from ablations.question.seeds import seed_design
from ablations.question.study import StudyError, check_keys

STUDIES = {
    name: path
    for name, path in config_files(CONF / "study").items()
    if "\n  tables:" not in path.read_text()  # whose search has other keys
}
OPEN = {"fixed", "grid", "space", "cell", "plus", "minus", "order", "metrics"}  # their keys are axes, or names


def check(study: dict[str, Any]) -> None:
    check_keys(study)
    if study.get("seeds") is not None:
        seed_design(study["seeds"])
    if study.get("space") or study.get("search"):
        read_search(study)
    check_claims(study)


def keys(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every key that the schema knows."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        inside = [name for name in path if not isinstance(name, int)]
        if isinstance(node, dict) and not (inside and inside[-1] in OPEN):
            yield (*path, key)
        yield from keys(value, (*path, key))


def misspelt(study: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    wrong = deepcopy(study)
    node: Any = wrong
    for key in path[:-1]:
        node = node[key]
    node[f"{path[-1]}x"] = node.pop(path[-1])
    return wrong


@pytest.mark.parametrize("name", STUDIES)
def test_a_key_that_is_misspelt_is_refused(name: str) -> None:
    study: Any = OmegaConf.to_container(OmegaConf.load(STUDIES[name]).study)  # reads 1e-6 as a number, as Hydra does
    check(study)
    for path in keys(study):
        with pytest.raises(ValueError, match=re.escape(f"{path[-1]}")):
            check(misspelt(study, path))


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ({"fixd": {}}, "'fixd'; did you mean fixed?"),
        ({"claim": []}, "'claim'; did you mean claims?"),
        ({"seed": [1]}, "'seed'; did you mean seeds?"),
        ({"cost": {"cpu_minute": 3}}, "'cpu_minute'; did you mean cpu_minutes?"),
        ({"question": ["x"]}, "study.question: ['x'] is not a text"),
        ({"name": False}, "write 'no' in quotes"),
        ({"seeds": True}, "study.seeds: True is not"),
        ({"claims": "x"}, "study.claims: 'x' is not a list"),
        ({"search": {"trials": 3}}, "study.space has no axis to search"),
        ({"space": {}}, "study.space has no axis to search"),
        ({"space": {"depth": [8, 14]}, "tables": {"a": "a.csv"}}, "either searches or compares searches"),
    ],
)
def test_the_sentence_says_what_was_meant(study: dict[str, Any], says: str) -> None:
    with pytest.raises(StudyError, match=re.escape(says)):
        check_keys(study)


def test_a_name_that_is_a_number_is_taken() -> None:
    check_keys({"name": 2024, "question": 2024})

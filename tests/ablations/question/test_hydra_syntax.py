"""A value that is written as an override is read back by Hydra as the same value of the same type."""

from __future__ import annotations

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from ablations.plan.plan import point_words
from ablations.question.hydra_syntax import to_overrides

TEXTS = [
    *(
        "plain",
        "16-mixed",
        "a.b",
        "",
        " x",
        "1",
        "-2",
        "1e-3",
        "1_0",
        "null",
        "True",
        "false",
        "nan",
        "-inf",
        "é",
        "a,b",
    ),
    *(
        "a,b",
        "a=b",
        "a:b",
        "[1]",
        "{a:1}",
        "it's",
        "a\\b",
        "a\\'b",
        "x\\",
        "x\\\\",
        "\\'",
        "a\nb",
        "$x",
        "range(3)",
        "-",
        ".",
    ),
]
VALUES = [*TEXTS, None, True, False, 0, -3, 1e-3, 0.5, [1, "1", None, "a b"], {"a": "1", "b": [True, "true"]}, TEXTS]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_what_is_written_is_read_back(value: object) -> None:
    (word,) = to_overrides({"recipe.name": value})
    read = OverridesParser.create().parse_override(word)
    assert not read.is_sweep_override()
    assert repr(read.value()) == repr(value)


def test_a_point_is_quoted_for_the_shell_too() -> None:
    point = {"recipe.clip_norm": None, "block": "it's"}
    assert shlex.split(point_words(point)) == ["recipe.clip_norm=null", "block='it\\'s'"]

"""Read the words that were typed: sort them for Hydra's parser, and refuse what it cannot read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from ablations.catalog.choices import CONF, config_files
from ablations.question.hydra_syntax import quoted
from ablations.records.typed_command import program_here
from sweeps.compose.compose import default_axes
from sweeps.compose.hydra_internals import SWEEP, hydra_parser

EXAMPLE = "write axis=value without spaces, as depth=8"


def read_words(words: list[str]) -> tuple[list[str], argparse.Namespace]:
    """Sort the words so that Hydra can parse them; also return them parsed; ValueError for one that says nothing."""
    parser = argparse.ArgumentParser(
        parents=[hydra_parser()], conflict_handler="resolve", add_help=False, exit_on_error=False, allow_abbrev=False
    )
    parser.add_argument("--version", action="store_true")  # of this program, not Hydra's
    try:
        typed, rest = parser.parse_known_args(sorted(words, key=lambda word: word not in SWEEP))
    except argparse.ArgumentError as error:
        raise ValueError(f"{error}; {program_here()} --hydra-help shows the flags") from error
    for word in rest:
        if word.startswith("-"):
            raise ValueError(f"there is no flag {word}: {_flag(word.lstrip('-'), _after(word, words))}")
    overrides = [*typed.overrides, *rest]  # what follows a flag is left over, and Hydra would refuse it
    for word in overrides:
        check_word(word, " ".join(words))
        if typed.config_dir:
            refuse_folder(word, Path(typed.config_dir))
    flags = [word for word in words if word not in overrides]
    first = [word for word in flags if word in SWEEP]
    typed.overrides = list(map(with_quotes, overrides))
    return [*first, *typed.overrides, *(word for word in flags if word not in SWEEP)], typed


def in_a_sweep(words: Collection[str]) -> str:
    """Return ` in a sweep (-m)`, or nothing where these words say `-m` already."""
    return "" if {*SWEEP} & {*words} else " in a sweep (-m)"


def with_quotes(word: str) -> str:
    """Quote the values of an override that hold a `=`, as the folder of a run may: `init.run=runs/…-epochs=2-s0-…`."""
    axis, _, value = word.partition("=")
    if "=" not in value or re.search(r"""['"\[({$]""", value):
        return word
    return f"{axis}={','.join(map(quoted, value.split(',')))}"


def check_word(word: str, line: str) -> None:
    """Raise ValueError for a word that is no override, or that gives a group a list; `line` is all that was typed.

    What else can be wrong with an override is said by Hydra, which knows the groups of plugins too.
    """
    axis, equals, value = word.partition("=")
    if (several := re.fullmatch(r"\[(.+)\]", value)) and (CONF / axis.lstrip("+")).is_dir():
        raise ValueError(f"{axis} takes one word: for several write {axis}={several[1]}{in_a_sweep(line.split())}")
    if equals and axis != axis.rstrip():
        raise ValueError(f"{word!r} has a space before its `=`: write {axis.rstrip()}={value.lstrip()}")
    if word.startswith("~") or (axis and equals):
        return
    if (pair := re.fullmatch(r"(\S+)\s+(\S+)", word)) and pair[1].partition(".")[0] in default_axes(CONF):
        raise ValueError(f"{pair[1]} is given no value: write {pair[1]}={pair[2]} without spaces")
    spaced = re.search(rf"(?<!\S){re.escape(axis)} ?= ?(\S+)", line) if axis else None
    if spaced is None and axis.partition(".")[0] in default_axes(CONF):
        spaced = re.search(rf"(?<!\S){re.escape(word)} (-\d[^\s=]*|[^\s=-][^\s=]*)(?!\S)", line)
    if spaced:
        raise ValueError(f"{axis} is given no value: write {axis}={spaced[1]} without spaces")
    meant = [name.replace("/", "=", 1) for name in config_files(CONF) if name.partition("/")[2] == word]
    if meant:
        raise ValueError(f"{word!r} does not say what it is for: write {' or '.join(meant)}")
    if axis in default_axes(CONF):
        raise ValueError(f"{axis} is given no value: write {_example(axis)}")
    raise ValueError(f"{word!r} says nothing: {EXAMPLE}")


def refuse_folder(word: str, config_dir: Path) -> None:
    """Raise ValueError for a setting that `--config-dir` has a folder of: Hydra takes it for a group of choices."""
    axis, _, value = word.partition("=")
    name = axis.lstrip("+")
    if name not in default_axes(CONF) or (CONF / name).is_dir() or not (config_dir / name).is_dir():
        return
    if not OverridesParser.create().parse_override(f"{name}={value}").is_sweep_override():  # else Hydra does not ask
        says = f"{config_dir / name} is a folder, which Hydra takes for choices called {name}"
        raise ValueError(f"{word}: {says}: rename it, or give --config-dir a folder with your choices alone")


def _after(word: str, words: list[str]) -> str:
    """Return the word that was typed after another one; nothing where that is an override or a flag."""
    following = words[words.index(word) + 1 :][:1] if word in words else []
    return "" if not following or "=" in following[0] or following[0].startswith("-") else following[0]


def _flag(word: str, after: str) -> str:
    """Suggest what to write instead of an unknown flag, which `after` follows."""
    axis, _, value = word.partition("=")
    if axis.partition(".")[0] not in default_axes(CONF):
        return f"the flag of a sweep is -m, and --hydra-help shows the others; {EXAMPLE}"
    return f"write {axis}={value or after}" if value or after else f"write {_example(axis)}"


def _example(axis: str) -> str:
    shipped = default_axes(CONF).get(axis)
    return f"{axis}=true" if isinstance(shipped, bool) else f"{axis}={'VALUE' if shipped is None else shipped}"

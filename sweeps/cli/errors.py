"""Say in one sentence, to the person who typed, what was wrong, what is allowed and the nearest valid choice."""

from __future__ import annotations

import linecache
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ablations.catalog.choices import config_files, in_order
from ablations.catalog.studies import STUDIES, new_name
from ablations.question.did_you_mean import instead, nearest
from ablations.question.hydra_syntax import PLAIN, to_overrides

DEBUG = "SKIPBENCH_DEBUG"
WHERE = f" ({DEBUG}=1 shows where)"
OURS = ("ablations", "hydra_plugins", "lightning_modules", "run", "skipbench", "sweeps")


@contextmanager
def friendly_errors() -> Iterator[None]:
    """Turn an error that a person can mend into one sentence on stderr and exit status 1.

    Errors that are not of that kind, and all of them under SKIPBENCH_DEBUG=1, pass through with their traceback. Where
    the reader of stdout has gone, as `head` goes, nothing is said, and the exit status is that of the signal SIGPIPE.
    """
    try:
        yield
        if sys.stdout is not None:  # None where it was closed from the start
            sys.stdout.flush()
    except BrokenPipeError:
        if sys.stdout is not None:  # for what is still to be flushed
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(141) from None
    except Exception as error:
        text = sentence(error)
        if text is None or os.environ.get(DEBUG) == "1":
            raise
        print(f"error: {text if is_user_error(error) or WHERE in text else text + WHERE}", file=sys.stderr)
        raise SystemExit(1) from None


@contextmanager
def as_value_error() -> Iterator[None]:
    """Turn an error about one cell into a ValueError with one sentence, whatever its code raises.

    An OSError passes: a missing data set is about all cells. An error that has no sentence of its own is named by its
    type, and passes under SKIPBENCH_DEBUG=1.
    """
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        text = sentence(error)
        if text is None and os.environ.get(DEBUG) == "1":
            raise
        raise ValueError(text or f"{type(error).__name__}: {_first_line(str(error))}{WHERE}") from error


def is_user_error(error: BaseException) -> bool:
    """Whether an error was raised for the person who typed: by a `raise` of this project, or by Hydra."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import MarkedYAMLError

    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    passed_on = last is not None and last.tb_frame.f_code is as_value_error.__wrapped__.__code__
    if passed_on or isinstance(error, HydraException | OmegaConfBaseException):
        return error.__cause__ is None or is_user_error(error.__cause__)
    if last is None or isinstance(error, ImportError | MarkedYAMLError):
        return True
    ours = str(last.tb_frame.f_globals.get("__name__")).partition(".")[0] in OURS
    return ours and linecache.getline(last.tb_frame.f_code.co_filename, last.tb_lineno).lstrip().startswith("raise")


def sentence(error: BaseException) -> str | None:
    """Return the sentence for the person who typed; None if the error is not theirs to mend."""
    from hydra.errors import (
        ConfigCompositionException,
        HydraException,
        InstantiationException,
        MissingConfigException,
        OverrideParseException,
    )
    from omegaconf.errors import OmegaConfBaseException
    from yaml import MarkedYAMLError

    if isinstance(error, MissingConfigException):
        return _no_such_choice(error.missing_cfg_file or "", error.options or [], str(error))
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override) or f"{error.override!r} is not an override: {_first_line(error.message)}"
    if isinstance(error, ConfigCompositionException) and (
        several := re.search(r"(?:argument|parameters) '(.*?)'", str(error))
    ):
        return f"{several[1]} names several values: add -m to sweep over them, or write key=[a,b] for a list"
    if isinstance(error, ConfigCompositionException | InstantiationException):
        return _inner(error)
    if isinstance(error, OmegaConfBaseException):
        return _setting(error) or _inner(error)
    if isinstance(error, UnicodeDecodeError):
        return "a file of the configuration is not UTF-8: save it in that encoding"
    if isinstance(error, HydraException | ValueError | OSError):
        return _first_line(str(error))
    if isinstance(error, MarkedYAMLError):
        return _no_yaml(error)
    return None


def _no_yaml(error: Any) -> str:
    """Say where a YAML file is malformed, and what is often meant."""
    mark = error.problem_mark or error.context_mark
    where = f"{mark.name}, line {mark.line + 1}" if mark else "a file of the configuration"
    problem = error.problem or "this is no YAML"
    if "\\t" in problem:
        return f"{where}: there is a tab; YAML is indented with spaces"
    if problem.startswith("found duplicate key"):
        return f"{where}: {problem.removeprefix('found duplicate key ')} stands there twice; leave one out"
    if problem.startswith("expected a comment or a line break"):
        return f'{where}: a text that begins with > or | needs quotes, as in "> 0"'
    return f"{where}: {problem}"


def _unreadable(override: str) -> str | None:
    """For a value with characters that Hydra's grammar has other uses for, say how to quote it for the shell."""
    key, _, value = override.partition("=")
    begun = re.match(r"\[|\{|(?:range|interval|choice|glob|sort|shuffle)(?=\()", value)
    for opening, closing in ("[]", "{}", "()") if begun else ():
        if value.count(opening) > value.count(closing):
            return f"{override} lacks a {closing}: write {shlex.quote(override + closing)}"
    if re.fullmatch(r"\[[^][{}()'\"$\\]+\]", value):
        items = [item if PLAIN.fullmatch(item) else f'"{item}"' for item in map(str.strip, value[1:-1].split(","))]
        return f"{override} has characters that need quotes: write '{key}=[{','.join(items)}]'"
    if not re.fullmatch(r"[+~]*[\w./@]+", key) or re.search(r"[\[({'\"]$|^[\[{'\"]", value):  # a list or a quote begun
        return None
    plain = not re.search(r"""["'\\$`!]""", value)
    cure = f"'{key}=\"{value}\"'" if plain else shlex.join(to_overrides({key: value}))
    return f"{override} has characters that need quotes: write {cure}"


def _inner(error: BaseException) -> str | None:
    """Return the sentence of the error's cause, or the error's own first line."""
    cause = error.__cause__ or error.__context__
    if cause is not None and (text := sentence(cause)):
        adding = re.search(r"To append to your config use (\+\w+\..*)", str(error))
        return f"{text} ({adding[1]} adds one)" if adding else text
    if isinstance(cause, ImportError) and (text := _no_such_code(cause)):
        return text
    if isinstance(cause, TypeError | AttributeError | ImportError):
        where = re.search(r"full_key: (\S+)", str(error))
        return f"{where.group(1) if where else 'config'}: {with_tensor(_first_line(str(cause)))}"
    return _first_line(str(error)) or None


def with_tensor(text: str) -> str:
    """Add to an error that a list is no tensor how a file gives one."""
    wanted = "Tensor" in text and "ListConfig" in text
    return f"{text}; write the list as {{_target_: torch.tensor, data: […]}}" if wanted else text


def _no_such_choice(wanted: str, options: Iterable[str], message: str) -> str:
    group, _, choice = wanted.rpartition("/")
    options = sorted(options)
    if group.partition("/")[0] == "study":  # the one group with folders in it
        group, _, choice = wanted.partition("/")
        if moved := new_name(choice):
            return moved
        options = sorted({*config_files(STUDIES), *options}, key=in_order)
    if not group or not options:
        return _first_line(message)
    own = next(Path().glob(f"*/{group}/{choice}.yaml"), None) if re.fullmatch(r"[\w/-]+", f"{group}/{choice}") else None
    if own is not None and own.parts[0] != "conf":
        return (
            f"{group}={choice}: there is no {group} {choice!r}; for {own} add --config-dir {shlex.quote(own.parts[0])}"
        )
    return f"{group}={choice}: there is no {group} {choice!r}{instead(choice, options, 'choose from')}"


def _setting(error: BaseException) -> str | None:
    """For a key that the config does not have, name the keys it has."""
    from omegaconf import OmegaConf

    from sweeps.compose.unused import similar_settings

    parent, key = getattr(error, "parent_node", None), getattr(error, "key", None)
    if parent is None or key is None or "not in struct" not in str(error):
        return None
    keys = [str(name) for name in parent if not str(name).startswith("_") and name != "hydra"]
    place = getattr(error, "full_key", None) or key
    if not keys and "_target_" in parent:
        return f"there is no setting {place!r}: what is chosen there has none, but another choice may have it"
    if not keys:
        return f"there is no setting {place!r}: what stands there is taken from another group; change it in that group"
    if place == key and not nearest(key, keys, cutoff=0.7):
        tree: Any = OmegaConf.to_container(parent)
        if deeper := similar_settings(key, {name: tree[name] for name in keys}):
            return f"there is no setting {place!r}; did you mean {deeper[0]}?"
    return f"there is no setting {place!r}{instead(str(key), keys, 'there are')}"


def _no_such_code(error: ImportError) -> str | None:
    """For a `_target_` that a module does not have, name those it has."""
    found = re.search(r"Are you sure that '(\w+)' is (?:importable from module|an attribute of) '([\w.]+)'", str(error))
    module = sys.modules.get(found[2]) if found else None
    if found is None or module is None:
        return None
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__]
    return f"{found[2]} has no {found[1]}{instead(found[1], own, 'there are')}"


def _first_line(text: str) -> str:
    """Return the first line, and the next one if the first ends with a colon."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])

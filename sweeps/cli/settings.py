"""Check every setting: its kind, and whether it means something here. Needs no torch, so errors come at once."""

from __future__ import annotations

import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from ablations.plan.staleness import RETRY, STALE
from ablations.question.did_you_mean import nearest
from ablations.question.fields import LARGEST
from ablations.question.hydra_syntax import to_overrides
from ablations.question.seeds import UNTIL_DECIDED
from sweeps.cli.argv import in_a_sweep
from sweeps.compose.signatures import BOOLEAN_WORDS, check_flags, check_names, is_as_shipped

SWEEPS_ONLY = {
    *("study", "sampler", "pruner", "storage", "plan", "on_invalid", "stale", "retry", "simulate", "simulated"),
    *("workers", "workers_per_gpu", "max_consecutive_failures", "most"),
}
BUILT_LATE = ("trainer", "tracker", "sampler", "pruner")  # what does not make a run, and is built late
SINGLE_RUNS_ONLY = {"profile", "retrain"}


class Kind(NamedTuple):
    """What a setting takes: a test of its value, the error for one that fails, and the allowed words, if few."""

    takes: Callable[[Any], bool]
    refusal: str
    words: tuple[str, ...] = ()


def whole(least: int | None = None, *, or_null: bool = False) -> Kind:
    def takes(value: Any) -> bool:
        number = isinstance(value, int) and not isinstance(value, bool)
        return (or_null and value is None) or (number and (least is None or value >= least))

    return Kind(takes, "is not a whole number" + ("" if least is None else f" ≥ {least}"))


def is_seed(value: Any) -> bool:
    return whole(0).takes(value) and value <= LARGEST


def one_of(*allowed: str, or_null: bool = False) -> Kind:
    said = f"neither {allowed[0]} nor {allowed[1]}" if len(allowed) == 2 else f"none of {', '.join(allowed)}"
    return Kind(lambda value: value in allowed or (or_null and value is None), f"is {said}", allowed)


def finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


NUMBER = Kind(finite, "is not a finite number")
FLAG = Kind(lambda value: isinstance(value, bool), "is neither true nor false", ("true", "false"))
SEED = Kind(is_seed, f"is not a whole number ≥ 0 and ≤ {LARGEST}")
TEXT = Kind(lambda value: isinstance(value, str) and value != "", "is no name")
SETTINGS = {
    **{"depth": whole(), "width": NUMBER, "gate_bias": NUMBER, "seed": SEED, "split": one_of("fixed", "seed")},
    **dict.fromkeys(("runs", "data_dir", "storage"), TEXT),
    **dict.fromkeys(("simulate", "simulated"), Kind(lambda value: value is None or TEXT.takes(value), "is no file")),
    **dict.fromkeys(("plan", "profile", "retrain", "diagnostics", "proxies", "stress", "tokens"), FLAG),
    **dict.fromkeys(("workers", "micro_batch", "most"), whole(1, or_null=True)),
    **dict.fromkeys(("workers_per_gpu", "max_consecutive_failures"), whole(1)),
    **{"keep": one_of("final", "best", "nothing")},
    **{"on_invalid": one_of("stop", "skip"), "stale": one_of(*STALE), "retry": one_of(*RETRY, or_null=True)},
}


def check_settings(config: DictConfig, hydra: DictConfig, typed: Iterable[str], *, sweep: bool) -> None:
    """Check every setting of a composed config.

    Args:
        hydra: the `hydra` node that was composed with it.
        typed: the overrides of the command line.
        sweep: whether it said `-m`.

    Raises:
        ValueError: one is of another kind, or means nothing in a sweep, or outside of one.
    """
    for override in typed:
        setting = override.partition("=")[0].lstrip("+~").partition(".")[0]
        if not sweep and setting in SWEEPS_ONLY:
            raise ValueError(f"{override} is for a sweep: add -m, or leave {setting} out")
        if sweep and setting in SINGLE_RUNS_ONLY:
            raise ValueError(f"{override} is for a single run: leave out -m, or {setting}")
    for group in BUILT_LATE:
        node = OmegaConf.to_container(config[group], resolve=True) if config.get(group) else {}
        if not is_as_shipped(node, group):
            check_flags(node, group)
            check_names(node, group)
    for setting in SETTINGS:
        if setting in config and not (sweep and setting == "seed" and config.seed == UNTIL_DECIDED):
            check_setting(setting, config[setting])


def check_setting(setting: str, value: Any) -> None:
    """Raise ValueError unless `value` is of the kind that `setting` takes; others take anything."""
    kind = SETTINGS.get(setting)
    if kind is None or kind.takes(value) or (isinstance(value, str) and "${" in value):
        return
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    raise ValueError(f"{to_overrides({setting: plain})[0]} {kind.refusal}{_instead(setting, plain, kind)}")


def _instead(setting: str, value: Any, kind: Kind) -> str:
    """Suggest the valid value that was probably meant: `: write …`, or nothing."""
    text = str(value).lower()
    if isinstance(value, list) and value and all(map(kind.takes, value)):
        return f": write {setting}={','.join(map(str, value))}{in_a_sweep(sys.argv)}"
    if setting == "seed" and (ends := re.fullmatch(r"(\d+)(?:\.\.|-)(\d+)", text)):
        first, behind = ends[1] if int(ends[1]) else "", int(ends[2]) + 1
        return f": write 'seed=range({first}{first and ','}{behind})'{in_a_sweep(sys.argv)}"
    if kind is FLAG:
        return f": write {setting}={BOOLEAN_WORDS[text]}" if text in BOOLEAN_WORDS else ""
    if kind is TEXT and isinstance(value, int | float):
        return f": write {setting}=./{value}"
    if isinstance(value, float) and value.is_integer() and kind.takes(int(value)):
        return f": write {setting}={int(value)}"
    return nearest(text, kind.words)


def check_folder(config: DictConfig) -> None:
    """Make the folder `runs`; raise ValueError if nothing can be written there."""
    check_setting("runs", config.runs)
    try:
        Path(config.runs).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=config.runs):
            pass
    except OSError as error:
        why = "a file is in the way" if isinstance(error, FileExistsError | NotADirectoryError) else error.strerror
        raise ValueError(f"runs={config.runs} cannot be written ({why}): choose another folder") from error


def check_hydra_folders(hydra: DictConfig) -> None:
    """Raise ValueError if Hydra would change the working folder, or put runs where no table looks for them."""
    if hydra.job.chdir:
        raise ValueError("hydra.job.chdir=true moves runs and data into each run: leave it out")
    for override in hydra.overrides.hydra:
        if override.startswith(("hydra.run.dir=", "hydra.sweep.dir=")):
            raise ValueError(f"{override} moves records away from where they are looked for: write runs=…")

"""Make the text of `python run.py --help` in under a second: Hydra's own way composes once for each group."""

from __future__ import annotations

import argparse
from pathlib import Path

from ablations.records.typed_command import program_here


def help_text(conf: Path, typed: argparse.Namespace) -> str:
    """Return the help of the configuration in `conf`, with the choices that `typed.config_dir` adds."""
    from hydra import compose, initialize_config_dir

    overrides = list(typed.overrides)
    if typed.config_dir:
        overrides.append(f"hydra.searchpath=['file://{Path(typed.config_dir).resolve()}']")
    with initialize_config_dir(str(conf), version_base="1.3"):
        text = compose("config", overrides, return_hydra_config=True).hydra.help.template
    return text.replace("python run.py", program_here())

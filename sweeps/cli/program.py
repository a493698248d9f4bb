"""The command line of `python run.py` and of the installed `skipbench`: read the words, then let Hydra compose."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import hydra
from omegaconf import DictConfig, OmegaConf

from ablations.catalog.choices import CONF
from ablations.records.files import lenient_output
from ablations.records.run_folder import folder_of
from ablations.records.typed_command import program_here
from sweeps.cli.argv import read_words
from sweeps.cli.errors import friendly_errors
from sweeps.cli.import_path import make_importable
from sweeps.cli.settings import check_folder
from sweeps.compose.active_options import hide
from sweeps.compose.compose import run_of
from sweeps.compose.config_sources import listed
from sweeps.compose.hydra_internals import composed_once
from sweeps.compose.own_network import with_own_arguments
from sweeps.one_run import main


def command_line() -> None:
    """Do what was typed: one run, a sweep (-m), or help."""
    lenient_output()
    atexit.register(gc.freeze)  # at the very end: to collect all that was imported takes more than a second
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves it to us to print errors
    register_resolvers()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be preempted is to be interrupted
    try:
        with friendly_errors():
            sys.argv[1:], typed = read_words(sys.argv[1:])
            make_importable([typed.config_dir, os.getcwd()])
            if typed.help or typed.version:
                return print(help_text(typed) if typed.help else f"Skipbench {version('skipbench')}")
            sys.argv[1:] = with_own_arguments(sys.argv[1:])
            if typed.multirun:
                sys.argv[1:] = hide(sys.argv[1:])
            with composed_once(sys.argv[1:], typed.config_dir):
                hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)


def help_text(typed: argparse.Namespace) -> str:
    """Return the text of `--help`, in under a second: Hydra's own way composes once for each group."""
    overrides = list(typed.overrides)
    if typed.config_dir:
        overrides.append(f"hydra.searchpath=['file://{Path(typed.config_dir).resolve()}']")
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        text = hydra.compose("config", overrides, return_hydra_config=True).hydra.help.template
    return text.replace("python run.py", program_here())


def register_resolvers() -> None:
    """Register what conf/ uses: `${folder:}`, the run's folder, and `${choices:}`, the choices of all groups."""
    OmegaConf.register_new_resolver("folder", lambda *, _root_: folder_name(_root_), replace=True)
    OmegaConf.register_new_resolver("choices", lambda *, _root_: listed(_root_.hydra), replace=True)


def folder_name(config: DictConfig) -> str:
    """Name the folder of the run that `config` describes; ValueError where `runs` cannot hold it."""
    check_folder(config)
    return folder_of(Path(config.runs), run_of(config, config.hydra)).name

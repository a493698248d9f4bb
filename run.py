"""compose → build → fit → record → return the objective."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ablations.identity.run import Run
from ablations.records.files import lenient_output
from ablations.records.layout import CHECKPOINT
from ablations.records.lease import claim
from ablations.records.record import Record
from ablations.records.recorder import Recorder, Stopped, known, objective, out_of_memory, unbegun_removed
from ablations.report.run_summary import print_run
from ablations.wandb_view.tracking import Log
from sweeps.cli.argv import read_words
from sweeps.cli.errors import as_value_error, friendly_errors
from sweeps.cli.help import help_text
from sweeps.cli.import_path import make_importable
from sweeps.cli.settings import check_folder, check_settings
from sweeps.compose.compose import run_of, unused_axes
from sweeps.compose.config_sources import listed
from sweeps.preflight import begin, check, check_trainer, instantiate, size_of

CONF = Path(__file__).resolve().parent / "conf"
Rows = list[dict[str, float]]
Watch = Callable[[Rows], object]


def build(config: DictConfig) -> tuple[Any, Any, Any]:
    """The network, the data and the recipe that `config` describes; the seed decides the initial weights."""
    import torch

    recipe = instantiate(config.recipe)
    data = instantiate(config.data)(
        folder=Path(config.data_dir), batch_size=recipe.batch_size, augment=recipe.augment, seed=config.seed
    )
    torch.manual_seed(config.seed)
    network = instantiate(config.network)
    begin(network, config.network, recipe, data.shape, seed=config.seed)
    return network, data, recipe


def train(
    config: DictConfig, run: Run, folder: Path, *, alone: bool, watch: Watch | None = None, turn: Any = None
) -> Record:
    """Train one run and write its record. Whatever ends the training becomes the record's status and cause.

    Args:
        watch: told the new epochs; may end the training by raising `Stopped`, and then there is no record.
        turn: of `lightning_modules.vmapped.lockstep`, where other runs are trained beside it.
    """
    from lightning_modules.training.micro_batch import classifier

    recorder = Recorder(run, folder)
    try:
        with as_value_error():
            network, data, recipe = build(config)
            data.prepare_data()
            classifier(network, recipe, config.seed, config.micro_batch)
    except (ValueError, OSError) as error:  # in a large sweep not every cell was built before
        if alone:
            raise
        return recorder.fail(error)
    params, macs = size_of(json.dumps(run.config["network"]), data.shape)  # counted once for all seeds
    recorder.begin(params=params, macs=macs, note=data.note)
    with instantiate(config.tracker).track(run, folder, group=None if alone else config.study.name) as log:
        bar = run.label if alone else None
        record = fitted(config, (network, data, recipe), recorder, log, bar=bar, watch=watch, turn=turn)
        log.record(record)
    return record


def fitted(
    config: DictConfig,
    parts: tuple[Any, Any, Any],
    recorder: Recorder,
    log: Log,
    *,
    bar: str | None,
    watch: Watch | None,
    turn: Any = None,
) -> Record:
    """Fit and record. Where memory runs out begin again, twice at most, with a smaller micro-batch if that is the same.

    Args:
        bar: what a progress bar is headed by, if there is to be one.
    """
    from lightning_modules.inspection.diagnostics import Diagnostics
    from lightning_modules.training.checkpoint import damage
    from lightning_modules.training.fit import fit
    from lightning_modules.training.history import Curve, LastEpoch
    from lightning_modules.training.micro_batch import classifier, free_memory, smaller
    from lightning_modules.training.progress import ProgressBar
    from lightning_modules.vmapped.fused import fused

    def on_rows(rows: Rows, new: Rows) -> None:
        recorder.curve(rows)
        log.epochs(new)

    def on_diagnostics(rows: Rows, new: Rows) -> None:
        recorder.diagnostics(rows)
        log.diagnostics(new)

    micro, retries = config.micro_batch, 2
    while True:
        network, data, recipe = parts
        curve, inside = Curve(on_rows, watch), Diagnostics(on_diagnostics, enabled=config.diagnostics)
        watchers = [curve, inside, LastEpoch(recorder.checkpoint), *([ProgressBar(bar)] if bar else [])]
        trainer = instantiate(config.trainer)(recipe=recipe, callbacks=watchers)
        learner = classifier(network, recipe, config.seed, micro)
        learner = fused(learner, turn, curve) if turn else learner
        try:
            done = fit(learner, data, trainer, curve, resume=recorder.resume(damage))
        except Stopped:
            raise
        except Exception as error:
            if not (retries and out_of_memory(error)):
                return recorder.fail(error)
            micro, retries = smaller(network, micro or recipe.batch_size), retries - 1
        else:
            about = {"batch_size": recipe.batch_size, "data_digest": data.digest, "micro_batch": micro}
            return recorder.finish(done, **about, first_nonfinite=inside.first_nonfinite)
        del network, data, recipe, parts, curve, inside, watchers, trainer, learner
        parts = build(config)
        free_memory()


def assist(config: DictConfig, folder: Path) -> None:
    """Train along on a further device: Lightning starts this command again for each. The first process records."""
    from lightning_modules.inspection.diagnostics import Diagnostics
    from lightning_modules.training.classifier import Classifier
    from lightning_modules.training.fit import fit
    from lightning_modules.training.history import Curve, LastEpoch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends the others
    network, data, recipe = build(config)
    curve, checkpoint = Curve(lambda rows, new: None), folder / CHECKPOINT
    inside = Diagnostics(lambda rows, new: None, enabled=config.diagnostics)
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=[curve, inside, LastEpoch(checkpoint)])
    fit(Classifier(network, recipe, seed=config.seed), data, trainer, curve, resume=checkpoint)


def profiled(config: DictConfig, run: Run) -> None:
    """Print where the time of a step goes; nothing is recorded."""
    from rich import print as show

    from lightning_modules.inspection.diagnostics import Diagnostics
    from lightning_modules.inspection.profile import profile
    from lightning_modules.training.history import Curve
    from lightning_modules.training.micro_batch import classifier

    check(config)
    network, data, recipe = build(config)
    watchers = [Curve(lambda rows, new: None), Diagnostics(lambda rows, new: None, enabled=config.diagnostics)]
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=watchers)
    show(profile(classifier(network, recipe, config.seed, config.micro_batch), data, trainer).table(run.label))


def main(config: DictConfig, watch: Watch | None = None, turn: Any = None) -> float | None:
    """Train the one run that `config` describes, unless its record exists; return its validation error in percent."""
    job = cast(DictConfig, HydraConfig.get())  # which Hydra types as its schema
    run, folder = run_of(config, job), Path(job.runtime.output_dir)
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return assist(config, folder)
    if job.mode == RunMode.MULTIRUN:  # a worker has planned, checked and claimed it
        return objective(train(config, run, folder, alone=False, watch=watch, turn=turn))
    with friendly_errors(), unbegun_removed(folder):
        check_settings(config, job.overrides.task, sweep=False)
        if config.profile:
            profiled(config, run)
            return None
        record = None if config.retrain else known(folder, run)
        if record is None or record["status"] == "failed":
            check(config)
            check_trainer(config.trainer, cast(Any, OmegaConf.to_container(config.recipe, resolve=True)))
            with claim(folder) as ours:
                if not ours:
                    raise ValueError(f"{run.label} is being trained by another process; its record will be in {folder}")
                record = train(config, run, folder, alone=True)
        print_run(record, folder, unused=unused_axes(run, job))
    if record["status"] == "failed":
        raise SystemExit(2)
    return objective(record)


def folder_of(config: DictConfig) -> str:
    """The folder of the run that `config` describes; ValueError where `runs` cannot hold it."""
    check_folder(config)
    return run_of(config, config.hydra).folder


def cli() -> None:
    """The command line: `python run.py`, and `skipbench` where the package is installed."""
    lenient_output()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves the telling of errors to us
    OmegaConf.register_new_resolver("folder", lambda *, _root_: folder_of(_root_), replace=True)
    OmegaConf.register_new_resolver("choices", lambda *, _root_: listed(_root_.hydra), replace=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be preempted is to be interrupted
    try:
        with friendly_errors():
            sys.argv[1:], typed = read_words(sys.argv[1:])
            make_importable([typed.config_dir, os.getcwd()])
            if typed.help or typed.version:
                return print(help_text(CONF, typed) if typed.help else f"Skipbench {version('skipbench')}")
            hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    from run import cli as command_line  # so that workers import `main` by its name

    command_line()

"""Train one run: build its network, data and recipe, fit the network, write the record."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from ablations.identity.run import Run
from ablations.plan.staleness import made_of_other_data
from ablations.records.layout import CHECKPOINT, STATE
from ablations.records.lease import claim
from ablations.records.record import Record
from ablations.records.recorder import Paused, Recorder, Stopped, objective, out_of_memory
from ablations.records.run_folder import known, unbegun_removed
from ablations.report.run_summary import print_run
from ablations.wandb_view.protocol import RunLog, tracked
from sweeps.cli.errors import as_value_error, friendly_errors
from sweeps.cli.from_python import answer
from sweeps.cli.settings import check_hydra_folders, check_settings
from sweeps.compose.compose import axis_of, run_of, unused_axes, with_network
from sweeps.compose.own_network import fitted
from sweeps.compose.unused import refuse_unused
from sweeps.data import data_digest
from sweeps.instantiate import import_quickly, instantiate
from sweeps.keeping import go_on_from_shorter, keep_state, kept_weights
from sweeps.preflight import check, check_trainer, size_of
from sweeps.training import Parts, Rows, Watch, build, fit_parts, trainer_of

RETRIES = 2  # trainings begun again in smaller parts, after memory ran out


def main(config: DictConfig, run: Run | None = None, **how: Any) -> float | None:
    """Train the run that `config` describes, unless its record exists; return its validation error in percent.

    Hydra calls this for a single run.

    Args:
        run: given by a worker of a sweep, which has planned, checked and claimed it: trained without further questions.
        how: `watch`, `until` and `turn` of `fit_and_record`.
    """
    hydra = cast(DictConfig, HydraConfig.get())  # which Hydra types as its schema
    folder = Path(hydra.runtime.output_dir)
    if run is not None:
        return objective(train(config, run, folder, alone=False, **how))
    config = fitted(config, hydra.overrides.task)
    run = run_of(config, hydra)
    if is_further_device(config):
        return train_on_further_device(config, folder)
    with friendly_errors(), unbegun_removed(folder):
        if hydra.mode == RunMode.MULTIRUN:
            raise ValueError("another sweeper trains again what has a record: leave hydra/sweeper=skipbench")
        check_settings(config, hydra, hydra.overrides.task, sweep=False)
        refuse_unused(config, hydra)
        check_hydra_folders(hydra)
        if config.profile:
            return print_profile(config, run)
        record = None if config.retrain else valid_record(config, run, folder)
        if trained := record is None:
            record = train_single(config, run, folder, hydra)
        asked = {"weights": config.keep != "nothing", "proxies": config.proxies, "stress": config.stress}
        print_run(record, folder, unused=unused_axes(run, hydra), **asked)
        if trained:
            from sweeps.closing import ways_to_see

            for what, line in ways_to_see(instantiate(config.tracker), Path(config.runs), [folder.name]):
                print(f"  {what}  {line}")
        answer(folder=str(folder))
    if record["status"] == "failed":
        raise SystemExit(2)
    return objective(record)


def valid_record(config: DictConfig, run: Run, folder: Path) -> Record | None:
    """Return the record of a run; None if there is none, it failed, or its images have changed since."""
    record = known(folder, run)
    if record is None or record["status"] == "failed":
        return None
    digest_now = partial(data_digest, folder=Path(config.data_dir))
    return None if made_of_other_data(run, record, digest_now) else record


def train_single(config: DictConfig, run: Run, folder: Path, hydra: DictConfig) -> Record:
    """Check, claim and train a run that no sweep has looked at; ValueError where it cannot be built, or is claimed."""
    try:
        with as_value_error():
            instantiate(config.tracker)
            check(config)
            check_trainer(config.trainer, run.config["recipe"], run.config["network"])
    except ValueError as error:
        error.args = (with_network(str(error), hydra, list(map(axis_of, hydra.overrides.task))),)
        raise  # the same error, which knows whether it was raised for the person who typed
    with claim(folder) as ours:
        if not ours:
            raise ValueError(f"{run.label} is being trained by another process; its record will be in {folder}")
        return train(config, run, folder, alone=True)


def train(config: DictConfig, run: Run, folder: Path, *, alone: bool, **how: Any) -> Record:
    """Train one run and write its record. Whatever ends the training becomes the record's status and cause.

    Args:
        alone: whether it is a single run, with a progress bar.
        how: as in `fit_and_record`.

    Raises:
        ValueError, OSError: it cannot be built, or its data is not there.
        Stopped, Paused: by `watch`, after `until`.
    """
    import_quickly("torch", "pytorch_lightning")
    from lightning_modules.training.micro_batch import classifier

    recorder = Recorder(run, folder)
    with as_value_error():
        parts = build(config)
        parts.data.prepare_data()
        parts.recipe.learnt.check(parts.data.train_targets, parts.data.classes)
        classifier(parts.network, parts.recipe, config.seed, config.micro_batch)
        params, macs = size_of(run.config["network"], parts.data.shape, tokens=parts.data.tokens)  # once for all seeds
    recorder.begin(params=params, macs=macs, note=parts.data.note, data_digest=parts.data.digest)
    group, bar = (None, run.label) if alone else (config.study.name, None)
    with tracked(instantiate(config.tracker), run, folder, group=group) as log:
        record = fit_and_record(config, parts, recorder, log, bar=bar, **how)
        log.record(record)
    return record


def fit_and_record(
    config: DictConfig,
    parts: Parts,
    recorder: Recorder,
    log: RunLog,
    *,
    bar: str | None,
    watch: Watch | None = None,
    until: int | None = None,
    turn: Any = None,
) -> Record:
    """Fit and record. Where memory runs out, begin again with a smaller micro-batch if the step stays the same.

    Args:
        bar: the label of a progress bar; None for none.
        watch: called with the new epochs; may end the training by raising `Stopped`, and then there is no record.
        until: the epoch after which it pauses, with a checkpoint and without a record; None for its end.
        turn: of `lightning_modules.vmapped.lockstep`, where other runs are trained beside it.
    """
    from lightning_modules.inspection import proxies, stress
    from lightning_modules.inspection.diagnostics import Diagnostics
    from lightning_modules.training.checkpoint import refusal
    from lightning_modules.training.history import LastEpoch
    from lightning_modules.training.micro_batch import free_memory, smaller
    from lightning_modules.training.pausing import Pause
    from lightning_modules.training.progress import ProgressBar
    from lightning_modules.training.weights import KeptEpoch

    def on_rows(rows: Rows, new: Rows) -> None:
        recorder.curve(rows)
        log.epochs(new)

    def on_diagnostics(rows: Rows, new: Rows) -> None:
        recorder.diagnostics(rows)
        log.diagnostics(new)

    micro, retries = config.micro_batch, RETRIES
    while True:
        network, data, recipe = parts
        inside = Diagnostics(on_diagnostics, enabled=config.diagnostics)
        last, kept = LastEpoch(recorder.checkpoint, recorder.origin), KeptEpoch(config.keep)
        callbacks = [inside, kept, last, *([ProgressBar(bar)] if bar else [])]
        callbacks += [Pause(until, last, Paused)] if until else []
        try:
            if config.proxies:
                recorder.measured |= proxies.measure(network, data, recipe.learnt, seed=config.seed)
            if config.stress:
                recorder.measured |= stress.before(network, data, recipe, seed=config.seed)
            if not config.retrain:
                go_on_from_shorter(recorder, parts)
            resume = recorder.resume(refusal)
            done = fit_parts(config, parts, callbacks, micro, resume, on_rows=on_rows, watch=watch, turn=turn)
            recorder.continued = last.origin.get("continued")  # maybe before this process
            if config.stress:
                recorder.measured |= stress.after(network, data, seed=config.seed)
        except Stopped:
            raise
        except Exception as error:
            if not (retries and out_of_memory(error)):
                return recorder.fail(error)
            micro, retries = smaller(network, micro or recipe.batch_size), retries - 1
        else:
            about: Any = {"first_nonfinite": inside.first_nonfinite, "class_names": data.images.class_names}
            if not done.diverged:
                about["weights"] = kept_weights(config, recorder.run, parts, kept, done.epochs)
                keep_state(config, parts, last, recorder.folder / STATE)
            batch_size = min(recipe.batch_size, len(data.train_indices))
            return recorder.finish(done, batch_size=batch_size, micro_batch=micro, **about)
        del network, data, recipe, parts, inside, last, kept, callbacks
        parts = build(config)
        free_memory()


def is_further_device(config: DictConfig) -> bool:
    """Tell whether Lightning, or torchrun, started this process as a further device of a training on several.

    A `LOCAL_RANK` that is left over from something else is removed: Lightning would keep silent because of it.
    """
    if os.environ.get("LOCAL_RANK", "0") == "0":
        return False
    further = config.trainer.get("devices", 1) != 1 and "MASTER_PORT" in os.environ
    if not further:
        del os.environ["LOCAL_RANK"]
    return further


def train_on_further_device(config: DictConfig, folder: Path) -> None:
    """Train along with the first process, which records. Lightning starts this command again for each device."""
    import_quickly("torch", "pytorch_lightning")
    from lightning_modules.inspection.diagnostics import Diagnostics
    from lightning_modules.training.history import LastEpoch
    from lightning_modules.training.weights import KeptEpoch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends the others
    inside, checkpoint = Diagnostics(lambda rows, new: None, enabled=config.diagnostics), folder / CHECKPOINT
    callbacks = [inside, KeptEpoch(config.keep), LastEpoch(checkpoint)]
    fit_parts(config, build(config), callbacks, config.micro_batch, checkpoint)


def print_profile(config: DictConfig, run: Run) -> None:
    """Print where the time of a step goes; nothing is recorded."""
    from rich import print as show

    from lightning_modules.inspection.diagnostics import Diagnostics
    from lightning_modules.inspection.profile import profile
    from lightning_modules.training.history import Curve
    from lightning_modules.training.micro_batch import classifier

    check(config)
    network, data, recipe = build(config)
    callbacks = [Curve(lambda rows, new: None), Diagnostics(lambda rows, new: None, enabled=config.diagnostics)]
    trainer = trainer_of(config, recipe, callbacks)
    show(profile(classifier(network, recipe, config.seed, config.micro_batch), data, trainer).table(run.label))

"""compose → build → fit → record → return the objective. The only caller of `instantiate`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ablations.identity import Run
from ablations.lease import claim
from ablations.recorder import CHECKPOINT, Recorder, Stopped, known, objective, unbegun_removed
from ablations.records import Record
from ablations.single import print_run
from hydra_plugins.skipbench._choices import listed
from hydra_plugins.skipbench._compose import run_of, unused_axes
from hydra_plugins.skipbench._errors import one_sentence

CONF = Path(__file__).resolve().parent / "conf"
Watch = Callable[[list[dict[str, float]]], object]


def build(config: DictConfig) -> tuple[Any, Any, Any]:
    """The network, the data and the recipe that `config` describes; the seed decides the initial weights."""
    import torch
    from hydra.utils import instantiate

    recipe = instantiate(config.recipe)
    data = instantiate(config.data)(
        folder=Path(config.data_dir), batch_size=recipe.batch_size, augment=recipe.augment, seed=config.seed
    )
    torch.manual_seed(config.seed)
    return instantiate(config.network), data, recipe


class Size(NamedTuple):
    """What is known of a run before it is trained."""

    params: int
    macs: int  # multiply-adds, forward, one image
    cost: int  # of the whole training, in multiply-adds, about


def check(config: DictConfig) -> Size:
    """Whether `config` can be built and its data is there; how large the network is.

    Raises:
        ValueError: it cannot be built.
        OSError: its data is neither here nor to be had.
    """
    import torch
    from hydra.utils import instantiate

    from lightning_modules.networks.counting import multiply_adds, parameters

    recipe = instantiate(config.recipe)
    with torch.device("meta"):
        network = instantiate(config.network)
    size = recipe.augment.out_size(config.data.size)
    images = training_images(OmegaConf.to_yaml(config.data.source), Path(config.data_dir))
    steps = recipe.total_steps(max(1, images // recipe.batch_size))
    recipe.optimization([torch.nn.Parameter(torch.zeros(1))], steps)
    macs = multiply_adds(network, (config.data.channels, size, size))
    return Size(parameters(network), macs, cost=3 * macs * steps * recipe.batch_size)


def count(config: DictConfig, what: str) -> int:
    """The params, or the macs, of a network that is not built for more than counting.

    Raises:
        ValueError: it cannot be built.
    """
    import torch
    from hydra.utils import instantiate

    from lightning_modules.networks.counting import multiply_adds, parameters

    with torch.device("meta"):
        network = instantiate(config.network)
    if what == "params":
        return parameters(network)
    size = instantiate(config.recipe).augment.out_size(config.data.size)
    return multiply_adds(network, (config.data.channels, size, size))


@lru_cache(maxsize=8)
def training_images(source: str, folder: Path) -> int:
    """How many images a data source (as YAML) has to train on, loaded once for all the cells of a sweep."""
    from hydra.utils import instantiate

    return len(instantiate(OmegaConf.create(source))(folder).train_labels)


def suggestions(config: DictConfig) -> tuple[Any, Any]:
    """The sampler, to be called with a seed, and the pruner of a search."""
    from hydra.utils import instantiate

    try:
        return instantiate(config.sampler), instantiate(config.pruner)
    except ImportError as error:
        raise ValueError(f"sampler: {error}") from error


def train(config: DictConfig, run: Run, folder: Path, *, alone: bool, watch: Watch | None = None) -> Record:
    """Train one run and write its record. Whatever ends the training becomes the record's status and cause.

    Args:
        watch: told the new epochs; may end the training by raising `Stopped`, and then there is no record.
    """
    from hydra.utils import instantiate

    from lightning_modules.checkpoint import damage
    from lightning_modules.classifier import Classifier
    from lightning_modules.curve import Curve, LastEpoch
    from lightning_modules.fit import fit
    from lightning_modules.networks.counting import multiply_adds, parameters
    from lightning_modules.progress import ProgressBar

    network, data, recipe = build(config)
    data.prepare_data()
    recorder = Recorder(run, folder)

    def on_rows(rows: list[dict[str, float]], new: list[dict[str, float]]) -> None:
        recorder.curve(rows)
        log.epochs(new)
        if watch is not None:
            watch(new)

    curve = Curve(on_rows)
    watchers = [curve, LastEpoch(recorder.checkpoint), *([ProgressBar(run.label)] if alone else [])]
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=watchers)
    tracker = instantiate(config.tracker)
    recorder.begin(params=parameters(network), macs=multiply_adds(network, data.shape), note=data.note)
    with tracker.track(run, folder, group=None if alone else config.study.name) as log:
        try:
            done = fit(Classifier(network, recipe, seed=run.seed), data, trainer, curve, resume=recorder.resume(damage))
        except Stopped:
            raise
        except Exception as error:
            record = recorder.fail(error)
        else:
            record = recorder.finish(done, batch_size=recipe.batch_size, data_digest=data.digest)
        log.record(record)
    return record


def assist(config: DictConfig, folder: Path) -> None:
    """Train along on a further device: Lightning starts this command again for each. The first process records."""
    from hydra.utils import instantiate

    from lightning_modules.classifier import Classifier
    from lightning_modules.curve import Curve, LastEpoch
    from lightning_modules.fit import fit

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends the others
    network, data, recipe = build(config)
    curve, checkpoint = Curve(lambda rows, new: None), folder / CHECKPOINT
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=[curve, LastEpoch(checkpoint)])
    fit(Classifier(network, recipe, seed=config.seed), data, trainer, curve, resume=checkpoint)


def main(config: DictConfig, watch: Watch | None = None) -> float | None:
    """Train the one run that `config` describes, unless its record exists; return its validation error in percent."""
    job = cast(DictConfig, HydraConfig.get())  # which Hydra types as its schema
    run, folder = run_of(config, job), Path(job.runtime.output_dir)
    if os.environ.get("LOCAL_RANK", "0") != "0":
        return assist(config, folder)
    if job.mode == RunMode.MULTIRUN:  # a worker has planned, checked and claimed it
        return objective(train(config, run, folder, alone=False, watch=watch))
    with one_sentence(), unbegun_removed(folder):
        record = None if config.retrain else known(folder, run)
        if record is None or record["status"] == "failed":
            check(config)
            with claim(folder) as ours:
                if not ours:
                    raise ValueError(f"{run.label} is being trained by another process; its record will be in {folder}")
                record = train(config, run, folder, alone=True)
        print_run(record, folder, unused=unused_axes(run, job))
    if record["status"] == "failed":
        raise SystemExit(2)
    return objective(record)


def make_importable(folders: list[str | None]) -> None:
    """Let plugins lie in these folders, here and in the processes that are started: behind all that is installed."""
    new = [str(Path(folder).resolve()) for folder in folders if folder]
    sys.path += [folder for folder in dict.fromkeys(new) if folder not in sys.path]
    known = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([*known, *new]))


def cli() -> None:
    """The command line: `python run.py`, and `skipbench` where the package is installed."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves the telling of errors to us
    OmegaConf.register_new_resolver("folder", lambda *, _root_: run_of(_root_, _root_.hydra).folder, replace=True)
    OmegaConf.register_new_resolver("choices", lambda *, _root_: listed(_root_.hydra), replace=True)
    make_importable([get_args_parser().parse_known_args()[0].config_dir, os.getcwd()])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be preempted is to be interrupted
    try:
        with one_sentence():
            hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(main)()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    from run import cli as command_line  # so that workers import `main` by its name

    command_line()

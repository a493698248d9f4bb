"""compose → build → fit → record → return the objective. The only caller of `instantiate`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ablations.identity import NODES, Run
from ablations.lease import claim
from ablations.recorder import CHECKPOINT, Recorder, Stopped, known, objective, out_of_memory, unbegun_removed
from ablations.records import Record
from ablations.single import print_run
from hydra_plugins.skipbench._compose import run_of, unused_axes
from hydra_plugins.skipbench._errors import as_value_error, one_sentence

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
    nodes: Any = {node: OmegaConf.to_container(config[node], resolve=True) for node in NODES}
    return check_nodes(nodes, Path(config.data_dir))


def check_nodes(nodes: dict[str, Any], data_dir: Path) -> Size:
    """As `check`, for the resolved nodes of a run; what many runs share is built once for all."""
    from torch import nn, zeros

    recipe, data = recipe_of(json.dumps(nodes["recipe"])), nodes["data"]
    size = recipe.augment.out_size(data["size"])
    params, macs = size_of(json.dumps(nodes["network"]), (data["channels"], size, size))
    images = training_images(json.dumps(data["source"]), data_dir)
    steps = recipe.total_steps(max(1, images // recipe.batch_size))
    recipe.optimization([nn.Parameter(zeros(1))], steps)
    return Size(params, macs, cost=3 * macs * steps * recipe.batch_size)


@lru_cache(maxsize=1024)
def recipe_of(node: str) -> Any:
    """The recipe that a node (as JSON) describes."""
    from hydra.utils import instantiate

    return instantiate(json.loads(node))


@lru_cache(maxsize=4096)
def size_of(node: str, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Parameters and multiply-adds of the network that a node (as JSON) describes, on images of `shape`."""
    from hydra.utils import instantiate

    from lightning_modules.networks.counting import multiply_adds, on_meta, parameters

    network = on_meta(lambda: instantiate(json.loads(node)))
    return parameters(network), multiply_adds(network, shape)


def check_trainer(trainer: DictConfig, recipe: dict[str, Any]) -> None:
    """Raises ValueError unless this machine can train with this trainer at the precision of a recipe node."""
    from hydra.utils import instantiate

    instantiate(trainer)(recipe=recipe_of(json.dumps(recipe)), callbacks=[])


def count(config: DictConfig, what: str) -> int:
    """The params, or the macs, of a network that is not built for more than counting; ValueError where it cannot be."""
    from hydra.utils import instantiate

    from lightning_modules.networks.counting import multiply_adds, on_meta, parameters

    network = on_meta(lambda: instantiate(config.network))
    if what == "params":
        return parameters(network)
    size = instantiate(config.recipe).augment.out_size(config.data.size)
    return multiply_adds(network, (config.data.channels, size, size))


@lru_cache(maxsize=8)
def training_images(source: str, folder: Path) -> int:
    """How many images a data source (as JSON) has to train on, loaded once for all the cells of a sweep."""
    from hydra.utils import instantiate

    return len(instantiate(json.loads(source))(folder).train_labels)


def suggestions(config: DictConfig) -> tuple[Any, Any]:
    """The sampler, to be called with a seed, and the pruner of a search."""
    from hydra.utils import instantiate

    try:
        return instantiate(config.sampler), instantiate(config.pruner)
    except ImportError as error:
        raise ValueError(f"sampler: {error}") from error


def train(config: DictConfig, run: Run, folder: Path, *, alone: bool, watch: Watch | None = None) -> Record:
    """Train one run and write its record. Whatever ends the training becomes the record's status and cause.

    Where memory runs out it is begun again, twice at most, with a smaller micro-batch if the network allows.

    Args:
        watch: told the new epochs; may end the training by raising `Stopped`, and then there is no record.
    """
    from hydra.utils import instantiate

    from lightning_modules.checkpoint import damage
    from lightning_modules.curve import Curve, LastEpoch
    from lightning_modules.fit import fit
    from lightning_modules.micro import classifier, free_memory, smaller
    from lightning_modules.networks.counting import multiply_adds, parameters
    from lightning_modules.progress import ProgressBar

    recorder, micro = Recorder(run, folder), config.micro_batch
    try:
        with as_value_error():
            network, data, recipe = build(config)
            data.prepare_data()
            classifier(network, recipe, config.seed, micro)
    except (ValueError, OSError) as error:  # in a large sweep not every cell was built before
        if alone:
            raise
        return recorder.fail(error)

    def on_rows(rows: list[dict[str, float]], new: list[dict[str, float]]) -> None:
        recorder.curve(rows)
        log.epochs(new)
        if watch is not None:
            watch(new)

    recorder.begin(params=parameters(network), macs=multiply_adds(network, data.shape), note=data.note)
    with instantiate(config.tracker).track(run, folder, group=None if alone else config.study.name) as log:
        for retries in (2, 1, 0):
            curve = Curve(on_rows)
            watchers = [curve, LastEpoch(recorder.checkpoint), *([ProgressBar(run.label)] if alone else [])]
            trainer = instantiate(config.trainer)(recipe=recipe, callbacks=watchers)
            learner = classifier(network, recipe, run.seed, micro)
            try:
                done = fit(learner, data, trainer, curve, resume=recorder.resume(damage))
            except Stopped:
                raise
            except Exception as error:
                if retries and out_of_memory(error):
                    micro = smaller(network, micro or recipe.batch_size)
                else:
                    record = recorder.fail(error)
                    break
            else:
                record = recorder.finish(done, batch_size=recipe.batch_size, data_digest=data.digest, micro_batch=micro)
                break
            del curve, watchers, trainer, learner
            network, data, recipe = build(config)
            free_memory()
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


def cli() -> None:
    """The command line: `python run.py`, and `skipbench` where the package is installed."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves the telling of errors to us
    OmegaConf.register_new_resolver("folder", lambda *, _root_: run_of(_root_, _root_.hydra).folder, replace=True)
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

"""Load the network of a run with its weights, from Python. Nothing is unpickled."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from ablations.plan.staleness import file_words, outdated
from ablations.question.did_you_mean import nearest
from ablations.question.hydra_syntax import to_overrides
from ablations.records.files import RecordError
from ablations.records.layout import RECORD, WEIGHTS
from ablations.records.record import Record, read_record
from sweeps.cli.errors import as_value_error
from sweeps.trust import refuse_untrusted


def load(folder: str | Path, *, trust: Sequence[str] = ()) -> nn.Module:
    """Build the network of a run with the weights it kept, see `skipbench.load`."""
    import torch

    from lightning_modules.data.preprocess import Preprocess
    from lightning_modules.tasks.classification import Classification
    from lightning_modules.training.weights import read_weights
    from sweeps.instantiate import instantiate

    path = weights_of(Path(folder))
    weights, about = read_weights(path)
    warn_of_changed_code(path.parent)
    with as_value_error():
        try:
            refuse_untrusted([about["network"], about["augment"], about["task"]], trust)
            network, augment = instantiate(about["network"]), instantiate(about["augment"])
            dtype = next((value.dtype for value in weights.values() if value.is_floating_point()), torch.float32)
            network = network.double() if dtype == torch.float64 else network
            network.load_state_dict(weights)
            if about["channels_last"]:
                network = network.to(memory_format=torch.channels_last)
            statistics = {name: about[name] for name in ("mean", "std", "shape")}
            preprocess: Any = Preprocess(**statistics, stored=about["dtype"], augment=augment, dtype=dtype)
            task = Classification() if about["task"] is None else instantiate(about["task"])
            task.restore(about["targets"])
        except (RuntimeError, KeyError) as error:
            raise ValueError(
                f"{path} does not fit the network that it names, whose code may have changed: {error}"
            ) from error

    def predict(examples: Any) -> torch.Tensor:
        inputs = preprocess(examples)
        try:
            with torch.no_grad():
                return task.predicted(network(inputs))
        except (IndexError, RuntimeError) as error:
            if about["dtype"] != "int64":
                raise
            known = about["network"].get("in_channels")
            takes = f"{about['shape'][0]} tokens" + (f" from 0 to {known - 1}" if known else "")
            found = f"{inputs.shape[1]} tokens up to {int(inputs.max())}"
            raise ValueError(f"the network was trained on sequences of {takes}: it does not take {found}") from error

    network.preprocess, network.predict, network.trained = preprocess, predict, about
    return network.eval()


def warn_of_changed_code(folder: Path) -> None:
    """Warn where a network's code has changed since the record in its folder: it may compute something else."""
    try:
        record = read_record(folder / RECORD)
    except RecordError:
        return
    changed = outdated([record]).get(record["identity"], [])
    if files := [file for file in changed if file in record.get("sources", ()) or "/networks/" in file]:
        said = f"{file_words(files)} changed since {record['label']} was trained: it may compute something else now"
        warnings.warn(said, stacklevel=4)


def weights_of(folder: Path) -> Path:
    """Return the file with the weights of a run; where there is none, a ValueError says what to type."""
    path = folder if folder.suffix == ".safetensors" else folder / WEIGHTS
    if path.is_file():
        return path
    if not path.parent.is_dir():
        beside = [other.parent.name for other in path.parent.parent.glob(f"*/{RECORD}")]
        hint = nearest(path.parent.name, beside)
        raise ValueError(f"there is no folder {path.parent}: give the folder of a run, runs/<label>-<8 digits>{hint}")
    if not (path.parent / RECORD).exists():
        raise ValueError(f"{path.parent} has no {RECORD}: its run has not ended, and keeps weights when it has")
    record = read_record(path.parent / RECORD)
    if record["status"] != "finished":
        raise ValueError(f"{path.parent} keeps no weights: its run {record['status']}")
    raise ValueError(
        f"{path.parent} keeps no weights; this trains it again and keeps them: {again(path.parent, record)}"
    )


def again(folder: Path, record: Record) -> str:
    """Return the command that trains a run again and keeps its weights."""
    try:
        typed = yaml.safe_load((folder / ".hydra" / "overrides.yaml").read_text(encoding="utf-8")) or []
    except OSError:
        typed = [*to_overrides(record["axes"]), f"seed={record['seed']}"]
    words = [word for word in typed if not word.startswith(("keep=", "retrain=", "runs=", "plan=", "study="))]
    words += [] if folder.parent == Path("runs") else [f"runs={folder.parent}"]
    return shlex.join(["python", "run.py", *_config_dir(folder), *words, "retrain=true"])


def _config_dir(folder: Path) -> list[str]:
    """`--config-dir DIR` as the run in a folder was trained with, where it was."""
    try:
        hydra = yaml.safe_load((folder / ".hydra" / "hydra.yaml").read_text(encoding="utf-8"))["hydra"]
    except OSError:
        return []
    named = [source["path"] for source in hydra["runtime"]["config_sources"] if source["provider"] == "command-line"]
    return [word for path in named for word in ("--config-dir", path)]

"""In real trainings, whatever runs counts or only watches, and what is excluded moves no number."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest

from ablations.identity.code_hash import EXCLUDED, ROOTS, reached, targets
from ablations.identity.source_tree import SourceTree
from ablations.records.record import Record
from lightning_modules.data.idx import NAMES
from lightning_modules.vmapped.fused import train_in_lockstep
from sweeps import one_run
from sweeps.compose.compose import run_of
from tests.ablations.identity.sources import ROOT
from tests.lightning_modules.trained import composed

QUICK = ("data=mnist", "data.held_out=10", "recipe=digits_quick", "recipe.batch_size=8", "recipe.epochs=2", "depth=14")
GROWN = ("recipe.grow_from=8", "recipe.grow_at=1", "recipe.lesions=true")
BESIDE = (  # what runs before a training or beside it, and does not count
    *EXCLUDED,
    *("lightning_modules.inspection", "lightning_modules.training.checkpoint", "lightning_modules.networks.counting"),
    *("lightning_modules.training.history.LastEpoch", "lightning_modules.training.progress"),
    "lightning_modules.training.longer",  # whose result equals that of a run which does not go on
    "lightning_modules.training.torch_private.tensor_norms",  # of diagnostics
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 30 + 20 images in MNIST's layout."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    (folder / "MNIST/raw").mkdir(parents=True)
    images, labels = rng.integers(0, 256, (50, 28, 28), np.uint8), np.arange(50, dtype=np.uint8) % 10
    arrays = [images[:30], labels[:30], images[30:], labels[30:]]
    for name, array in zip(NAMES, arrays, strict=True):
        header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
        (folder / "MNIST/raw" / name).write_bytes(header + array.tobytes())
    return folder


def trained(folder: Path, *words: str, turn: Any = None, bar: bool = False) -> Record:
    config = composed(*words)
    return one_run.train(config, run_of(config, config.hydra), folder, alone=bar, turn=turn)


def together(folder: Path, data_dir: Path) -> list[Any]:
    """The numbers of two seeds that are trained as one program, and of a run that grows and loses blocks."""
    words = (*QUICK, f"data_dir={data_dir}")
    bodies = [partial(_turn, folder / str(seed), (*words, f"seed={seed}")) for seed in (0, 1)]
    assert train_in_lockstep(bodies, known=False, faster=False) is None
    trained(folder / "grown", *words, *GROWN, bar=True)
    return [numbers(folder / name) for name in ("0", "1", "grown")]


def _turn(folder: Path, words: tuple[str, ...], turn: Any) -> None:
    trained(folder, *words, turn=turn)


def numbers(folder: Path) -> Any:
    """What a record says of the training, its time apart."""
    record = json.loads((folder / "record.json").read_text())
    assert record["status"] == "finished"
    return record["metrics"], record["epochs"], record["steps"]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> list[Any]:
    return together(tmp_path_factory.mktemp("usual"), data_dir)


@contextmanager
def every_call() -> Iterator[set[CodeType]]:
    """The code that is called inside, in all threads."""
    called: set[CodeType] = set()

    def look(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


@pytest.mark.usefixtures("usual")  # all is imported and composed
def test_whatever_runs_in_a_training_counts_or_only_watches(tmp_path: Path, data_dir: Path) -> None:
    config = composed(*QUICK, *GROWN)
    names = {*ROOTS, *targets(run_of(config, config.hydra).config)}
    tree = SourceTree()
    counted = {(file, name) for target in names for file, name, _ in reached(target, tree)}
    with every_call() as called:
        together(tmp_path, data_dir)
    ran = {(Path(code.co_filename), code.co_qualname.partition(".")[0]) for code in called}
    ours = {(path, name) for path, name in ran if ROOT / "lightning_modules" in path.parents and name[0] != "<"}
    assert len(ours) > 80
    files = {(path.relative_to(ROOT), name) for path, name in ours}
    missed = {".".join([*file.with_suffix("").parts, n]) for file, n in files if (file.as_posix(), n) not in counted}
    assert not [one for one in missed if not any(one == beside or one.startswith(f"{beside}.") for beside in BESIDE)]


@contextmanager
def at_will() -> Iterator[Any]:
    yield lambda: None


INERT = {  # what each excluded module gives, doing nothing
    "lightning_modules.training.throttle": {"lightning_modules.training.throttle.Throttle.due": False},
    "lightning_modules.training.malloc": {
        "lightning_modules.training.trainer.keep_freed_memory": lambda: False,
        "lightning_modules.training.micro_batch.release_freed_memory": lambda: None,
    },
    "lightning_modules.vmapped.signals": {"lightning_modules.vmapped.lockstep.held_back": at_will},
    "lightning_modules.data.download": {"lightning_modules.data.idx.fetch_files": lambda *_, **__: None},
    "lightning_modules.training.weights": {"lightning_modules.training.weights.content_digest": lambda _: ""},
    "sweeps.trained": {"sweeps.trained.weights_of": lambda folder: folder},
    "sweeps.cli": {"sweeps.preflight.as_value_error": nullcontext},
}


@pytest.mark.parametrize("module", EXCLUDED)
def test_what_is_excluded_moves_no_number(
    module: str, tmp_path: Path, data_dir: Path, usual: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, nothing in INERT[module].items():
        monkeypatch.setattr(name, nothing)
    assert together(tmp_path, data_dir) == usual
    assert usual[0] != usual[1], "these numbers can move"

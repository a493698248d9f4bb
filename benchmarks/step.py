"""What a step costs: our training against a loop written by hand, and against what most people write.

    python benchmarks/step.py [digits] [cifar] [digits-conventional] [cifar-conventional] [--epochs N] [--steps N]

Ours is all that a study has on: records, curves, diagnostics, checkpoints, W&B offline. Against the loop (one thread)
the two take turns, an epoch each; an epoch is its steps, its validation and whatever follows. Against what people write
whole trainings take turns, each with all threads, but ours with one on digits, as in a study. Each side has its own
process. Prints rows of a Markdown table: ratios of seconds on the wall and of the processor's, which others move less.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ablations.records.provenance import processor  # noqa: E402
from benchmarks import conventional, loop  # noqa: E402
from benchmarks.apart import Apart  # noqa: E402
from sweeps import one_run  # noqa: E402
from sweeps.compose.compose import run_of  # noqa: E402

Times = tuple[float, float]  # seconds on the wall, and of the processor
RESNET_8: dict[str, Any] = {"block": "residual", "depth": 8}
RESNET_20: dict[str, Any] = {"block": "residual", "depth": 20, "in_channels": 3, "widths": (16, 32, 64)}
CIFAR = ("data=synthetic", "network=cifar", "recipe=he2015_short", "data.source.test=256", "data.held_out=256")


def composed(folder: Path, *overrides: str) -> DictConfig:
    """The config of one run of a sweep, with its record in `folder`."""
    OmegaConf.register_new_resolver("folder", lambda: "folder", replace=True)
    words = ["trainer=cpu", "tracker=offline", f"runs={folder}", *overrides]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("config", overrides=words, return_hydra_config=True)


def now() -> Times:
    return time.perf_counter(), time.process_time()


def since(then: Times) -> Times:
    wall, busy = now()
    return wall - then[0], busy - then[1]


def ours(overrides: Sequence[str], between: Callable[[], object] = lambda: None) -> list[Times]:
    """Train as a study does; the seconds of every epoch but the first two. `between` is called between two epochs."""
    taken: list[Times] = []
    with tempfile.TemporaryDirectory() as place:
        config = composed(Path(place), *overrides)
        begun = now()

        def watch(rows: Any) -> None:
            nonlocal begun
            taken.append(since(begun))
            between()
            begun = now()

        record = one_run.train(config, run_of(config, config.hydra), Path(place) / "run", alone=False, watch=watch)
        if record["status"] == "failed":
            raise RuntimeError(record["cause"])
    return taken[2:]


def by_hand(
    overrides: Sequence[str], network: dict[str, Any], parts: Callable[[], loop.Parts], epochs: int
) -> list[Any]:
    """(ours, the loop's) seconds of each epoch, taking turns."""
    with Apart(loop_epochs, network, parts, epochs + 2, threads=1) as training:
        taken: list[Times] = []
        pairs = ours([*overrides, f"recipe.epochs={epochs + 2}"], lambda: taken.append(next(training)))
    return [*zip(pairs, taken[1:], strict=False)]  # an epoch of ours and the one of the loop before it


def loop_epochs(network: dict[str, Any], parts: Callable[[], loop.Parts], epochs: int) -> Iterator[Times]:
    """Seconds of each epoch of the loop."""
    training = loop.each_epoch(loop.build(seed=0, **network), parts(), epochs=epochs)
    while True:
        begun = now()
        next(training)
        yield since(begun)


def ratios(pairs: Sequence[tuple[Times, Times]], which: int) -> str:
    """`median (quartiles), of the best` of first / second, on the wall (0) or of the processor (1)."""
    each = [first[which] / second[which] for first, second in pairs]
    low, middle, high = statistics.quantiles(each, n=4, method="inclusive")
    best = min(first[which] for first, _ in pairs) / min(second[which] for _, second in pairs)
    return f"{middle:.3f} ({low:.3f} to {high:.3f}), best {best:.3f}"


def row(name: str, pairs: Sequence[tuple[Times, Times]], steps: int, wanted: str) -> str:
    ms = [1000 * statistics.median(side[1] for side in sides) / steps for sides in zip(*pairs, strict=True)]
    words = " | ".join(ratios(pairs, which) for which in (1, 0))
    return f"| {name} | {len(pairs)} | {ms[0]:.2f} and {ms[1]:.2f} | {words} | {wanted} |"


def digits(epochs: int, steps: int) -> str:
    """Against the loop, ResNet-8 on digits: ten steps an epoch."""
    pairs = by_hand(["depth=8", "trainer.threads=1"], RESNET_8, loop.digits_in_memory, epochs or 60)
    return row("digits, ResNet-8, ours / by hand", pairs, 10, "≤ 1.05")


def cifar(epochs: int, steps: int) -> str:
    """Against the loop, ResNet-20 on random images of CIFAR's size, which ours also crops and mirrors."""
    steps = steps or 100
    parts = partial(loop.cifar_in_memory, train=128 * steps, test=256)
    sizes = [*CIFAR, f"data.source.train={128 * steps + 256}", "trainer.threads=1", "depth=20"]
    pairs = by_hand(sizes, RESNET_20, parts, epochs or 3)
    return row(f"32×32, ResNet-20, {steps} steps an epoch, ours / by hand", pairs, steps, "≤ 1.02")


def digits_conventional(epochs: int, steps: int) -> str:
    """Against what people write, ResNet-8 on digits."""
    images = loop.digits(Path())
    parts = conventional.divided(images, 1280)
    pairs = taking_turns(["depth=8", "trainer.threads=1"], RESNET_8, parts, epochs or 5, rounds=5, crop_flip=False)
    return row("digits, ResNet-8, conventional / ours with one thread", pairs, 10, "≥ 1.5")


def cifar_conventional(epochs: int, steps: int) -> str:
    """Against what people write, ResNet-20 on random images of CIFAR's size, in float32 and in bf16."""
    steps = steps or 20
    cut = 128 * steps
    images = loop.synthetic(Path(), size=32, channels=3, classes=10, train=cut + 256, test=256)
    parts = conventional.divided(images, cut)
    rows = []
    for precision, wanted in (("32", "≥ 1.4"), ("bf16-mixed", "≥ 1.8")):
        asked = [*CIFAR, f"data.source.train={cut + 256}", "depth=20", f"recipe.precision={precision}"]
        pairs = taking_turns(asked, RESNET_20, parts, epochs or 2, rounds=3, crop_flip=True)
        what = f"32×32, ResNet-20, {steps} steps an epoch, conventional float32 / ours {precision}"
        rows.append(row(what, pairs, steps, wanted))
    return "\n".join(rows)


def taking_turns(
    overrides: Sequence[str], network: dict[str, Any], parts: Any, epochs: int, *, rounds: int, crop_flip: bool
) -> list[tuple[Times, Times]]:
    """(theirs, ours): median seconds of an epoch of each round's two trainings, with as many threads as torch takes."""
    with Apart(conventional_epochs, network, parts, epochs, crop_flip, threads=torch.get_num_threads()) as trainings:
        return [
            (middle(next(trainings)), middle(ours([*overrides, f"recipe.epochs={epochs + 2}"]))) for _ in range(rounds)
        ]


def conventional_epochs(network: dict[str, Any], parts: Any, epochs: int, crop_flip: bool) -> Iterator[list[Times]]:
    """Seconds of the epochs of one training after the other."""
    while True:
        with tempfile.TemporaryDirectory() as folder:
            built = loop.build(seed=0, **network)
            yield conventional.epochs_of(built, *parts, folder=Path(folder), epochs=epochs, crop_flip=crop_flip)


def middle(times: Sequence[Times]) -> Times:
    wall, busy = (statistics.median(one[k] for one in times) for k in (0, 1))
    return wall, busy


SETTINGS = {
    "digits": digits,
    "cifar": cifar,
    "digits-conventional": digits_conventional,
    "cifar-conventional": cifar_conventional,
}


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", default=[*SETTINGS], metavar="SETTING", help=", ".join(SETTINGS))
    parser.add_argument("--epochs", type=int, default=0, metavar="N", help="to measure (60, 3, 5 × 5, 3 × 2)")
    parser.add_argument("--steps", type=int, default=0, metavar="N", help="an epoch of 32×32 images has (100; 20)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} × {processor()}, Python {platform.python_version()}, torch {torch.__version__}", end=", ")
    print(f"load {os.getloadavg()[0]:.1f}\n")
    print("| what | n | ms a step of each | ratio, processor | ratio, wall | wanted |\n|---|---|---|---|---|---|")
    for name in options.settings:
        torch.set_num_threads(os.cpu_count() or 1)
        print(SETTINGS[name](options.epochs, options.steps), flush=True)


if __name__ == "__main__":
    main()

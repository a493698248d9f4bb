"""Records of data that has changed since: named, trained again, or kept where that is asked for."""

from pathlib import Path

import numpy as np
import pytest

from tests.typed import typed

NAMES = ("train_images", "train_labels", "test_images", "test_labels")


def write_images(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(300) % 10
    images = rng.integers(0, 255, (300, 8, 8, 1), dtype=np.uint8)
    np.savez(path, **dict(zip(NAMES, (images[:200], labels[:200], images[200:], labels[200:]), strict=True)))


def sweep(runs: Path, *arguments: str) -> str:
    asked = ["-m", f"runs={runs / 'runs'}", f"data_dir={runs}", "data=arrays"]
    asked += ["data.channels=1", "data.size=8", "data.classes=10", "data.held_out=20", "tracker=none", "depth=8"]
    asked += ["network=small", "block=plain", "seed=0,1", "recipe=digits_quick", "recipe.epochs=1"]
    asked += ["recipe.batch_size=32", "hydra/launcher=basic"]
    done = typed(*asked, *arguments, at=runs)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stamps(runs: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in (runs / "runs").glob("*/record.json")}


@pytest.mark.slow
def test_records_of_images_that_changed_are_stale(tmp_path: Path) -> None:
    write_images(tmp_path / "arrays.npz", seed=0)
    sweep(tmp_path)
    before = stamps(tmp_path)
    assert "0 to train, 2 reused" in sweep(tmp_path, "plan=true")
    write_images(tmp_path / "arrays.npz", seed=1)
    kept = sweep(tmp_path, "stale=accept")
    assert "2 records are stale: the images of arrays changed; accepted as asked" in kept
    assert "0 to train, 2 reused" in kept
    planned = sweep(tmp_path, "plan=true")
    assert "2 records are stale: the images of arrays changed; trained again unless stale=accept" in planned
    assert "2 to train" in planned
    assert stamps(tmp_path) == before, "neither trained anything"
    assert "2 to train" in sweep(tmp_path)
    assert stamps(tmp_path).keys() == before.keys()
    assert all(stamps(tmp_path)[name] != before[name] for name in before)
    assert len(list((tmp_path / "runs").glob("*/record.stale-1.json"))) == 2, "what was recorded is kept"
    (tmp_path / "arrays.npz").unlink()
    assert "0 to train, 2 reused" in sweep(tmp_path, "plan=true"), "what is not here cannot be said to have changed"

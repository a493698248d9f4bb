"""The benchmarks in a small size: that they run, and that what they compare is the same training."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import conventional, gpu, loop, proxies, searches, step
from benchmarks.gpu import bars
from lightning_modules.inspection.proxies import PROXIES, measure
from sweeps.training import build
from tests.lightning_modules.trained import composed


def test_the_loop_by_hand_keeps_its_sums() -> None:
    parts, network = loop.digits_in_memory(), loop.build("residual", 8, 0, widths=(4, 4, 8))
    *_, means = loop.each_epoch(network, parts, epochs=2)
    found = loop.evaluate(network, parts.val, 1000, "val")
    assert {name: means[name] for name in found} == pytest.approx(found, rel=1e-4)
    assert means["train_error"] < 90


def test_what_most_people_write_normalises_and_crops_each_image() -> None:
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    scale = torch.from_numpy(images / 255).float()
    mean, std = (value.view(-1, 1, 1) for value in (scale.mean((0, 1, 2)), scale.std((0, 1, 2))))
    options = {"mean": mean, "std": std}
    whole = conventional.Pictures(images, np.arange(64), crop_flip=False, **options)
    stacked = torch.stack([whole[k][0] for k in range(64)])
    assert stacked.mean((0, 2, 3)).abs().max() < 1e-3
    assert (stacked.std((0, 2, 3)) - 1).abs().max() < 1e-2
    cropped = conventional.Pictures(images, np.arange(64), crop_flip=True, **options)
    assert cropped[0][0].shape == (3, 32, 32)
    assert len({cropped[0][0].sum().item() for _ in range(8)}) > 1


def test_a_ratio_is_of_the_epochs_beside_each_other() -> None:
    pairs = [((2.0, 1.0), (1.0, 1.0)), ((4.0, 3.0), (2.0, 2.0)), ((6.0, 4.0), (3.0, 4.0))]
    assert step.ratios(pairs, 0) == "2.000 (2.000 to 2.000), best 2.000"
    assert step.ratios(pairs, 1) == "1.000 (1.000 to 1.250), best 1.000"


LANDSCAPE = Path(__file__).parents[1] / "benchmarks" / "landscape" / "landscape.csv.gz"


def test_ways_to_search_are_compared_in_the_space_of_a_study() -> None:
    on = searches.table(LANDSCAPE)
    asked = searches.narrowed("search_budget", on)
    assert asked["space"]["depth"] == [8, 14, 20]
    assert asked["fixed"] == {"norm": "batch", "activation": "relu"}
    found = searches.cells(on, asked)
    assert len(found) == (1 + 2 * 2) * 3 * 2 * 4, "plain networks have no shortcut"
    assert {cell["norm"] for cell in found} == {"batch"}
    small = searches.cells(on, asked | {"constraints": ["params <= 20_000"]})
    assert {cell["depth"] for cell in small if cell["width"] == 1} == {8}
    regret, epochs = searches.one(LANDSCAPE, "search_budget", None, None, "random+halving:factor=5", 0)
    assert regret >= 0
    assert 30 < epochs < 200
    lacking, epochs = searches.one(LANDSCAPE, "search_frontier", 12, None, "random", 1)
    assert (0 < lacking < 100, epochs) == (True, 120)


def test_a_hypervolume_is_the_area_that_some_point_dominates() -> None:
    points, worst = [(1.0, 2.0), (2.0, 1.0), (2.5, 2.5), (0.0, 9.0)], (3.0, 3.0)
    assert searches.hypervolume(points, worst) == 3
    dots = np.random.default_rng(0).uniform(0, 1, (30, 2))
    grid = np.stack(np.meshgrid(*2 * [(np.arange(300) + 0.5) / 300]), -1).reshape(-1, 1, 2)
    area = (grid >= dots).all(-1).any(-1).mean()
    assert searches.hypervolume(dots.tolist(), (1.0, 1.0)) == pytest.approx(area, abs=0.01)


def test_the_networks_of_a_study_are_scored_as_their_runs_are() -> None:
    grid = "study.grid=[{block: [plain, residual], shortcut: [A, B], depth: 8, recipe.lr: [0.1, 0.3]}]"
    found = proxies.score("landscape", [grid, "study.seeds=[1]"])
    assert found.shortcut.fillna("").tolist() == ["", "A", "B"], (
        "a plain net has none, and no score sees the learning rate"
    )
    network, data, recipe = build(composed("block=residual", "shortcut=B", "seed=1"))
    last = found.iloc[-1]
    assert (last.params, last.seed) == (sum(weight.numel() for weight in network.parameters()), 1)
    assert last[list(PROXIES)].to_dict() == measure(network, data, recipe.learnt, seed=1)


def test_scores_are_judged_by_what_sizes_do_not_tell() -> None:
    rng = np.random.default_rng(0)
    skill, size = rng.permutation(60), rng.permutation(60) // 3
    table = pd.DataFrame(
        {"depth": k, "recipe.lr": lr, "seed": seed, "epoch": epoch, "identity": f"{k} {lr} {seed}"}
        | {"status": "diverged" if lr == 9 else "finished", "params": 10 * size[k], "macs": 7}
        | {"val_error": 90.0 - skill[k] - lr - epoch, "test_error": None if lr == 9 else 80.0 - skill[k] + 9 * lr}
        for k in range(60)
        for lr in (1, 2, 9)
        for seed in (0, 1)
        for epoch in (1, 2)
    )
    scores = pd.DataFrame({"depth": range(60), "seed": 0, "params": 10 * size, "macs": 7})
    scores["proxy_synflow"], scores["proxy_naswot"] = np.exp(skill), rng.standard_normal(60)
    scores["proxy_snip"] = [*np.log(1 + size[:59]), np.nan]
    found, choices = proxies.networks(table, ["depth", "recipe.lr"], scores)
    assert choices == ["recipe.lr=1", "recipe.lr=2", "recipe.lr=9"]
    assert found.best.tolist() == found["error recipe.lr=2"].tolist(), "validation chooses, not the test error"
    assert set(found["error recipe.lr=9"]) == {100.0}
    rows = [line.split(" | ") for line in proxies.report(found, choices) if line.startswith("| ")]
    everything = {row[0].strip("| "): row[1:] for row in rows[1:6]}
    assert everything["synflow"][0] == "−1.00 [−1.00, −1.00]"
    assert everything["synflow"][1] == "−1.00 [−1.00, −1.00]"
    assert everything["synflow"][3].startswith("−")
    assert everything["snip"][1] == everything["params"][1] == everything["macs"][0] == "–", "it is the number of them"
    assert everything["snip"][0].partition(" ")[0] == everything["params"][0].partition(" ")[0]
    low, high = everything["naswot"][0].replace("−", "-").split("[")[1].strip("]").split(", ")
    assert float(low) < 0 < float(high)
    with pytest.raises(ValueError, match="no column depth: compute those of the table's study"):
        proxies.networks(table, ["depth", "recipe.lr"], scores.drop(columns="depth"))


@pytest.mark.slow
def test_the_gpu_script_needs_torch_and_lightning_alone() -> None:
    absent = "hydra", "omegaconf", "optuna", "wandb", "pooch", "scipy", "statsmodels", "altair"
    code = f"""if True:
        import sys, pytorch_lightning  # which looks for some of these
        sys.modules.update(dict.fromkeys({absent}))
        from benchmarks import gpu
        rows = gpu.main(["--small", "--here", "--parts", "loops"])
        assert rows and not [row for row in rows if row[1] == "failed"], rows"""
    subprocess.run([sys.executable, "-c", code], cwd=gpu.ROOT, check=True, capture_output=True)


@pytest.mark.slow
def test_the_gpu_script_runs_unattended(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    parts = "peak,loops,conventional,epoch"
    rows = gpu.main(["--small", "--here", "--parts", parts, "--out", str(tmp_path)])
    assert {part for part, _, _ in rows} == {*parts.split(","), "bars"}
    assert not [row for row in rows if row[1] == "failed"]
    assert json.loads((tmp_path / "gpu.json").read_text())["rows"] == rows
    assert (tmp_path / "gpu.md").read_text().count("\n| ") == len(rows) + 1


@pytest.mark.slow
def test_a_part_in_a_process_of_its_own_says_its_rows() -> None:
    rows = gpu.main(["--small", "--parts", "fused"])
    assert [row[:2] for row in rows] == [["fused", "benchmarks/fuse.py"]] * 2
    assert rows[1][2].startswith("digits 8×8, residual-8; 2; ")


def test_a_part_whose_time_is_over_leaves_its_rows_and_nothing_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "GRACE", 0.2)
    begun = time.monotonic()
    with gpu.ended_after(0.5, ["sh", "-c", "echo found; sleep 30 & sleep 30"]) as process:
        assert process.stdout is not None
        assert [*process.stdout] == ["found\n"], "until nobody is left who could say more"
    assert time.monotonic() - begun < 20
    assert process.returncode


def test_the_bars_are_of_the_same_network() -> None:
    rows = [
        ["loops", "ResNet-20 bf16, by hand, validation of 256 included", "20,600 images/s (best 21,000, n = 2)"],
        ["loops", "ResNet-20 bf16, ours", "20,000 images/s (best 20,100, n = 2)"],
        ["loops", "ResNet-56 bf16, ours", "90,000 images/s (best 90,100, n = 2)"],
        ["graphs", "ResNet-20 bf16, ours, compile=reduce-overhead", "64,000 images/s (best 64,000, n = 2)"],
        ["conventional", "ResNet-20 float32, conventional, 8 workers", "8,000 images/s (best 8,100, n = 2)"],
        ["compiled", "failed", "RuntimeError: no compiler"],
        ["fused", "benchmarks/fuse.py", "32×32, residual-20; 8; 9,000 (9,000); 41,000 (41,000); 4.55× (4.55 to 4.55)"],
        ["fused", "benchmarks/fuse.py", "32×32, residual-20; 2; 9,000 (9,000); 18,000 (18,000); 2.00× (2.00 to 2.00)"],
    ]
    assert [found for _, found in bars(rows)] == ["8.0×", "1.030×", "4.55×"]
    assert list(bars([row for row in rows if row[0] == "compiled"])) == []


def test_a_part_that_fails_is_a_row_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import gpu_parts

    def broken(sizes: object, say: object) -> None:
        raise RuntimeError("the card is on fire")

    monkeypatch.setitem(gpu_parts.PARTS, "peak", broken)
    assert gpu.main(["--here", "--parts", "peak"]) == [["peak", "failed", "RuntimeError: the card is on fire"]]

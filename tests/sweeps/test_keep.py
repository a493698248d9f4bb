"""What a run leaves behind of its network, and how it is loaded."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch

import skipbench
from ablations.identity.code_hash import _sources
from ablations.identity.run import Run
from ablations.records.predictions import read_predictions
from ablations.records.recorder import Recorder
from lightning_modules.data.digits import digits
from lightning_modules.training.fit import Outcome
from lightning_modules.training.weights import content_digest, packed, read_weights
from sweeps.trained import again
from tests.typed import Done, typed

pytestmark = pytest.mark.slow

QUICK = ["depth=8", "recipe.epochs=3", "tracker=none", "trainer=cpu", "trainer.threads=1"]
WEIGHTS = "weights.safetensors"


def run(*words: str, at: Path) -> Done:
    done = typed(f"runs={at}", *words, at=at)
    assert done.returncode == 0, done.stderr
    return done


def only(runs: Path) -> Path:
    (record,) = runs.glob("*/record.json")
    return record.parent


def record(runs: Path) -> dict:
    return json.loads((only(runs) / "record.json").read_text())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One run of digits for every value of `keep`."""
    found = {}
    for keep in ("final", "best", "nothing"):
        found[keep] = tmp_path_factory.mktemp(keep)
        run(*QUICK, f"keep={keep}", at=found[keep])
    return found


def test_a_run_is_the_same_whatever_it_keeps(kept: dict[str, Path]) -> None:
    records = [record(runs) for runs in kept.values()]
    assert len({one["identity"] for one in records}) == 1
    assert len({json.dumps(one["metrics"]) for one in records}) == 1
    assert [(only(runs) / WEIGHTS).exists() for runs in kept.values()] == [True, True, False]


@pytest.mark.parametrize("keep", ["final", "best"])
def test_a_loaded_network_predicts_what_its_run_predicted(kept: dict[str, Path], keep: str) -> None:
    network = skipbench.load(only(kept[keep]))
    rows = [line.split(",") for line in (only(kept[keep]) / "curve.csv").read_text().splitlines()]
    errors = [float(row[rows[0].index("val_error")]) for row in rows[1:]]
    epoch = len(errors) if keep == "final" else errors.index(min(errors)) + 1
    assert network.trained["epoch"] == epoch
    assert not network.training
    images = digits(Path())
    with torch.no_grad():
        logits = network(network.preprocess(images.test_images))
    predicted = read_predictions(only(kept["final"]))
    assert predicted is not None
    same = (logits.argmax(1).numpy() == predicted["test_class"]).all()
    assert same == (epoch == len(errors))


def test_a_run_that_kept_nothing_says_what_to_type(kept: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keeps no weights; this trains it again") as refused:
        skipbench.load(only(kept["nothing"]))
    assert "depth=8 recipe.epochs=3" in str(refused.value)
    again = run(*QUICK, at=kept["nothing"])
    assert "it kept no weights; with retrain=true it is trained again" in again.stdout
    with pytest.raises(ValueError, match="there is no folder"):
        skipbench.load(tmp_path / "nowhere")
    mistyped = only(kept["final"]).with_name(f"{only(kept['final']).name[:-1]}x")
    with pytest.raises(ValueError, match=f"did you mean {re.escape(only(kept['final']).name)}"):
        skipbench.load(mistyped)


def test_a_file_of_weights_calls_nothing_of_a_stranger(kept: dict[str, Path], tmp_path: Path) -> None:
    weights, about = read_weights(only(kept["final"]) / WEIGHTS)
    strange = tmp_path / WEIGHTS
    names = (
        "os.system",
        "torch.load",
        "torch.nn.modules.module.torch.load",
        "lightning_modules.networks.layers.F.relu.__class__",
    )
    for name in (*names, "lightning_modules.training.weights.json.loads", "pickle.loads", "PIL.Image.open"):
        network = {**about["network"], "activation": {"_target_": name, "_partial_": True}}
        strange.write_bytes(packed(weights, {**about, "network": network}))
        with pytest.raises(ValueError, match=re.escape(f"calls {name}")):
            skipbench.load(tmp_path)
    with pytest.raises(ValueError, match=r"PIL\.Image\.open"):
        skipbench.load(tmp_path, trust=["numpy"])


def test_a_network_whose_code_has_changed_or_gone_says_so(
    kept: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "flat_net.py").write_text("from torch import nn\n\nclass Net(nn.Linear):\n    scale = 1\n")
    monkeypatch.syspath_prepend(own)
    _, about = read_weights(only(kept["final"]) / WEIGHTS)
    network = {"_target_": "flat_net.Net", "in_features": 64, "out_features": 10}
    run = Run(axes={"network": "net"}, seed=0, config={"network": network, "data": {}, "recipe": {}})
    recorder = Recorder(run, tmp_path / run.folder)
    recorder.begin(params=1, macs=1, note="", data_digest="d")
    weights = packed(torch.nn.Linear(64, 10).state_dict(), {**about, "network": network})
    done = Outcome({"val_error": 1.0}, epochs=2, steps=20, seconds=4.0, diverged=False, device="cpu")
    recorder.finish(done, batch_size=16, weights=weights)
    skipbench.load(recorder.folder)
    (own / "flat_net.py").write_text("from torch import nn\n\nclass Net(nn.Linear):\n    scale = 2\n")
    _sources.cache_clear()  # as another process would read it
    with pytest.warns(UserWarning, match=r"flat_net.py changed since .* was trained"):
        skipbench.load(recorder.folder)
    monkeypatch.delitem(sys.modules, "flat_net")
    (own / "flat_net.py").unlink()
    _sources.cache_clear()
    with pytest.raises(ValueError, match=r"calls flat_net.Net, which is not found here: add its folder to sys.path"):
        skipbench.load(recorder.folder)


def test_what_trains_a_run_again_names_its_folder_of_choices(kept: dict[str, Path], tmp_path: Path) -> None:
    done = only(kept["nothing"])
    folder = Path(shutil.copytree(done, tmp_path / done.name))
    place = folder / ".hydra" / "hydra.yaml"
    place.write_text(
        place.read_text().replace("path: installed", "path: my own").replace("r: skipbench", "r: command-line")
    )
    assert again(folder, record(done.parent)).startswith("python run.py --config-dir 'my own' ")
    assert "--config-dir" not in again(done, record(done.parent))


def test_seeds_of_a_sweep_keep_their_weights_trained_as_one_program_too(tmp_path: Path) -> None:
    words = ["-m", "block=residual", "seed=0,1", "hydra/launcher=basic", "workers=1", *QUICK]
    for keep, fuse in (("final", 2), ("best", 1)):
        runs = tmp_path / keep
        runs.mkdir()
        run(*words, f"keep={keep}", f"trainer.fuse={fuse}", at=runs)
        found = sorted(path.parent for path in runs.glob("*/record.json"))
        assert len(found) == 2
        for folder in found:
            network = skipbench.load(folder)
            predicted = read_predictions(folder)
            assert predicted is not None
            with torch.no_grad():
                classes = network(network.preprocess(digits(Path()).test_images)).argmax(1).numpy()
            assert keep == "best" or (classes == predicted["test_class"]).all()
        seeds = [content_digest(read_weights(folder / WEIGHTS)[0]) for folder in found]
        assert seeds[0] != seeds[1]


def test_a_longer_run_goes_on_from_a_shorter_one_where_its_schedule_allows(tmp_path: Path) -> None:
    """Bit by bit as if it had not, and in a sweep too; a cosine begins anew, and so does a run of other images."""

    def ended(runs: Path, *words: str, epochs: int) -> dict:
        run(*QUICK, f"recipe.epochs={epochs}", *words, at=runs)
        one = json.loads(max(runs.glob("*/record.json"), key=lambda path: path.stat().st_mtime_ns).read_text())
        return one | {"weights": content_digest(read_weights(runs / one["folder"] / WEIGHTS)[0])}

    apart, together = tmp_path / "apart", tmp_path / "together"
    for folder in (apart, together):
        folder.mkdir()
    whole = ended(apart, "schedule=constant", epochs=5)
    shorter = ended(together, "schedule=constant", epochs=2)
    assert (together / shorter["folder"] / "state.ckpt").exists()
    longer = ended(together, "schedule=constant", epochs=5)
    assert longer["continued"] == shorter["folder"]
    assert "continued" not in whole
    for name in ("identity", "metrics", "epochs", "steps", "weights"):
        assert longer[name] == whole[name]
    curves = [(runs / one["folder"] / "curve.csv").read_text() for runs, one in ((apart, whole), (together, longer))]
    assert len({"".join(line.rpartition(",")[0] for line in curve.splitlines()) for curve in curves}) == 1
    told = (together / shorter["folder"] / "curve.csv").read_text()
    assert curves[1].startswith(told), "its first epochs are those of the shorter run, seconds and all"
    for epochs in (2, 4):
        cosine = ended(together, "seed=1", epochs=epochs)
        assert not (together / cosine["folder"] / "state.ckpt").exists()
        assert "continued" not in cosine

"""An exported network computes what the network of the run computes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import skipbench
from lightning_modules.training.weights import packed, read_weights
from sweeps.export import main
from sweeps.keeping import kept_weights
from sweeps.training import build
from tests.lightning_modules.trained import composed


class OfTwo(nn.Module):
    """A network in which an exporter takes the size of its batch for a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.reshape(len(x), -1)) + torch.zeros(len(x), 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("run"))


def written(folder: Path, *words: str) -> Path:
    """The folder of a run whose weights are those it began with."""
    from lightning_modules.training.weights import KeptEpoch
    from sweeps.compose.compose import run_of

    config = composed(*words)
    content = kept_weights(config, run_of(config, config.hydra), build(config), KeptEpoch("final"), 2)
    assert content is not None
    (folder / "weights.safetensors").write_bytes(content)
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torchscript(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torchscript", str(folder)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path == folder / "network.pt"
    network = skipbench.load(folder)
    images = torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        assert torch.allclose(torch.jit.load(path)(images), network(images), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_onnx(folder: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install onnx onnxscript onnxruntime")
    import onnxruntime

    path, own = tmp_path / "own.onnx", tmp_path / "weights.safetensors"
    weights, about = read_weights(folder / "weights.safetensors")
    own.write_bytes(packed({k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}, about))
    assert main(["onnx", str(own), "--out", str(path)]) == 0
    network = skipbench.load(folder)
    images = torch.randn(5, 1, 8, 8)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = network(images)
    assert torch.allclose(torch.from_numpy(session.run(None, {"images": images.numpy()})[0]), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_folded_network_is_smaller_and_computes_the_same(folder: Path, tmp_path: Path, capsys: Any) -> None:
    own = written(tmp_path, "block=plain", "body=repvgg", "depth=11")
    out = tmp_path / "new" / "folded.pt"
    assert main(["torchscript", str(own), "--folded", "--out", str(out)]) == 0
    network, file = skipbench.load(own), torch.jit.load(out)
    images = torch.randn(5, 1, 8, 8)
    with torch.no_grad():
        assert torch.allclose(file(images), network(images), atol=1e-5)
    assert sum(p.numel() for p in file.parameters()) < 0.95 * sum(p.numel() for p in network.parameters())
    assert main(["torchscript", str(folder), "--folded"]) == 1
    assert "nothing in this network folds: use body=dirac or body=repvgg" in capsys.readouterr().err


def test_what_is_missing_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if "onnx" in name else there(name, *rest))
    assert main(["onnx", str(folder)]) == 1
    assert capsys.readouterr().err == "error: onnx needs what is not installed: pip install onnx onnxscript\n"
    assert main(["torchscript", str(tmp_path / "nowhere")]) == 1
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_network_that_takes_one_size_of_batch_alone_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, about = read_weights(folder / "weights.safetensors")
    network = {"_target_": f"{__name__}.OfTwo"}
    (tmp_path / "weights.safetensors").write_bytes(packed(OfTwo().state_dict(), {**about, "network": network}))
    assert main(["torchscript", str(tmp_path)]) == 1
    assert f"error: the network of {tmp_path} cannot be exported to torchscript: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]
    strange = packed(OfTwo().state_dict(), {**about, "network": {"_target_": "pandas.DataFrame"}})
    (tmp_path / "weights.safetensors").write_bytes(strange)
    assert main(["torchscript", str(tmp_path)]) == 1
    assert "if you trust it, add --trust pandas\n" in capsys.readouterr().err


def test_tokens_that_a_network_does_not_take_are_named(tmp_path: Path) -> None:
    tokens = np.random.default_rng(0).integers(0, 5, (60, 12))
    parts = {f"{part}_{what}": tokens for part in ("train", "test") for what in ("images", "labels")}
    np.savez(tmp_path / "tokens.npz", **parts)
    data = "data=arrays", f"data.source.path={tmp_path / 'tokens.npz'}", "data.source.axes=NL", "task=next_token"
    size = "data.channels=5", "data.size=[12]", "data.classes=5"
    network: Any = skipbench.load(written(tmp_path, *data, *size, "network=transformer", "depth=1", "width=0.25"))
    assert network.predict(tokens[:3, :7]).shape == (3, 7, 5)
    for odd, found in ((tokens[:1] + 4, "12 tokens up to 8"), (np.tile(tokens[:1], 2), "24 tokens up to 4")):
        with pytest.raises(ValueError, match=f"on sequences of 12 tokens from 0 to 4: it does not take {found}$"):
            network.predict(odd)

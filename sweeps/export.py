"""Export the network of a run, with its weights, to TorchScript or ONNX.

    python -m sweeps.export torchscript runs/<folder>
    python -m sweeps.export onnx runs/<folder> --out network.onnx
    python -m sweeps.export torchscript runs/<folder> --folded

The file takes batches of any size, normalised as `network.preprocess` does it, and gives the network's outputs: of a
regression they are standardised, and `trained["targets"]` has mean and scale. ONNX is in float32 always. What it
computes is compared with the network's own outputs before it is written to its place; for ONNX by `onnxruntime`, where
that is installed. With `--folded`, each `body=dirac` and `body=repvgg` is a plain convolution in it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SUFFIXES = {"torchscript": ".pt", "onnx": ".onnx"}
NEEDED = {"torchscript": (), "onnx": ("onnx", "onnxscript")}  # beside torch
NEAR = 1e-4
SHOWN = 2  # examples that an exporter sees; the file is compared on one more, since it takes batches of any size


def export(
    folder: Path, kind: str, out: Path | None = None, *, folded: bool = False, trust: Sequence[str] = ()
) -> Path:
    """Write a run's network as a file that needs no Skipbench; return its path.

    Args:
        kind: torchscript or onnx.
        out: where to; by default `network.pt` or `network.onnx` in the run's folder.
        folded: whether bodies that fold are exported as the convolutions they fold to.
        trust: as `load` has it.

    Raises:
        ValueError: there are no weights, a package is missing, nothing folds, or the file computes something else.
    """
    if missing := [name for name in NEEDED[kind] if importlib.util.find_spec(name) is None]:
        raise ValueError(f"{kind} needs what is not installed: pip install {' '.join(missing)}")
    import torch

    from lightning_modules.networks.folding import fold
    from sweeps.trained import load

    network: Any = load(folder, trust=trust)
    images = torch.randn(SHOWN + 1, *network.trained["input"], generator=torch.Generator().manual_seed(0))
    tokens = network.trained["dtype"] == "int64"
    images = (images > 0).long() if tokens else images.to(network.preprocess.dtype)
    home = folder if folder.is_dir() else folder.parent
    path = out or home / f"network{SUFFIXES[kind]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about its own future
        expected = network(images)
        exported = fold(network) if folded else network
        if kind == "onnx":  # whose runtime has no convolution of float64
            exported, images, expected = exported.float(), images if tokens else images.float(), expected.float()
        try:
            found = (_torchscript if kind == "torchscript" else _onnx)(exported, images, part)
            if found is not None and not torch.allclose(found, expected, atol=NEAR * max(1, expected.abs().max())):
                raise ValueError("it computes something else")
            os.replace(part, path)
        except Exception as error:
            says = str(error).strip().splitlines() or [type(error).__name__]
            raise ValueError(f"the network of {folder} cannot be exported to {kind}: {says[-1]}") from error
        finally:
            part.unlink(missing_ok=True)
    return path


def _torchscript(network: Any, images: Any, path: Path) -> Any:
    """Trace a network; return what the file computes of a larger batch."""
    import torch

    torch.jit.save(torch.jit.trace(network, images[:SHOWN]), str(path))
    return torch.jit.load(str(path))(images)


def _onnx(network: Any, images: Any, path: Path) -> Any:
    """Write a network as ONNX in one file; return what it computes of a larger batch, None without onnxruntime."""
    import torch

    batch = {0: torch.export.Dim("batch")}
    names: dict[str, Any] = {"input_names": ["images"], "output_names": ["logits"]}
    torch.onnx.export(
        network,
        (images[:SHOWN],),
        str(path),
        dynamo=True,
        dynamic_shapes=(batch,),
        external_data=False,
        verbose=False,
        **names,
    )
    if importlib.util.find_spec("onnxruntime") is None:
        print("not compared with the network's outputs: pip install onnxruntime", file=sys.stderr)
        return None
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what was typed; return the exit status."""
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m sweeps.export", description=__doc__, formatter_class=shape)
    parser.add_argument("kind", choices=SUFFIXES)
    parser.add_argument("folder", type=Path, help="of the run, runs/<label>-<8 digits>")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to (network.pt or network.onnx in the folder)")
    parser.add_argument("--folded", action="store_true", help="with each body=dirac and repvgg as a plain convolution")
    parser.add_argument("--trust", action="append", default=[], metavar="PACKAGE", help="whose code may be called")
    options = parser.parse_args(arguments)
    try:
        print(export(options.folder, options.kind, options.out, folded=options.folded, trust=options.trust))
    except (ValueError, OSError) as error:
        said = re.sub(r"say trust=\['(.+)'\]", r"add --trust \1", str(error))
        print(f"error: {said}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main())

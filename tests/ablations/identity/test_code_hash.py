"""Code that matters moves the fingerprint; a comment, a docstring, a reformat and a neighbour do not."""

from pathlib import Path

import pytest

from ablations.identity import code_hash as module
from ablations.identity.code_hash import fingerprint, targets
from ablations.identity.source_tree import SourceTree

SOURCE = '''
"""A module."""
from mine_parts import half as part
from torch.nn.functional import relu as act
import logging
import torch
torch.set_flush_denormal(False)

if torch.__version__ > "2":
    SCALE = 2
else:
    SCALE = 1
WRONG = "wrong"

def scaled(x):
    """Doc."""
    if x < 0:
        hint = f"choose {-x}"
        raise ValueError(f"x={x} is negative: {hint}")
    assert x < 9, "large"
    if x > 8:
        logging.getLogger(__name__).info("scaled %s", x)
        raise KeyError(WRONG)
    return act(x * SCALE)

class Base:
    def forward(self, x):
        return scaled(x)

class Mine(Base):
    """What it is."""
    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        self.c = part.divide(c_in)

class Beside:
    pass
'''
PART = "def divide(x):\n    return x / 2\n\ndef unused(x):\n    return x\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, "ROOTS", ())
    folder = tmp_path / "mine_parts"
    folder.mkdir()
    (folder / "__init__.py").write_text("")

    def put(source: str = SOURCE, part: str = PART) -> dict[str, str]:
        (tmp_path / "mine_block.py").write_text(source)
        (folder / "half.py").write_text(part)
        return fingerprint(["mine_block.Mine", "torch.nn.ReLU"], SourceTree())

    return put


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("class Beside:\n    pass", "class Beside:\n    x = 1\n\nclass Another:\n    pass"),
        ("    return act(x * SCALE)", "    # why\n    return act(x\n            * SCALE)"),
        ('"""What it is."""', '"""What it really is."""'),
        ('    """Doc."""\n', ""),
        ("c_in: int, c_out: int", "c_in: float, c_out"),
        ("SCALE = 2", "SCALE: int = 2"),
        ("is negative", "must be 0 or more"),
        ("x={x} is negative: {hint}", "{hint}"),
        ("choose {-x}", "the nearest is {-x}"),
        ('f"x={x} is negative: {hint}"', '"negative" if x < -1 else "nearly" + " 0"'),
        ('"large"', 'f"{x} is large"'),
        ('"scaled %s"', '"%s was scaled"'),
        ('WRONG = "wrong"', 'WRONG = "larger than 8"'),
    ],
)
def test_what_does_not_matter(write, old: str, new: str) -> None:
    assert old in SOURCE
    assert write() == write(SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * SCALE", "x + SCALE"),
        ("SCALE = 2", "SCALE = 3"),
        ("return scaled(x)", "return scaled(-x)"),
        ("part.divide(c_in)", "part.divide(c_out)"),
        ("class Mine(Base)", "class Mine(Base, object)"),
        ("if x < 0", "if x <= 0"),
        ("raise ValueError", "raise TypeError"),
        ("assert x < 9", "assert x < 8"),
        ("import relu as act", "import silu as act"),
        ('> "2"', '> "3"'),
        ("set_flush_denormal(False)", "set_flush_denormal(True)"),
    ],
)
def test_what_matters(write, old: str, new: str) -> None:
    assert old in SOURCE
    assert write() != write(SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("imports", "name"),
    [
        ("import mine_parts.half", "mine_parts.half.divide"),
        ("from mine_parts.half import *", "divide"),
        (
            "try:\n    import nowhere as part\nexcept ImportError:\n    from mine_parts import half as part",
            "part.divide",
        ),
        ("try:\n    pass\nfinally:\n    from mine_parts.half import divide", "divide"),
        ("try:\n    import nowhere\nexcept ImportError:\n    def f(x):\n        return part.divide(x)", "f"),
        ("def f(x):\n    from nowhere import g\n    from mine_parts.half import divide as g\n    return g(x)", "f"),
        ("def f():\n    from mine_parts.half import divide as g\n    g(1)\ndef h():\n    from os import sep as g", "f"),
        ("import mine_parts.half as whole\nf = vars(whole)['divide']", "f"),
        ("with open(__file__):\n    def f(x):\n        return part.divide(x)", "f"),
        ("for f in (part.divide,):\n    pass", "f"),
    ],
)
def test_however_it_is_reached(write, imports: str, name: str) -> None:
    source = SOURCE.replace("import torch\n", f"import torch\n{imports}\n").replace(
        "part.divide(c_in)", f"{name}(c_in)"
    )
    before = write(source)
    assert write(source, PART.replace("x / 2", "x / 3")) != before
    if "vars" not in imports:  # of a module that is handed about all counts
        assert write(source, PART.replace("return x\n", "return -x\n")) == before


def test_code_beside_the_target_counts_as_far_as_it_is_used(write) -> None:
    before = write()
    assert list(before) == ["mine_block.py", "mine_parts/half.py"]
    assert write(part=PART.replace("x / 2", "x / 3"))["mine_parts/half.py"] != before["mine_parts/half.py"]
    assert write(part=PART.replace("    return x\n", "    return -x\n")) == before


def test_the_shipped_blocks_rest_on_their_own_code_only() -> None:
    files = fingerprint(["lightning_modules.networks.blocks.Plain"])
    assert "lightning_modules/networks/blocks.py" in files
    assert "lightning_modules/training/lean_loop.py" in files, "the code that trains counts for every run"
    assert "lightning_modules/training/progress.py" not in files
    assert not any(file.startswith("ablations") for file in files)


def test_targets_are_found_at_every_depth() -> None:
    config = {"_target_": "a.A", "block": {"_target_": "b.B", "items": [{"_target_": "c.C"}, 3]}, "n": 1}
    assert targets(config) == {"a.A", "b.B", "c.C"}


PACKAGE = {
    "registry.py": "KINDS = {}\n\ndef register(made):\n    KINDS[made.__name__] = made\n    return made\n",
    "kinds.py": "from zoo.registry import register\n\n@register\nclass Scaled:\n    factor = 2\n",
    "net.py": "import zoo.kinds\nfrom zoo.registry import KINDS, register\n\n@register\nclass Own:\n    gain = 5\n\n"
    "def Net():\n    return KINDS['Scaled']()\n",
    "__init__.py": "import torch\ntorch.set_default_dtype(torch.float32)\n",
    "acts.py": "def act(x):\n    return x * 7\n\ndef beside(x):\n    return x * 8\n",
}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [("kinds.py", "2", "3"), ("net.py", "5", "6"), ("__init__.py", "float32", "float64"), ("acts.py", "7", "9")],
)
def test_what_is_registered_or_done_on_import_or_looked_up_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str
) -> None:
    (tmp_path / "zoo").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    looked_up = {"_target_": "hydra.utils.get_method", "path": "zoo.acts.act"}
    names = targets({"_target_": "zoo.net.Net", "act": looked_up, "data": {"path": "zoo.acts.beside"}})
    for name, text in PACKAGE.items():
        (tmp_path / "zoo" / name).write_text(text)
    before = fingerprint(names, SourceTree())
    (tmp_path / "zoo" / "acts.py").write_text(PACKAGE["acts.py"].replace("8", "1"))
    assert fingerprint(names, SourceTree()) == before, "another definition beside it"
    (tmp_path / "zoo" / file).write_text(PACKAGE[file].replace(old, new))
    assert fingerprint(names, SourceTree()) != before

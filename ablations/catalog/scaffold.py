"""Write a package of your own with a block, its test and its README: `python -m ablations new block mine`."""

from __future__ import annotations

import argparse
import keyword
from pathlib import Path
from string import Template

from ablations.catalog.choices import choices_of

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$package"
version = "0.1.0"
description = "A block for Skipbench"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["torch"]

[project.optional-dependencies]
test = ["pytest>=8.2"]

[project.entry-points."skipbench.blocks"]
$name = "$module:$kind"

[tool.setuptools]
py-modules = ["$module"]
""",
    "$module.py": '''\
"""A block for Skipbench; it needs torch only."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class $kind(nn.Module):
    """y = act(α · f(x) + s(x)), α learnt."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        body,
        shortcut,
        activation,
        start: float = 0.5,
    ) -> None:
        super().__init__()
        self.body = body(c_in, c_out, stride)
        self.shortcut = shortcut(c_in, c_out, stride)
        self.activation = activation()
        self.alpha = nn.Parameter(torch.tensor(float(start)))

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.alpha * self.body(x) + self.shortcut(x))
''',
    "test_$module.py": '''\
"""The laws every block obeys, and one of its own."""

import torch
from lightning_modules.networks.testing import BlockContract

from $module import $kind


class Test$kind(BlockContract):
    block = $kind

    def test_without_its_body_it_is_its_shortcut(self) -> None:
        block = self.make(8, 8, 1)
        torch.nn.init.zeros_(block.alpha)
        x = torch.randn(2, 8, 6, 6)
        torch.testing.assert_close(block(x), x.relu())
''',
    "README.md": """\
# $package

The block `$name` for Skipbench: y = act(α · f(x) + s(x)), α learnt.

```bash
pip install -e '.[test]'                                 # where Skipbench is installed
python -m pytest                                         # the laws every block obeys
skipbench -m study=stress block=$name,residual depth=20,56    # first: what it bears and costs, beside a sum
skipbench -m block=$name,residual depth=8 seed=0,1
skipbench -m block=$name block.start=0,0.5,1 depth=8 seed=0,1
```

`$module.py` has the block. What its signature names among `body`, `shortcut`, `norm` and `activation` it is handed, and
that is an axis which matters to it; every other keyword is an option: `block.start=0.1`.
""",
}


def new(options: argparse.Namespace) -> None:
    """Write the folder `options.name` in the current directory.

    Raises:
        ValueError: the name is no good, or taken.
    """
    name = options.name
    if not name.isidentifier() or keyword.iskeyword(name) or name != name.lower():
        raise ValueError(f"{name!r} cannot name a block: use small letters, digits and underscores, as in my_block")
    taken = [choice.origin for choice in choices_of("block") if choice.name == name]
    if taken:
        raise ValueError(f"block={name} exists already, in {taken[0]}: choose another name")
    folder = Path(name)
    if folder.exists():
        raise ValueError(f"{folder}/ exists already: choose another name, or move it away")
    words = {
        "name": name,
        "module": f"{name}_block",
        "kind": "".join(part.capitalize() for part in name.split("_")),
        "package": f"skipbench-{name.replace('_', '-').strip('-')}",
    }
    folder.mkdir()
    for file, text in FILES.items():
        (folder / Template(file).substitute(words)).write_text(Template(text).substitute(words), encoding="utf-8")
    print(f"{folder}/ is a package with the block {words['kind']}; cd {name}, then follow README.md")

"""A block may come from anywhere: each way, really typed; what is offered twice is refused with both origins."""

import json
import re
from pathlib import Path

import pytest

from tests.typed import typed

QUICK = ["depth=8", "seed=0", "recipe.epochs=1", "tracker=none"]

CODE = '''"""Torch, and nothing else."""

from torch import nn


class {name}(nn.Module):
    """y = norm(f(x)) + s(x), f as wide as one likes."""

    def __init__(self, c_in, c_out, stride, *, shortcut, norm, ratio=2):
        super().__init__()
        self.first = nn.Conv2d(c_in, ratio * c_out, 3, stride, padding=1)
        self.second = nn.Conv2d(ratio * c_out, c_out, 1)
        self.norm, self.shortcut = norm(c_out), shortcut(c_in, c_out, stride)

    def forward(self, x):
        return self.norm(self.second(self.first(x).relu())) + self.shortcut(x)
'''
YAML = """# As wide inside as one likes.
_target_: own.Own
_partial_: true
shortcut: ${shortcut}
norm: ${norm}
ratio: 2
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def package(folder: Path, name: str, points: str, **files: str) -> Path:
    """An installed package: its metadata, as an installer leaves it, and its modules."""
    about = {
        f"{name}-0.1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n",
        f"{name}-0.1.dist-info/entry_points.txt": points,
    }
    return write(folder, about | {f"{module}.py": text for module, text in files.items()})


def records(at: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(at.glob("runs/*/record.json"))]


POINTS = "[skipbench.blocks]\noffered = widen:Own\n"
PATH = """
from hydra.plugins.search_path_plugin import SearchPathPlugin


class Path(SearchPathPlugin):
    def manipulate_search_path(self, search_path):
        search_path.append("with_yaml", "pkg://with_yaml.conf")
"""
STORE = """
from hydra.core.config_store import ConfigStore

node = {"_target_": "stores.Own", "_partial_": True, "shortcut": "${shortcut}", "norm": "${norm}", "ratio": 3}
ConfigStore.instance().store(group="block", name="stored", node=node, provider="stores")
"""


def all_ways(at: Path) -> tuple[Path, list[Path]]:
    """The block in a folder of one's own, in the current one and in three kinds of packages; and where."""
    code = CODE.format(name="Own")
    write(at, {"here.py": code, "mine/block/here.yaml": YAML.replace("own.", "here.")})
    write(at, {"mine/own.py": code, "mine/block/own.yaml": YAML})
    site = package(at / "site", "wide_one", POINTS, widen=code)
    write(site, {"hydra_plugins/with_yaml/__init__.py": PATH, "with_yaml/conf/__init__.py": ""})
    write(site, {"with_yaml/__init__.py": code, "with_yaml/conf/block/pathed.yaml": YAML.replace("own.", "with_yaml.")})
    write(site, {"hydra_plugins/stores/__init__.py": STORE, "stores.py": code})
    return site, [at / "here.py", at / "mine" / "own.py", *(site.glob("[!h]*/__init__.py")), *site.glob("*.py")]


@pytest.mark.slow
def test_every_way_is_swept_by_workers_recorded_shown_and_stale_once_changed(tmp_path: Path) -> None:
    site, files = all_ways(tmp_path)
    names = ["here", "own", "offered", "pathed", "stored"]
    assert len(files) == len(names)
    asked = ["--config-dir", "mine", "-m", f"block={','.join(names)}", "block.ratio=1,2", *QUICK]
    done = typed(*asked, "hydra/launcher=joblib", "workers=2", at=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "10 cells × 1 seed: 10 to train" in done.stdout
    found = {(record["axes"]["block"], record["axes"]["block.ratio"]): record for record in records(tmp_path)}
    assert set(found) == {(name, ratio) for name in names for ratio in (1, 2)}
    assert len({record["identity"] for record in found.values()}) == 10
    assert len({record["metrics"]["val_loss"] for record in found.values()}) == 2, "they are the same block"
    for name in names:
        assert found[name, 1]["params"] < found[name, 2]["params"]
        assert found[name, 1]["axes"]["shortcut"] == "A"
        assert re.search(rf"^ +(★ +)?{name} +[12] +1 +\d", done.stdout, re.MULTILINE), "a line of the table"
    assert re.search(r"^ +block +block\.ratio +n ", done.stdout, re.MULTILINE), "the option is a column"

    again = typed(*asked, "plan=true", at=tmp_path, PYTHONPATH=str(site))
    assert "0 to train, 10 reused" in again.stdout
    for file in files:
        file.write_text(file.read_text().replace(".relu()", ".tanh()"))
    changed = typed(*asked, "plan=true", at=tmp_path, PYTHONPATH=str(site))
    assert "10 to train, 0 reused" in changed.stdout
    (stale,) = re.findall(r"10 records are stale: (.*) changed", changed.stdout)
    named = re.fullmatch(r"(\S+), (\S+), (\S+) and 2 more files", stale)
    assert named, stale
    assert {Path(name).name for name in named.groups()} <= {file.name for file in files}


@pytest.mark.slow
def test_a_block_for_an_afternoon(tmp_path: Path) -> None:
    code = CODE.format(name="Own").replace("shortcut, norm", "body, shortcut, activation, norm=nn.Identity")
    write(tmp_path, {"own.py": code})
    asked = ["-m", "block._target_=own.Own", "+block.ratio=1,2", *QUICK]
    done = typed(*asked, "hydra/launcher=basic", at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {record["axes"]["block.ratio"] for record in records(tmp_path)} == {1, 2}
    assert len({record["params"] for record in records(tmp_path)}) == 2
    assert re.search(r"^ +\+block\.ratio +n ", done.stdout, re.MULTILINE), "its option is a column"
    write(tmp_path, {"own.py": code.replace(".relu()", ".tanh()")})
    changed = typed(*asked, "plan=true", at=tmp_path)
    assert "2 to train, 0 reused" in changed.stdout
    assert "2 records are stale: own.py changed" in changed.stdout


def test_help_says_where_a_choice_comes_from_and_imports_no_package(tmp_path: Path) -> None:
    site, _ = all_ways(tmp_path)
    write(site, {"widen.py": "raise SystemExit('imported')\n" + (site / "widen.py").read_text()})
    write(tmp_path, {"mine/study/cifar/own.yaml": "# @package _global_\n# Mine.\n"})
    done = typed("--config-dir", "mine", "--help", at=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "plain There is no shortcut, only the body: y = act(f(x))." in lines
    assert f"own As wide inside as one likes. [{tmp_path}/mine/block/own.yaml]" in lines
    assert f"cifar/own Mine. [{tmp_path}/mine/study/cifar/own.yaml]" in lines
    assert any(line.startswith("cifar/headline 27 runs on CIFAR-10 ") for line in lines)
    assert "offered y = norm(f(x)) + s(x), f as wide as one likes. [wide_one 0.1 (widen:Own)]" in lines
    assert f"pathed As wide inside as one likes. [{site}/with_yaml/conf/block/pathed.yaml]" in lines
    assert "stored y = norm(f(x)) + s(x), f as wide as one likes. [the ConfigStore, by stores]" in lines


def refused(*arguments: str, at: Path, **env: str) -> str:
    done = typed(*arguments, at=at, **env)
    assert done.returncode == 1, done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert not list(at.glob("runs/*/record.json"))
    return line


@pytest.mark.slow
@pytest.mark.long
def test_a_name_that_is_taken_is_refused_with_both_origins(tmp_path: Path) -> None:
    site = package(tmp_path / "site", "wide_one", POINTS.replace("offered", "plain"), widen=CODE.format(name="Own"))
    line = refused("block=plain", *QUICK, at=tmp_path, PYTHONPATH=str(site))
    assert "block=plain could be conf/block/plain.yaml or wide_one 0.1 (widen:Own): give one" in line
    write(tmp_path / "mine", {"block/highway.yaml": YAML})
    line = refused("--config-dir", "mine", "block=highway", *QUICK, at=tmp_path)
    assert f"block=highway could be conf/block/highway.yaml or {tmp_path}/mine/block/highway.yaml: give one" in line
    write(tmp_path, {"mine/study/cifar/blocks.yaml": "# @package _global_\nstudy: {name: cifar/blocks}\n"})
    line = refused("--config-dir", "mine", "-m", "study=cifar/blocks", *QUICK, at=tmp_path)
    assert "study=cifar/blocks could be conf/study/cifar/blocks.yaml or" in line
    line = refused("--config-dir", "mine", "-m", "block=residual,highway", *QUICK, at=tmp_path)
    assert "block=highway could be" in line, "in a sweep before anything is trained"


def test_two_packages_with_one_name_are_refused_with_both_origins(tmp_path: Path) -> None:
    site = package(tmp_path / "site", "wide_one", POINTS, widen=CODE.format(name="Own"))
    package(site, "wide_two", POINTS.replace("widen", "wider"))
    line = refused("block=offered", *QUICK, at=tmp_path, PYTHONPATH=str(site))
    assert "block=offered is offered by wide_one 0.1 (widen:Own) and by wide_two 0.1 (wider:Own): uninstall one" in line

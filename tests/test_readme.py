"""Run the commands of README.md and docs/, with the files they show, in a copy of the project.

Most commands of README.md run every time, the others only with `make proofs`; test_pages.py at least composes these.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.pages import FILES, PAGES, ROOT, TEXTS, Command, commands, is_shown
from tests.typed import typed

SHARED = ROOT.parent / "shared" / "data"
WARMTH = Command("README.md", "python run.py -m study=warmth")  # named in the text, not in a shell block
COMMANDS = [*(one for one in commands() if one.here), WARMTH]
PIP = "install -q --no-index --no-deps --no-build-isolation --disable-pip-version-check"


@pytest.fixture(scope="module")
def copies() -> dict[str, Path]:
    """Page → the copy in which its commands run one after the other."""
    return {}


@pytest.fixture
def copy(one: Command, copies: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page's files, and a .venv that uses the packages of this environment."""
    page = one.page
    if page in copies:
        return copies[page]
    place = copies[page] = tmp_path_factory.mktemp("copy")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.split("\n"):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place / ".venv"], check=True)
    python, here = place / ".venv" / "bin" / "python", sysconfig.get_paths()["purelib"]
    (found,) = (place / ".venv" / "lib").glob("python*/site-packages")
    (found / "theirs.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    pip = python.with_name("pip")  # installs without a network
    pip.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -m pip --python {python} {PIP} "$@"\n')
    pip.chmod(0o755)
    (place / ".venv" / ".run").touch()
    for name, content in FILES[page].items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)
    if page == "README.md":  # its table is not compared
        quick = place / "conf" / "recipe" / "digits_quick.yaml"
        quick.write_text(quick.read_text().replace("\nepochs: 10\n", "\nepochs: 1\n"))
        for study in (place / "conf" / "study").glob("*.yaml"):  # after an epoch no claim is decided by fewer
            study.write_text(re.sub(r"most: \d+", "most: 4", study.read_text()))
    return place


def test_there_is_something_to_run() -> None:
    assert set(FILES["README.md"]) == {"conf/study/warmth.yaml"}
    assert set(FILES["docs/adding-a-block.md"]) == {
        *("lightning_modules/networks/scaled.py", "conf/block/scaled.yaml"),
        *("own/halved.py", "own/block/halved.yaml", "idea.py", "mlp.py"),
        *("own/remembering.py", "own/two_streams.py"),
    }
    assert Command("README.md", "make run") in COMMANDS
    silent = {"docs/README.md", "docs/architecture.md", "docs/axes.md"}
    assert not [page for page in PAGES if page not in silent and not any(one.page == page for one in COMMANDS)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "one",
    [pytest.param(one, marks=[] if one.daily else pytest.mark.long) for one in COMMANDS],
    ids=lambda one: f"{one.page}: {one.text}",
)
def test_a_command_of_a_page_runs(copy: Path, one: Command, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {"PATH": f"{copy / '.venv' / 'bin'}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": ""}
    if re.search("data=(cifar10|shakespeare)", one.text):
        if not SHARED.exists():
            pytest.skip("no real data beside the project")
        env["SKIPBENCH_DATA"] = str(unpacked(copy, tmp_path_factory))
    if one.daily and one.text.startswith("python run.py "):
        done = typed(*shlex.split(one.text)[2:], at=copy, root=copy, timeout=600, **env)
    else:
        around = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")} | env
        done = subprocess.run(one.text, shell=True, cwd=copy, env=around, capture_output=True, text=True, timeout=600)
    assert done.returncode == (1 if one.refused else 0), done.stdout + done.stderr
    if one.text == "make run":  # whose workers are processes of their own, and its runs W&B's: seconds for each
        config = copy / "conf" / "config.yaml"
        quicker = config.read_text().replace("hydra/launcher: joblib", "hydra/launcher: basic")
        config.write_text(quicker.replace("- tracker: auto", "- tracker: none"))
    assert done.stdout or one.refused or one.text.startswith(("pip", "cp"))
    assert is_shown(one.shows, done.stdout + done.stderr), done.stdout + done.stderr


def unpacked(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.getbasetemp() / "real"
    if not target.exists():
        subprocess.run([sys.executable, SHARED / "unpack.py", target], check=True, capture_output=True)
    return target


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page: str) -> None:
    for target, _, part in (link.partition("#") for link in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXTS[page])):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        assert not part or part in sections(path.read_text()), f"{target}#{part}"


def sections(text: str) -> set[str]:
    """The headings of a page as a code host makes addresses of them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}

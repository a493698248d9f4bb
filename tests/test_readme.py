"""README.md and docs/ are true to the letter: their files work, and every command runs, in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
SHARED = ROOT.parent / "shared" / "data"
WRITTEN = re.compile(r"`([\w/]+\.(?:py|yaml))`[^\n]*:\n\n```(?:python|yaml)\n(.*?)```", re.DOTALL)
FILES = {page: dict(WRITTEN.findall(text)) for page, text in TEXTS.items()}
COMMANDS = [
    (page, re.sub(r"\s+#.*", "", line))
    for page, text in TEXTS.items()
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
]
PIP = "install -q --no-index --no-deps --no-build-isolation --disable-pip-version-check"


@pytest.fixture(scope="module")
def copies() -> dict[str, Path]:
    """Page → the copy in which its commands follow each other."""
    return {}


@pytest.fixture
def copy(page: str, copies: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a fresh clone has it, with this environment behind its .venv, and the page's files written."""
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
    pip = python.with_name("pip")  # what is there need not be fetched
    pip.write_text(f'#!/bin/sh\nshift\nexec {sys.executable} -m pip --python {python} {PIP} "$@"\n')
    pip.chmod(0o755)
    (place / ".venv" / ".run").touch()
    for name, content in FILES[page].items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)
    return place


def test_there_is_something_to_run() -> None:
    assert set(FILES["README.md"]) == {"conf/study/warmth.yaml"}
    assert set(FILES["docs/adding-a-block.md"]) == {
        *("lightning_modules/networks/scaled.py", "conf/block/scaled.yaml"),
        *("own/halved.py", "own/block/halved.yaml", "idea.py"),
    }
    assert ("README.md", "make run") in COMMANDS
    for page in PAGES:
        assert sum(of == page for of, _ in COMMANDS) > 5


FEWER = {  # two of three seeds: a third of the time less
    "make run": "make run ARGS=seed=0,1",
    "python run.py -m study=shortcuts": "python run.py -m study=shortcuts seed=0,1",
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "command"),
    [
        *(
            pytest.param(page, command, marks=[] if page == "README.md" else pytest.mark.long)
            for page, command in COMMANDS
        ),
        ("README.md", "python run.py -m study=warmth"),
    ],
)
def test_a_command_of_a_page_runs(copy: Path, page: str, command: str, tmp_path_factory) -> None:
    path = f"{copy / '.venv' / 'bin'}:{os.environ['PATH']}"
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")} | {"PATH": path}
    if "data=cifar10" in command:
        if not SHARED.exists():
            pytest.skip("no real CIFAR-10 beside the project")
        env["SKIPBENCH_DATA"] = str(unpacked(copy, tmp_path_factory))
    command = FEWER.get(command, command)
    done = subprocess.run(command, shell=True, cwd=copy, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or command.startswith("pip")


def unpacked(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.getbasetemp() / "real"
    if not target.exists():
        subprocess.run([sys.executable, SHARED / "unpack.py", target], check=True, capture_output=True)
    return target


def test_the_table_is_pasted_from_a_run_with_everything_a_number_needs() -> None:
    text = TEXTS["README.md"]
    table = text[text.index("| block | depth |") : text.index("![")]
    assert "seeds" in table
    assert "torch" in table
    assert re.search(r"\| plain \| 56 \| 3 \| [6-9]\d\.", table), "plain-56 fails to fit"
    assert re.search(r"residual \| 56 \| 3 \| 0\.", table), "residual-56 fits"


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_points_to_is_there(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", TEXTS[page]):
        assert (ROOT / page).parent.joinpath(target).exists(), target

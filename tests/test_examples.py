"""Install the example package and a newly generated one in a separate environment, and run their tests there."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HERE = sysconfig.get_paths()["purelib"]
INSTALL = ["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]


def called(*words: object, at: Path) -> str:
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    env["COLUMNS"] = "200"
    done = subprocess.run([*map(str, words)], cwd=at, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_packages_work_outside_this_repository(tmp_path: Path) -> None:
    called(sys.executable, "-m", "venv", "--without-pip", "env", at=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    place = called(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", at=tmp_path).strip()
    Path(place, "theirs.pth").write_text(f"{ROOT}\nimport site; site.addsitedir({HERE!r})\n")  # torch is not copied

    shutil.copytree(ROOT / "examples" / "mixed", tmp_path / "mixed")
    called(python, "-m", "ablations", "new", "block", "my_own", at=tmp_path)
    called(sys.executable, "-m", "pip", "--python", python, *INSTALL, "./mixed", "./my_own", at=tmp_path)

    for name in ("mixed", "my_own"):
        (tmp_path / name / f"{name}_block.py").unlink()  # so that the installed module is tested
    said = called(python, "-m", "pytest", "-q", "-W", "error", "mixed", "my_own", at=tmp_path)
    assert "26 passed" in said

    listed = " ".join(called(python, "-m", "ablations", "list", "blocks", at=tmp_path).split())
    assert "mixed y = act(r · f(x) + (1 − r) · s(x))" in listed
    assert "skipbench-my-own 0.1.0" in listed
    quick = ["block=mixed", "block.ratio=0.9", "depth=8", "recipe.epochs=1", "tracker=none"]
    called(python, ROOT / "run.py", *quick, at=tmp_path)
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("runs/*/record.json"))
    assert (record["axes"]["block"], record["axes"]["block.ratio"]) == ("mixed", 0.9)
    assert record["params"] == 19_074 + 3, "a residual network, and a number for each of its three blocks"
